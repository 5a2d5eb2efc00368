"""Split one text into lines, paragraphs and sentences, normalise phrases, and read JSON.

word       a run of characters without white space that holds a letter or digit ("well-known" is one, "-" is none)
sentence   words up to one that ends in . ! ? or …, with closing quotes and brackets, or up to the paragraph's end;
           "Mr.", "e.g.", single initials and a number at the start of a sentence ("1.") do not end one
line       a line that is not blank
paragraph  lines between blank lines
phrase     compared as whole words, ignoring case, the kind of quotes (curly or straight) and the kind of white space;
           it has to begin and end with a word only where it begins and ends with a letter or digit ("C#" does not end
           with one), and not of a script that writes no space between words (Chinese, Japanese, Thai ...)

Texts may be hostile and long: everything here takes time proportional to the text. So no pattern has nested repeats,
and nothing is Unicode-normalised (which is quadratic for long runs of combining marks).
"""

import json
import re
import string
import unicodedata

CLOSERS = "\"'”’)]*_»"
OPENERS = "\"'“‘([*_"
PUNCTUATION = string.punctuation + "“”‘’«»…—–•¿¡。！？、，"
ABBREVIATIONS = {"mr.", "mrs.", "ms.", "dr.", "st.", "prof.", "e.g.", "i.e.", "vs.", "approx."}
STOPS = frozenset(".!?…。！？")
ENDING = STOPS | frozenset(CLOSERS)
# Letters and marks of the scripts without spaces between words: Thai to Khmer, kana and Han.
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
BREAKS = re.compile(r"[\s'\"“”‘’]")  # what ``plain`` changes, apart from capitals
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
    low = end.lower().lstrip(OPENERS)
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


def whole_words(text: str, phrase: str) -> int:
    """Return how often a text has a phrase as whole words."""
    quick = BREAKS.split(phrase.strip().lower(), maxsplit=1)[0]
    if quick not in text.lower():  # most texts do not have it
        return 0
    text, phrase = plain(text), plain(phrase)
    if not phrase:
        return 0
    starts, ends = _in_word(phrase[0]), _in_word(phrase[-1])
    found, at = 0, text.find(phrase)
    while at >= 0:
        end = at + len(phrase)
        before = starts and at > 0 and _in_word(text[at - 1])
        whole = not before and not (ends and end < len(text) and _in_word(text[end]))
        found += whole
        at = text.find(phrase, end if whole else at + 1)
    return found


def _in_word(sign: str) -> bool:
    """Return whether a character belongs to a word that spaces separate: a letter, digit, mark or underscore."""
    letter = sign.isalnum() or sign == "_" or unicodedata.category(sign)[0] == "M"
    return letter and (sign.isascii() or not UNSPACED.match(sign))


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
