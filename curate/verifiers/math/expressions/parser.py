r"""Expressions in LaTeX or plain text, parsed into trees.

The grammar is a small one, on purpose: what it does not know (integrals, sums, words) is no expression, never a part of
one. Numbers are exact: 0.1 is 1/10. Nothing is computed.
"""

import re
from fractions import Fraction
from functools import lru_cache

from curate.verifiers.math.expressions.applied import LONGEST_ARGUMENT, is_argument, on_last
from curate.verifiers.math.expressions.tokens import FUNCTIONS, NotAnExpression, Tokens
from curate.verifiers.math.expressions.tree import TooCostly, Tree, number

DEEPEST = 12  # levels of brackets
REPEATING = re.compile(r"(\d*)\.(\d*)\\(?:overline|bar|dot)\s*\{?(\d+)\}?")
GREEK = set(
    (
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi "
        "chi psi omega ell Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega hbar"
    ).split()
)
ACCENTS = {"bar", "overline", "tilde", "dot", "mathcal"}
CONSTANTS = {"pi": "pi", "infty": "oo", "e": "e", "i": "i"}
TIMES = {"*", "\\cdot", "\\times", "/", "\\div"}
APPLIED = {"f", "g", "h"}  # f(x) is a value of a function; a(x) may be one or a product


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


class Parser(Tokens):
    """A recursive descent parser over the tokens of one text."""

    bars = 0  # of absolute values that are open: | ends the innermost

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
        while piece := self.peek():
            if piece in TIMES:
                self.take()
                tree = Tree("div" if piece in ("/", "\\div") else "mul", (tree, self.signed()))
            elif self.starts_factor(piece):
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

    def starts_factor(self, piece: str) -> bool:
        """Tell whether a factor can begin with a token."""
        if piece == "|":
            return self.bars == 0
        if piece in ("\\rfloor", "\\rceil"):
            return False
        return piece[0].isalnum() or piece in ("(", "[", "{", ".") or (piece[0] == "\\" and piece[1:].isalpha())

    def power(self) -> Tree:
        """Parse an atom with its exponent, factorial or degree sign."""
        tree = self.atom()
        while self.peek() in ("^", "**", "!"):
            if self.take() == "!":
                if tree.op == "fact":
                    raise TooCostly("a factorial of a factorial")
                tree = on_last(tree, lambda base: Tree("fact", (base,)))
            elif self.peek() == "\\circ":
                self.take()
                tree = Tree("div", (Tree("mul", (tree, Tree("const", name="pi"))), number(180)))
            else:
                exponent = self.exponent()
                tree = on_last(tree, lambda base, exponent=exponent: Tree("pow", (base, exponent)))
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
        piece = self.take()
        if piece in ("(", "[", "{"):
            return self.group({"(": ")", "[": "]", "{": "}"}[piece])
        if piece == "|":
            self.bars += 1
            tree = self.sum()
            self.take("|")
            self.bars -= 1
            return Tree("fn", (tree,), name="abs")
        if piece[0].isdigit() or (piece[0] == "." and len(piece) > 1):
            return self.number(piece)
        if piece[0] == "\\":
            return self.command(piece[1:])
        if piece.isalpha() and len(piece) == 1:
            return self.variable(piece)
        raise NotAnExpression(f"unexpected {piece!r}")

    def number(self, piece: str) -> Tree:
        """Return the tree of a number; a base is refused here, as it is no part of an expression."""
        if self.peek() == "_":
            raise NotAnExpression("a base inside an expression")
        if found := REPEATING.fullmatch(piece):
            whole, part, repeat = found.groups()
            shift, nines = 10 ** len(part), 10 ** len(repeat) - 1
            return number(Fraction(int((whole + part) or "0"), shift) + Fraction(int(repeat), nines * shift))
        return number(Fraction(piece))

    def variable(self, name: str) -> Tree:
        """Parse the rest of a variable: its subscript, its primes, and the argument of f(x)."""
        if name in CONSTANTS and self.peek() not in ("_", "'"):
            return Tree("const", name=CONSTANTS[name])
        if self.peek() == "_":
            self.take()
            name += "_" + self.raw()
        while self.peek() == "'":
            name += self.take()
        braced = self.tokens[self.at : self.at + 2] == ["{", "("]  # f{(x)}, as SymPy prints it
        if name[0] in APPLIED and (self.peek() == "(" or braced):
            closing = "}" if self.take() == "{" else ")"
            return Tree("call", (self.group(closing),), name=name)
        if self.peek() in ("(", "["):
            return self.applied(name)
        return Tree("var", name=name)

    def applied(self, name: str) -> Tree:
        """Parse a letter before a bracket: what is in it tells whether P(2) is a value of P, a product, or either."""
        start, variable = self.at, Tree("var", name=name)
        near = self.tokens[start + 1 : start + LONGEST_ARGUMENT + 2]
        closes = ")" if self.peek() == "(" else "]"
        if closes not in near or set(near[: near.index(closes)]) & {"(", "["}:
            return variable
        self.take()
        inside = self.group(closes)
        call = Tree("call", (inside,), name=name)
        if inside == number(0):
            return call
        if is_argument(inside, name[0].isupper()):
            return Tree("either", (call, Tree("mul", (variable, inside))))
        self.at = start
        return variable

    def command(self, name: str) -> Tree:
        """Parse the arguments of a LaTeX command."""
        if name in ("frac", "binom"):
            return Tree("div" if name == "frac" else "binom", (self.argument(), self.argument()))
        if name in ("sqrt", "sqrtof"):
            return self.root(plain=name == "sqrtof")
        if name in FUNCTIONS:
            return self.function(name)
        if name in ("lfloor", "lceil"):
            return Tree("fn", (self.group("\\r" + name[1:]),), name=name[1:])
        if name in CONSTANTS:
            return Tree("const", name=CONSTANTS[name])
        if name in GREEK:
            return self.variable("\\" + name)
        return self.accented(name)

    def root(self, plain: bool) -> Tree:
        """Parse what stands under a root; in plain text, sqrt 12 is the root of 12, in LaTeX that of 1."""
        degree = number(2)
        if self.peek() == "[":
            self.take()
            degree = self.group("]")
        return Tree("root", (self.atom() if plain else self.argument(), degree))

    def accented(self, name: str) -> Tree:
        """Parse a variable with an accent; an arrow or a hat over a vector is no difference."""
        if name in ("hat", "vec", "overrightarrow"):
            return self.variable(self.raw())
        if name == "mathbb":
            letter = f"\\mathbb{{{self.raw()}}}"
            return Tree("var", name=letter + (self.take() + self.raw() if self.peek() == "^" else ""))
        if name in ("angle", "triangle"):  # ABC is CBA
            letters = self.raw()
            while self.peek() and self.peek() in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
                letters += self.take()
            ends = min(letters, letters[::-1]) if name == "angle" else "".join(sorted(letters))
            return self.variable(f"\\{name}{{{ends}}}")
        if name in ACCENTS:
            return self.variable(f"\\{name}{{{self.raw()}}}")
        raise NotAnExpression(f"the command {name!r}")

    def argument(self) -> Tree:
        r"""Parse an argument of \frac or \sqrt: a group, or one token, where digits count singly."""
        piece = self.peek()
        if piece.isdigit() and len(piece) > 1:
            self.tokens[self.at : self.at + 1] = [piece[0], piece[1:]]
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
            while (piece := self.peek()) and self.starts_factor(piece) and piece[1:] not in FUNCTIONS and piece != "(":
                arguments[0] = self.beside(arguments[0])
        if exponent and exponent == Tree("neg", (number(1),)) and name in ("sin", "cos", "tan"):
            name, exponent = "arc" + name, None
        tree = Tree("fn", tuple(arguments) + ((index,) if index else ()), name=name)
        return Tree("pow", (tree, exponent)) if exponent else tree


def _proper(tree: Tree) -> bool:
    """Tell whether a tree is a fraction of two whole numbers that is less than 1."""
    numbers = [part.value for part in tree.args if part.op == "number" and part.value.denominator == 1]
    return tree.op == "div" and len(numbers) == 2 and 0 < numbers[0] < numbers[1]
