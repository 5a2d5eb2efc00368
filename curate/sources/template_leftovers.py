"""Count texts that hold control tokens of chat templates, or placeholders of templates that were not filled in.

A trainer's tokenizer reads ``<|im_end|>`` in a text as the token that ends a turn, and ``{{name}}`` is learnt as it
stands. Nothing is dropped for either: a text may be about templates. Texts with code are not searched for
placeholders, and ``{name}`` with single braces counts only where many texts hold it.

All texts of a row are searched at once, in the JSON text of its messages.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

import polars as pl

# Tokens that are written as no other text is. Those of the form <|name|> are found whatever the name.
CONTROL_TOKENS = (
    "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]", "[TOOL_CALLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[|system|]", "[|user|]",
    "[|assistant|]", "[|endofturn|]", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "[gMASK]",
    "<end_of_utterance>", "]~b]", "[e~[",
)  # fmt: skip
# Tokens that are also HTML or prose: they count at the end of a text, or at its start.
END_TOKENS = ("</s>", "<eos>")
START_TOKENS = ("<s>", "<bos>")
PIPED = (r"<\|[A-Za-z][A-Za-z0-9_]{0,40}\|>", r"<｜[^｜<>\s]{1,40}｜>")
_ENDS = rf'(?:{"|".join(END_TOKENS)})(?:\s|\\[nrt])*"'
_STARTS = rf':"(?:{"|".join(START_TOKENS)})'
TOKEN = "|".join([*PIPED, *map(re.escape, CONTROL_TOKENS), _ENDS, _STARTS])

# Braces after a letter, a backslash, ``$``, ``^`` or ``_`` are LaTeX or a shell's. JSON has ``\n`` for a line end.
_BEFORE = r"(?:^|[^A-Za-z0-9\\{}$^_]|\\[nrt])"
DOUBLE = _BEFORE + r"\{\{\s*[\p{L}_][\p{L}\p{N}_.\- ]{0,38}[\p{L}\p{N}_]\s*\}\}"
SINGLE = _BEFORE + r"\{[A-Za-z_]{2,40}\}"
CODE = r"```|\{%|</|\\begin\{|\bdef \w+\(|\bprintf?\(|\.format\(|\b(?:const|let|var) \w+ ?=|#include|\bf\\\"|\bf'"
SINGLE_SHARE, SINGLE_TEXTS = 0.05, 2  # texts that must hold one ``{name}``, of all texts and at least
# The forms of names, which stand for more than ``MANY`` of them; in a syntax that Polars and DuckDB share.
FORMS = ("<[|][A-Za-z][A-Za-z0-9_]*[|]>", "<｜[^｜<>]+｜>", "[{][{][^{}]+[}][}]", "[{][A-Za-z_]+[}]")
MANY = 8


@dataclass(frozen=True)
class Leftovers:
    """Counts of the texts that hold a control token or a placeholder: of all, and by name, the most frequent first."""

    token_texts: int
    tokens: dict[str, int]
    placeholder_texts: int
    placeholders: dict[str, int]


@dataclass(frozen=True)
class Search:
    """What to search texts for: names as they are, and the patterns that stand for the other names."""

    names: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()

    @property
    def pattern(self) -> str:
        """All of it as one pattern."""
        return "|".join([*map(re.escape, self.names), *self.patterns])


def search_for(names: list[str]) -> Search:
    """Return the search for control tokens or placeholders; of more than ``MANY`` of one form, by the form."""
    forms = {name: next((form for form in FORMS if re.fullmatch(form, name)), "") for name in names}
    counts = Counter(forms.values())
    many = {form for form, count in counts.items() if form and count > MANY}
    return Search(tuple(name for name, form in forms.items() if form not in many), tuple(sorted(many)))


@dataclass
class LeftoverCounts:
    """What the texts of some rows hold, so that it adds up over the parts of a table.

    Attributes:
        rows: How many rows there are.
        token_rows: How many hold a control token.
        tokens: The control tokens, with the number of rows that hold each.
        placeholders: The placeholders with double and with single braces that rows hold, with the number of rows that
            hold just these.
    """

    rows: int = 0
    token_rows: int = 0
    tokens: Counter[str] = field(default_factory=Counter)
    placeholders: Counter[tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=Counter)

    def look_at(self, messages: pl.Series) -> None:
        """Count what further rows hold.

        Args:
            messages: The messages of each row as JSON text, as in the columns ``messages``.
        """
        self.rows += len(messages)
        hits = messages.filter(messages.str.contains(TOKEN))
        self.token_rows += len(hits)
        for found in hits.str.extract_all(TOKEN).to_list():
            self.tokens.update({_token(one) for one in found})
        doubles, singles = _placeholders(messages, DOUBLE), _placeholders(messages, SINGLE)
        for row in {**doubles, **singles}:
            held = tuple(sorted(doubles.get(row, ()))), tuple(sorted(singles.get(row, ())))
            self.placeholders[held] += 1

    def add(self, other: "LeftoverCounts") -> None:
        """Add the counts of further rows."""
        self.rows += other.rows
        self.token_rows += other.token_rows
        self.tokens.update(other.tokens)
        self.placeholders.update(other.placeholders)

    def leftovers(self) -> Leftovers:
        """Return what all rows hold; a placeholder with single braces counts where enough rows hold it."""
        singles: Counter[str] = Counter()
        for (_, names), rows in self.placeholders.items():
            singles.update(dict.fromkeys(names, rows))
        enough = max(SINGLE_TEXTS, SINGLE_SHARE * self.rows)
        many = {name for name, count in singles.items() if count >= enough}
        texts, found = 0, Counter[str]()
        for (doubled, names), rows in self.placeholders.items():
            held = {*doubled, *(many.intersection(names))}
            texts += rows if held else 0
            found.update(dict.fromkeys(held, rows))
        return Leftovers(self.token_rows, _sorted(self.tokens), texts, _sorted(found))


def find_leftovers(messages: pl.Series) -> Leftovers:
    """Return what the texts of a table's rows hold of control tokens and placeholders.

    Args:
        messages: The messages of each row as JSON text, as in the columns ``messages``.
    """
    counts = LeftoverCounts()
    counts.look_at(messages)
    return counts.leftovers()


def _placeholders(messages: pl.Series, pattern: str) -> dict[int, set[str]]:
    """Return the placeholders of each row that has some and no code, by the row's number."""
    rows = messages.str.contains(pattern).arg_true()
    texts = messages.gather(rows)
    plain = ~texts.str.contains(CODE)
    found = texts.filter(plain).str.extract_all(pattern).to_list()
    return {
        row: {text[text.index("{") :] for text in names} for row, names in zip(rows.filter(plain), found, strict=True)
    }


def _token(found: str) -> str:
    """Return the token in a match of ``TOKEN``, which may have the end or the start of its text beside it."""
    beside = (name for name in (*END_TOKENS, *START_TOKENS) if name in found)
    return next(beside, found)


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
