"""The tokens of an expression: numbers, commands, single letters, signs."""

import re

TOKEN = re.compile(
    r"\s*(?:(?P<repeat>\d*\.\d*\\(?:overline|bar|dot)\s*\{?\d+\}?)|(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,4}(?!\d))?)"
    r"|(?P<word>\\?[A-Za-z]+)|(?P<sign>\*\*|\\[{}|]|[^\s]))"
)
FUNCTIONS = set(
    (
        "sin cos tan cot sec csc arcsin arccos arctan arccot sinh cosh tanh coth log ln lg exp gcd lcm max min det sgn"
    ).split()
)
PLAIN_NAMES = {"sqrt": "sqrtof"}  # sqrt 12 in plain text; in LaTeX, \\sqrt 12 is \\sqrt{1} 2
ENGLISH = set(("and or is of to in by if at on as an the not for no yes").split())  # in no product of variables


class NotAnExpression(ValueError):
    """A text is no expression that this grammar knows."""


class Tokens:
    """The tokens of one text, and how many of them have been read."""

    def __init__(self, text: str) -> None:
        """Split ``text`` into tokens: numbers, commands, single letters, signs."""
        self.tokens: list[str] = []
        self.at = 0
        for found in TOKEN.finditer(text.strip()):
            word = found["word"]
            if word is None or word[0] == "\\" or word in FUNCTIONS or word in ("sqrt", "pi"):
                self.tokens.append("\\" + PLAIN_NAMES.get(word, word) if word and word[0] != "\\" else found[0].strip())
            elif len(word) > 3 or word in ENGLISH:
                raise NotAnExpression(f"the word {word!r}")
            else:
                self.tokens.extend(word)

    def peek(self) -> str:
        """Return the next token, "" at the end."""
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, expected: str = "") -> str:
        """Return the next token and go past it; one that is not ``expected`` is an error."""
        piece = self.peek()
        if not piece or (expected and piece != expected):
            raise NotAnExpression(f"{piece!r} in place of {expected!r}")
        self.at += 1
        return piece

    def raw(self) -> str:
        """Return the text of the next token or group, as the name that it is."""
        if self.peek() != "{":
            return self.take()
        parts, depth = [], 0
        while True:
            piece = self.take()
            depth += (piece == "{") - (piece == "}")
            if depth == 0:
                return "".join(parts[1:])
            parts.append(piece)
