"""What a text is made of: words, sentences, lines and paragraphs, and how phrases and JSON are found in it.

word       a run of characters without white space that holds a letter or digit ("well-known" is one, "-" is none)
sentence   words up to one that ends in . ! ? or …, with closing quotes and brackets, or up to the paragraph's end;
           "Mr.", "e.g.", single initials and a number at the start of a sentence ("1.") end none
line       a line with something on it; blank ones do not count
paragraph  lines between blank lines
phrase     compared without regard to case, curly or straight quotes and the kind of white space, as whole words

Texts are hostile and long: everything here takes time proportional to the text, so no pattern has nested repeats, and
nothing is Unicode-normalised (which is quadratic on long runs of combining marks).
"""

import json
import re
import string

CLOSERS = "\"'”’)]*_»"
PUNCTUATION = string.punctuation + "“”‘’«»…—–•¿¡。！？、，"
ABBREVIATIONS = {"mr.", "mrs.", "ms.", "dr.", "st.", "prof.", "e.g.", "i.e.", "vs.", "approx."}
STRAIGHT = str.maketrans("“”‘’", "\"\"''")


def words_of(text: str) -> list[str]:
    """Words with the punctuation that sticks to them."""
    return [w for w in text.split() if w[0].isalnum() or any(map(str.isalnum, w))]


def bare_words_of(text: str) -> list[str]:
    """Words without the punctuation at their ends."""
    return [w.strip(PUNCTUATION) for w in words_of(text)]


def lines_of(text: str) -> list[str]:
    """Lines that are not blank, stripped."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def paragraphs_of(text: str) -> list[str]:
    """Stretches of lines between blank lines."""
    return [p for p in re.split(r"\n\s*\n", text) if p.strip()]


def ends_sentence(token: str) -> bool:
    """Whether a sentence ends after this word."""
    end = token.rstrip(CLOSERS)
    if not end.endswith((".", "!", "?", "…", "。", "！", "？")):
        return False
    low = end.lower().lstrip("\"'“‘([*_")
    return low not in ABBREVIATIONS and not (len(low) == 2 and low[0].isalpha() and low != "i." and low[1] == ".")


def sentence_lengths(text: str) -> list[int]:
    """Number of words of each sentence."""
    lengths = []
    for paragraph in paragraphs_of(re.sub("([。！？])", r"\1 ", text)):
        length = 0
        for token in paragraph.split():
            length += token[0].isalnum() or any(map(str.isalnum, token))
            is_list_number = length == 1 and token.rstrip(".)").isdigit()
            if length and not token[-1].isalnum() and ends_sentence(token) and not is_list_number:
                lengths.append(length)
                length = 0
        if length:
            lengths.append(length)
    return lengths


def plain(text: str) -> str:
    """Text as phrases are compared in: case folded, quotes straight, white space single."""
    return " ".join(text.translate(STRAIGHT).casefold().split())


def times(text: str, phrase: str) -> int:
    """How often the phrase stands in the text as whole words."""
    return len(re.findall(rf"(?<![^\W_]){re.escape(plain(phrase))}(?![^\W_])", plain(text)))


def inside_word(left: str, right: str) -> bool:
    """Whether the place between the two texts, joined, lies inside a word."""
    return left[-1:].isalnum() and right[:1].isalnum()


def from_json(text: str) -> object:
    """Read strict JSON, with or without a Markdown fence around it; return None where it is none."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        text = text[text.index("\n") : -3]
    try:
        return json.loads(text, parse_constant=refuse_constant)
    except (ValueError, RecursionError):
        return None


def refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python reads but JSON does not have."""
    raise ValueError(name)
