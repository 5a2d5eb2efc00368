"""Split one text into lines, paragraphs and sentences, normalise phrases, and read JSON.

word       a run of characters without white space that holds a letter or digit ("well-known" is one, "-" is none)
sentence   words up to one that ends in . ! ? or …, with closing quotes and brackets, or up to the paragraph's end;
           "Mr.", "e.g.", single initials and a number at the start of a sentence ("1.") do not end one
line       a line that is not blank
paragraph  lines between blank lines
phrase     compared as whole words, ignoring case, the kind of quotes (curly or straight) and the kind of white space

Texts may be hostile and long: everything here takes time proportional to the text. So no pattern has nested repeats,
and nothing is Unicode-normalised (which is quadratic for long runs of combining marks).
"""

import json
import re
import string

CLOSERS = "\"'”’)]*_»"
PUNCTUATION = string.punctuation + "“”‘’«»…—–•¿¡。！？、，"
ABBREVIATIONS = {"mr.", "mrs.", "ms.", "dr.", "st.", "prof.", "e.g.", "i.e.", "vs.", "approx."}
STOPS = frozenset(".!?…。！？")
ENDING = STOPS | frozenset(CLOSERS)
STRAIGHT = str.maketrans("“”‘’", "\"\"''")


def lines_of(text: str) -> list[str]:
    """Return the lines that are not blank, stripped."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def paragraphs_of(text: str) -> list[str]:
    """Return the paragraphs of a text."""
    return [p for p in re.split(r"\n\s*\n", text) if p.strip()]


def ends_sentence(token: str) -> bool:
    """Return whether a sentence ends after this word."""
    end = token.rstrip(CLOSERS)
    if not end or end[-1] not in STOPS:
        return False
    if end[-1] != ".":
        return True
    low = end.lower().lstrip("\"'“‘([*_")
    return low not in ABBREVIATIONS and not (len(low) == 2 and low[0].isalpha() and low != "i." and low[1] == ".")


def sentence_lengths(text: str) -> list[int]:
    """Return the number of words in each sentence."""
    lengths = []
    if "。" in text or "！" in text or "？" in text:
        text = re.sub("([。！？])", r"\1 ", text)
    for paragraph in paragraphs_of(text):
        tokens = paragraph.split()
        start = 0  # index of the sentence's first token, plus its tokens that are no words
        # Only a token that ends in neither letter nor digit can end a sentence or be no word.
        for place, token in [(place, token) for place, token in enumerate(tokens) if not token[-1].isalnum()]:
            start += not (token[0].isalnum() or any(map(str.isalnum, token)))
            length = place + 1 - start
            if not length or token[-1] not in ENDING:
                continue
            is_list_number = length == 1 and token.rstrip(".)").isdigit()
            if not is_list_number and ends_sentence(token):
                lengths.append(length)
                start = place + 1
        if len(tokens) > start:
            lengths.append(len(tokens) - start)
    return lengths


def sentences_of(text: str) -> list[list[str]]:
    """Return the sentences that ``sentence_lengths`` counts, each as its tokens between white space."""
    found: list[list[str]] = []
    for paragraph in paragraphs_of(re.sub("([。！？])", r"\1 ", text)):
        tokens: list[str] = []
        words = 0
        for token in paragraph.split():
            tokens.append(token)
            words += any(map(str.isalnum, token))
            is_list_number = words == 1 and token.rstrip(".)").isdigit()
            if words and token[-1] in ENDING and not is_list_number and ends_sentence(token):
                found.append(tokens)
                tokens, words = [], 0
        if words:
            found.append(tokens)
    return found


def plain(text: str) -> str:
    """Return a text as phrases are compared: in lower case, with straight quotes and single spaces."""
    return " ".join(text.translate(STRAIGHT).lower().split())


def from_json(text: str) -> object:
    """Return the value of strict JSON, with or without a Markdown fence around it; None if it is no JSON."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        text = text[text.index("\n") : -3]
    try:
        return json.loads(text, parse_constant=refuse_constant)
    except (ValueError, RecursionError):
        return None


def refuse_constant(name: str) -> None:
    """Raise ``ValueError``: Python reads NaN and Infinity, but JSON does not have them."""
    raise ValueError(name)
