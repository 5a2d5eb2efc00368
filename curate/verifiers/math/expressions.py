r"""Expressions in LaTeX or plain text, parsed into trees.

The grammar is a small one, on purpose: what it does not know (integrals, sums, words) is no expression, never a part of
one. Numbers are exact: 0.1 is 1/10. Nothing is computed.
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

DEEPEST = 12  # levels of brackets
TOKEN = re.compile(
    r"\s*(?:(?P<repeat>\d*\.\d*\\(?:overline|bar|dot)\s*\{?\d+\}?)|(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,4}(?!\d))?)"
    r"|(?P<word>\\?[A-Za-z]+)|(?P<sign>\*\*|\\[{}|]|[^\s]))"
)
REPEATING = re.compile(r"(\d*)\.(\d*)\\(?:overline|bar|dot)\s*\{?(\d+)\}?")
FUNCTIONS = set(
    "sin cos tan cot sec csc arcsin arccos arctan arccot sinh cosh tanh coth log ln lg exp gcd lcm max min det sgn".split()
)
GREEK = set(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi chi psi omega ell "
    "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega hbar".split()
)
ACCENTS = {"bar", "overline", "tilde", "dot", "mathcal", "angle", "triangle"}
CONSTANTS = {"pi": "pi", "infty": "oo", "e": "e", "i": "i"}
TIMES = {"*", "\\cdot", "\\times", "/", "\\div"}
PLAIN_NAMES = {"sqrt": "sqrtof"}  # sqrt 12 in plain text; in LaTeX, \\sqrt 12 is \\sqrt{1} 2
ENGLISH = set("and or is of to in by if at on as an the not for no yes".split())  # in no product of variables
APPLIED = {"f", "g", "h"}  # f(x) is a value of a function; a(x) is a product


class NotAnExpression(ValueError):
    """A text is no expression that this grammar knows."""


class TooCostly(ValueError):
    """An expression has a value that is too large to compute."""


class Tree(NamedTuple):
    """An expression: a number (``value``), a variable or constant (``name``), or an operation on ``args``."""

    op: str
    args: tuple["Tree", ...] = ()
    value: Fraction = Fraction(0)
    name: str = ""


def number(value: Fraction | int) -> Tree:
    """Return the tree of a rational number."""
    return Tree("number", value=Fraction(value))


@lru_cache(4096)
def parse(text: str) -> Tree:
    """Return the tree of a cleaned text (``spelling.clean``).

    Raises:
        NotAnExpression: If any part of the text is not understood.
        TooCostly: If it is nested deeper than ``DEEPEST`` levels.
    """
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    if deepest > DEEPEST:
        raise TooCostly(f"nested deeper than {DEEPEST} levels")
    parser = Parser(text)
    tree = parser.sum()
    if parser.peek():
        raise NotAnExpression(f"unexpected {parser.peek()!r}")
    return tree


class Parser:
    """A recursive descent parser over the tokens of one text."""

    def __init__(self, text: str) -> None:
        """Split ``text`` into tokens: numbers, commands, single letters, signs."""
        self.tokens: list[str] = []
        self.at = self.bars = 0
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
        token = self.peek()
        if not token or (expected and token != expected):
            raise NotAnExpression(f"{token!r} in place of {expected!r}")
        self.at += 1
        return token

    def sum(self) -> Tree:
        """Parse terms with + and - between them."""
        parts = []
        while True:
            sign = self.take() if self.peek() in ("+", "-") else "+" if not parts else ""
            if not sign:
                break
            term = self.product()
            parts.append(Tree("neg", (term,)) if sign == "-" else term)
        return parts[0] if len(parts) == 1 else Tree("add", tuple(parts))

    def product(self) -> Tree:
        """Parse factors with signs of multiplication or division, or nothing, between them."""
        tree = self.signed()
        while token := self.peek():
            if token in TIMES:
                self.take()
                tree = Tree("div" if token in ("/", "\\div") else "mul", (tree, self.signed()))
            elif self.starts_factor(token):
                tree = self.beside(tree)
            else:
                break
        return tree

    def signed(self) -> Tree:
        """Parse a factor that may have a sign: 2 * -3."""
        if self.peek() in ("+", "-"):
            sign = self.take()
            return Tree("neg", (self.signed(),)) if sign == "-" else self.signed()
        return self.power()

    def beside(self, left: Tree) -> Tree:
        """Parse a factor that stands beside ``left`` without a sign: a mixed number or a product."""
        start, before = self.at, self.tokens[self.at - 1]
        right = self.power()
        whole = left.op == "number" and left.value.denominator == 1 and before.isdigit()
        if whole and self.tokens[start] == "\\frac" and _proper(right):
            return Tree("add", (left, right))
        if self.tokens[start][0] in "0123456789.":
            if whole and right.op == "number" and self.peek() == "/":  # 2 1/2
                self.take()
                part = Tree("div", (right, self.power()))
                if _proper(part):
                    return Tree("add", (left, part))
            if before.isalnum() and left.name != "i":
                raise NotAnExpression("a number right after a number or letter")
        return Tree("mul", (left, right))

    def starts_factor(self, token: str) -> bool:
        """Tell whether a factor can begin with a token."""
        if token == "|":
            return self.bars == 0
        if token in ("\\rfloor", "\\rceil"):
            return False
        return token[0].isalnum() or token in ("(", "[", "{", ".") or (token[0] == "\\" and token[1:].isalpha())

    def power(self) -> Tree:
        """Parse an atom with its exponent, factorial or degree sign."""
        tree = self.atom()
        while self.peek() in ("^", "**", "!"):
            if self.take() == "!":
                if tree.op == "fact":
                    raise TooCostly("a factorial of a factorial")
                tree = Tree("fact", (tree,))
            elif self.peek() == "\\circ":
                self.take()
                tree = Tree("div", (Tree("mul", (tree, Tree("const", name="pi"))), number(180)))
            else:
                exponent = self.exponent()
                tree = Tree("pow", (tree, exponent))
        return tree

    def exponent(self) -> Tree:
        """Parse what stands after ^: a group, or a signed factor with its own exponent."""
        if self.peek() in ("{", "("):
            tree = self.atom()
            return Tree("pow", (tree, self.exponent())) if self.peek() in ("^", "**") and self.take() else tree
        return self.signed()

    def group(self, closing: str) -> Tree:
        """Parse a sum up to a closing bracket."""
        bars, self.bars = self.bars, 0
        tree = self.sum()
        self.bars = bars
        self.take(closing)
        return tree

    def atom(self) -> Tree:
        """Parse a number, a variable, a bracket, or a command with its arguments."""
        token = self.take()
        if token in ("(", "[", "{"):
            return self.group({"(": ")", "[": "]", "{": "}"}[token])
        if token == "|":
            self.bars += 1
            tree = self.sum()
            self.take("|")
            self.bars -= 1
            return Tree("fn", (tree,), name="abs")
        if token[0].isdigit() or (token[0] == "." and len(token) > 1):
            return self.number(token)
        if token[0] == "\\":
            return self.command(token[1:])
        if token.isalpha() and len(token) == 1:
            return self.variable(token)
        raise NotAnExpression(f"unexpected {token!r}")

    def number(self, token: str) -> Tree:
        """Return the tree of a number; a base is refused here, as it is no part of an expression."""
        if self.peek() == "_":
            raise NotAnExpression("a base inside an expression")
        if found := REPEATING.fullmatch(token):
            whole, part, repeat = found.groups()
            shift, nines = 10 ** len(part), 10 ** len(repeat) - 1
            return number(Fraction(int((whole + part) or "0"), shift) + Fraction(int(repeat), nines * shift))
        return number(Fraction(token))

    def variable(self, name: str) -> Tree:
        """Parse the rest of a variable: its subscript, its primes, and the argument of f(x)."""
        if name in CONSTANTS and self.peek() not in ("_", "'"):
            return Tree("const", name=CONSTANTS[name])
        if self.peek() == "_":
            self.take()
            name += "_" + self.raw()
        while self.peek() == "'":
            name += self.take()
        if name[0] in APPLIED and self.peek() == "(":
            self.take()
            return Tree("call", (self.group(")"),), name=name)
        return Tree("var", name=name)

    def raw(self) -> str:
        """Return the text of the next token or group, as the name that it is."""
        if self.peek() != "{":
            return self.take()
        parts, depth = [], 0
        while True:
            token = self.take()
            depth += (token == "{") - (token == "}")
            if depth == 0:
                return "".join(parts[1:])
            parts.append(token)

    def command(self, name: str) -> Tree:
        """Parse the arguments of a LaTeX command."""
        if name in ("frac", "binom"):
            return Tree("div" if name == "frac" else "binom", (self.argument(), self.argument()))
        if name == "sqrtof":
            return Tree("root", (self.atom(), number(2)))
        if name == "sqrt":
            degree = number(2)
            if self.peek() == "[":
                self.take()
                degree = self.group("]")
            return Tree("root", (self.argument(), degree))
        if name in FUNCTIONS:
            return self.function(name)
        if name in ("lfloor", "lceil"):
            return Tree("fn", (self.group("\\r" + name[1:]),), name=name[1:])
        if name in CONSTANTS:
            return Tree("const", name=CONSTANTS[name])
        if name in GREEK:
            return self.variable("\\" + name)
        if name in ("hat", "vec", "overrightarrow"):
            return self.variable(self.raw())
        if name == "mathbb":
            letter = f"\\mathbb{{{self.raw()}}}"
            return Tree("var", name=letter + (self.take() + self.raw() if self.peek() == "^" else ""))
        if name in ACCENTS:
            return self.variable(f"\\{name}{{{self.raw()}}}")
        raise NotAnExpression(f"the command {name!r}")

    def argument(self) -> Tree:
        r"""Parse an argument of \frac or \sqrt: a group, or one token, where digits count singly."""
        token = self.peek()
        if token.isdigit() and len(token) > 1:
            self.tokens[self.at : self.at + 1] = [token[0], token[1:]]
        return self.atom()

    def function(self, name: str) -> Tree:
        r"""Parse \sin^2 x, \log_2 8, \ln(x): an index, an exponent and the arguments."""
        index, exponent = None, None
        while self.peek() in ("_", "^"):
            if self.take() == "_":
                index = self.argument()
            else:
                exponent = self.exponent()
        if self.peek() in ("(", "{"):
            opened = self.take()
            arguments = [self.sum()]
            while self.peek() == ",":
                self.take()
                arguments.append(self.sum())
            self.take(")" if opened == "(" else "}")
        else:
            arguments = [self.power()]
            while (token := self.peek()) and self.starts_factor(token) and token[1:] not in FUNCTIONS and token != "(":
                arguments[0] = self.beside(arguments[0])
        if exponent and exponent == Tree("neg", (number(1),)) and name in ("sin", "cos", "tan"):
            name, exponent = "arc" + name, None
        tree = Tree("fn", tuple(arguments) + ((index,) if index else ()), name=name)
        return Tree("pow", (tree, exponent)) if exponent else tree


def _proper(tree: Tree) -> bool:
    """Tell whether a tree is a fraction of two whole numbers that is less than 1."""
    numbers = [part.value for part in tree.args if part.op == "number" and part.value.denominator == 1]
    return tree.op == "div" and len(numbers) == 2 and 0 < numbers[0] < numbers[1]
