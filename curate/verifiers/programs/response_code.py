"""Make one program of the code in a response.

Its main block is the last complete one (it parses as Python) that defines, at its top level, a name which the tests
use; for a program that is fed inputs, the last that, with what it needs of other blocks, reads and prints. The main
block is taken whole. Of the others only what it needs is taken, before it and in their order: the statements that bind
a name it uses and does not bind itself, and those that change such an object in place (from the nearest earlier block
that binds it, else from the next later one). So drafts, examples of use, tests and output are left out.

Blocks labelled as Python come before blocks without a label, those before blocks between tags, those before code in
prose. A response that is only the body of the function is appended to the code that the data set gives.
"""

import re
import textwrap
from collections.abc import Iterable

from curate.verifiers.programs.code_blocks import (
    BARE,
    OTHER,
    PYTHON,
    Block,
    fenced_blocks,
    inline_blocks,
    prose_code,
    tagged_blocks,
)
from curate.verifiers.programs.joined_program import Piece, is_foreign, joined
from curate.verifiers.programs.plain_code import without_prose
from curate.verifiers.programs.statements import compiles, is_code, statements
from curate.verifiers.programs.tests_found import UnitTests

MOST_BLOCKS, MOST_CODE = 200, 200_000  # blocks, and characters of them, that are looked at: the last ones
LONGEST_BODY = 50_000  # characters of a function's body that stands alone
# Marks of a chat template that a model writes behind its last line.
END = re.compile(r"(?:<\|[\w-]{1,30}+\|>|</s>|<(?:eos|end_of_turn)>)\Z")
LONGEST_END, MOST_ENDS = 40, 10
READS = re.compile(r"\binput\s*\(|\binput\b\s*[,)]|\bstdin\b|\bopen\(\s*0|\bfileinput\b|\bos\.read\(\s*0")
PRINTS = re.compile(r"\bprint\b|\bstdout\b|\bos\.write\b")
FEIGNS = re.compile(r"\bStringIO\b|\bmock\b|\bmonkeypatch\b|\bunittest\b|\bsubprocess\b|\bBytesIO\b")
BLANK_LINES = re.compile(r"\A(?:[ \t\r]*+\n)++")
STATEMENT = re.compile(r"^[ \t]*+[^#\s]", re.MULTILINE)
BODY_END = re.compile(r"\n(?=[^\s#)\]}\"'])")


def code_of(response: str, tests: UnitTests) -> str | None:
    """Return the code of a response for these tests, or None if it has none.

    A response without code that the tests can use gives its last block, so that its tests fail with the reason.
    """
    response = _without_end_marks(response.removeprefix("\ufeff"))
    if found := _answered(response, tests):
        return found
    blocks = fenced_blocks(response)[-MOST_BLOCKS:]
    pieces = _pieces(blocks)
    whole = (
        [] if blocks or len(response) > MOST_CODE or _has_marks(response) else [Block(BARE, without_prose(response))]
    )
    sources = [(lambda text: whole), (lambda text: [Block(BARE, prose_code(text))]), inline_blocks]
    all_others: list[list[Piece | None]] = []
    for stubs in (False, True) if tests.names else (False,):
        if found := _of_kinds(blocks, pieces, 0, tests, stubs):
            return found
        for number, others_of in enumerate((tagged_blocks, *sources)):
            if len(all_others) == number:
                all_others.append(_pieces(others_of(response)))
            others = all_others[number]
            if found := _program([*pieces, *others], range(len(pieces), len(pieces) + len(others)), tests, stubs):
                return found
    return _completed(response, blocks, tests) or _any_code(response, blocks)


def _without_end_marks(response: str) -> str:
    """Return a response without the marks of a chat template at its end."""
    for _ in range(MOST_ENDS):
        text = response.rstrip()
        if not (mark := END.search(text, max(0, len(text) - LONGEST_END))):
            break
        response = text[: mark.start()]
    return response


def _of_kinds(
    blocks: list[Block], pieces: list[Piece | None], first: int, tests: UnitTests, stubs: bool = False
) -> str | None:
    """Return the program whose main piece is one of ``blocks``, whose pieces begin at ``first``; by kinds."""
    for kind in (PYTHON, BARE, OTHER):
        allowed = [first + n for n, block in enumerate(blocks) if block.kind is kind and pieces[first + n]]
        if found := _program(pieces, allowed, tests, stubs):
            return found
    return None


def _answered(response: str, tests: UnitTests) -> str | None:
    """Return the program whose main piece is in the last closed ``<answer>``, or None."""
    lower = response.lower()
    end = lower.rfind("</answer>")
    start = lower.rfind("<answer>", 0, max(end, 0))
    if start < 0 or len(lower) != len(response):
        return None
    before = _pieces(fenced_blocks(response[:start])[-MOST_BLOCKS:])
    inner = response[start + len("<answer>") : end]
    blocks = fenced_blocks(inner)[-MOST_BLOCKS:] or tagged_blocks(response[start : end + len("</answer>")])
    blocks = [block._replace(text=without_prose(block.text)) for block in blocks]
    return _of_kinds(blocks, [*before, *_pieces(blocks)], len(before), tests)


def _has_marks(response: str) -> bool:
    """Return whether a line of a response that may be Python is a lone word, in brackets or not: ``[DONE]``."""
    return any(
        line.strip().strip("[]").isidentifier() for line in re.findall(r"^\[?\w++\]?[ \t\r]*+$", response, re.MULTILINE)
    )


def _any_code(response: str, blocks: list[Block]) -> str | None:
    """Return the last block, complete or not: one that is labelled as Python, else one without a label."""
    for kind in (PYTHON, BARE):
        texts = [block.text for block in blocks if block.kind is kind and (kind is PYTHON or is_code(block.text))]
        if texts:
            return texts[-1]
    return response if not blocks and is_code(response) else None


def _pieces(blocks: list[Block]) -> list[Piece | None]:
    """Return blocks as pieces of a program; None for one that is not complete, and for those beyond ``MOST_CODE``."""
    found: list[Piece | None] = []
    left = MOST_CODE
    for block in reversed(blocks):
        left -= len(block.text.strip())
        found.append(_piece(block) if left >= 0 else None)
    return found[::-1]


def _piece(block: Block) -> Piece | None:
    """Return a block as a piece of a program, or None if it is incomplete or holds no code."""
    found = statements(block.text)
    if found is None and not block.closed:  # what was cut off in the middle of its last statement
        block = block._replace(text=_without_last(block.text))
        found = statements(block.text)
    if not found or (block.kind is not PYTHON and not is_code(block.text)) or not compiles(block.text):
        return None
    return Piece(block.text, found)


def _without_last(text: str) -> str:
    """Return a text without its last line that is not indented, and what follows it."""
    starts = [start.start() for start in re.finditer(r"^[^\s)\]}]", text, re.MULTILINE)]
    return text[: starts[-1]] if starts else ""


def _program(pieces: list[Piece | None], allowed: Iterable[int], tests: UnitTests, stubs: bool) -> str | None:
    """Return the program whose main piece is one of the allowed ones, or None.

    With ``stubs`` a definition without a body (``pass``) counts too.
    """
    for number in sorted(_mains(pieces, allowed, tests, stubs), reverse=True):
        return joined(pieces, number, tests)
    if tests.run["how"] != "stdio":
        return None
    for checks in ((READS, PRINTS), (PRINTS,)):
        for number in reversed(list(allowed)):
            piece = pieces[number]
            if piece is None or all(one.defines for one in piece.statements) or FEIGNS.search(piece.text):
                continue
            text = joined(pieces, number, tests)
            if all(check.search(text) for check in checks):
                return text
    return None


def _mains(pieces: list[Piece | None], allowed: Iterable[int], tests: UnitTests, stubs: bool) -> list[int]:
    """Return the numbers of the pieces that define what the tests call."""
    found = []
    function = tests.run.get("function")
    for number in allowed:
        piece = pieces[number]
        if piece is None:
            continue
        bound = set().union(*(one.binds for one in piece.statements if not is_foreign(one) and (stubs or not one.stub)))
        if function:
            method = re.compile(rf"^[ \t]+(?:async )?def {function}\b", re.MULTILINE)
            loose = re.compile(rf"^def {function}\s*\(\s*self\b", re.MULTILINE)
            fits = ("Solution" in bound and method.search(piece.text)) or (
                function in bound and not loose.search(piece.text)
            )
        else:
            fits = bool(bound & tests.names)
        if fits:
            found.append(number)
    return found


def _completed(response: str, blocks: list[Block], tests: UnitTests) -> str | None:
    """Return the data set's code with the response as its end, or None if that is no program.

    A response that gives only the body may have lost its first indentation; what follows the body is left out.
    """
    if not tests.given.strip() or tests.run["how"] == "stdio":
        return None
    head = tests.given.rstrip() + "\n"
    bodies = [block.text for block in reversed(blocks) if block.kind is not OTHER] or [response.strip("\n")]
    wanted = tests.names | {tests.run.get("function")}
    for body in bodies:
        if len(body) > LONGEST_BODY:
            continue
        body = BLANK_LINES.sub("", body)
        plain = textwrap.dedent(body)
        inner = textwrap.indent(plain, _inner_indent(head))
        first = _inner_indent(head) + body.lstrip()
        for text in (*((body,) if body[:1].isspace() else ()), inner, first):
            for end in (text, BODY_END.split(text)[0]):
                whole = head + end + "\n"
                found = statements(whole) if STATEMENT.search(end) else None
                if found and compiles(whole) and wanted & set().union(*(one.binds for one in found)):
                    return joined([Piece(whole, found)], 0, tests)
    return None


def _inner_indent(head: str) -> str:
    """Return the indentation of the body of the function whose head ends a piece of code."""
    lines = [line for line in head.splitlines() if re.match(r"[ \t]*+(?:async )?(?:def|class)\b", line)]
    last = lines[-1] if lines else ""
    return last[: len(last) - len(last.lstrip())] + "    "
