"""Join the pieces of a response's code that belong together to one program. Runs nothing.

The main piece is taken whole. Of the others:

- what it needs stands before it: the statements that bind a name it uses and does not bind itself, or reads before it
  binds it (``add = cache(add)``), and those that change such an object in place;
- what later pieces change of it stands behind it, for tests that call it: definitions of its helpers anew
  (``def helper``), and items or attributes of its objects (``Calc.add = add``). A piece that also acts (asserts,
  prints, calls) is an example and changes nothing.
"""

import builtins
import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from curate.verifiers.programs.early_reads import early_reads
from curate.verifiers.programs.known_imports import known_import
from curate.verifiers.programs.statements import Statement, statements
from curate.verifiers.programs.tests_found import UnitTests

FUTURE = re.compile(r"^from __future__ import [^\n]*+\n?", re.MULTILINE)
IMPORTED = re.compile(r"\s*+from[ \t]+(\w*+)[\w.]*+[ \t]+import\b")
IMPORT = re.compile(r"\s*+(?:import|from)\b")
BUILTIN = frozenset(dir(builtins)) - {"input", "print"}  # programs give these two another meaning to be quick
MOST_REBOUND = 20  # earlier pieces of whose names the main one binds some anew


class Piece(NamedTuple):
    """A complete block: its text and its statements, none of them empty."""

    text: str
    statements: list[Statement]


class _Places:
    """Where names are bound and changed: of each name, the places in each source, found once."""

    def __init__(self, sources: list[Piece]) -> None:
        self.sources = sources
        self.binding: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        self.changing: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        for source, piece in enumerate(sources):
            for place, one in enumerate(piece.statements):
                if not one.serves:
                    continue
                for name in () if is_foreign(one) else one.binds:
                    self.binding[name][source].append(place)
                for name in one.changes:
                    self.changing[name][source].append(place)

    def of(self, name: str, order: list[int], earlier: int) -> set[tuple[int, int]]:
        """Return the places of the statements that give a name its value: of the first source in ``order`` with any.

        Statements that change the object follow in that source, and in those between it and the main piece.
        """
        binding, changing = self.binding.get(name, {}), self.changing.get(name, {})
        source = next((one for one in order if one in binding), None)
        if source is None:
            return set()
        fit = {(source, place) for place in binding[source]}
        if all(IMPORT.match(self.sources[source].statements[place].text) for place in binding[source]):
            return fit
        behind = range(source, earlier + 1) if 0 < source <= earlier else (source,)
        return fit | {(other, place) for other in behind for place in changing.get(other, ())}

    def uses(self, chosen: Iterable[tuple[int, int]]) -> set[str]:
        """Return the names that the statements at some places use."""
        return set().union(*(self.sources[source].statements[place].uses for source, place in chosen))


def joined(pieces: list[Piece | None], main: int, tests: UnitTests) -> str:
    """Return the main piece with what it needs of the others, of the data set's code and of known imports."""
    whole = _with_rebound(pieces, main)
    if whole is None:
        return ""
    given = Piece(tests.given, _given_statements(tests.given))
    earlier = [piece for piece in pieces[:main] if piece]
    later = [piece for piece in pieces[main + 1 :] if piece]
    behind = [] if tests.run["how"] == "stdio" else _changes_behind(whole, later, tests)
    places = _Places([given, *earlier, *later])
    order = [*range(len(earlier), 0, -1), *range(len(earlier) + 1, len(places.sources)), 0]
    seen = set().union(*(one.binds for one in (*whole.statements, *behind)))
    used = set().union(*(one.uses for one in (*whole.statements, *behind)))
    taken = {
        (source, place)
        for source in range(1, len(earlier) + 1)
        for place, one in enumerate(places.sources[source].statements)
        if one.sets
    }
    imports: list[str] = []
    waiting = sorted(used | tests.names | places.uses(taken))
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        chosen = places.of(name, order, len(earlier)) if name not in BUILTIN else set()
        more = places.uses(chosen - taken)
        used |= more
        waiting += more
        taken |= chosen
        if not chosen and name in used and name not in BUILTIN and (line := known_import(name, tests.environment)):
            imports.append(line)
    parts = [f"{line}\n" for line in sorted(imports)]
    parts += [places.sources[source].statements[place].text for source, place in sorted(taken)]
    if not parts and not behind:
        return whole.text
    end = "" if whole.text.endswith("\n") or not behind else "\n"
    return _future_first("".join([*parts, whole.text, end, *(one.text for one in behind)]))


def is_foreign(statement: Statement) -> bool:
    """Return whether a statement imports names from a module that is not the standard library's: the response's own."""
    module = IMPORTED.match(statement.text)
    return module is not None and module[1] not in sys.stdlib_module_names


def _with_rebound(pieces: list[Piece | None], main: int) -> Piece | None:
    """Return the main piece behind the statements of earlier ones whose names it reads before it binds them anew."""
    whole = pieces[main]
    before = [piece for piece in pieces[:main] if piece]
    if whole is None or not before:
        return whole
    left = MOST_REBOUND
    needed = _rebound(whole)
    for piece in reversed(before):
        if not needed or not left:
            break
        fit: list[Statement] = []
        names = set(needed)
        for one in reversed(piece.statements):
            if one.serves and not is_foreign(one) and (one.binds | one.changes) & names:
                fit.append(one)
                names |= one.uses
        if fit:
            fit.reverse()
            whole = Piece("".join([*(one.text for one in fit), whole.text]), [*fit, *whole.statements])
            needed, left = _rebound(whole), left - 1
    return whole


def _rebound(piece: Piece) -> set[str]:
    """Return the names that a piece binds, but reads before."""
    bound = set().union(*(one.binds for one in piece.statements))
    return early_reads(piece.text) & bound - BUILTIN


def _changes_behind(whole: Piece, later: list[Piece], tests: UnitTests) -> list[Statement]:
    """Return the statements of later pieces that change what the main one defines, with what they need beside it."""
    own = set().union(*(one.binds for one in whole.statements if not IMPORT.match(one.text)))
    found: list[Statement] = []
    for piece in later:
        bound = set().union(*(one.binds for one in piece.statements))
        if bound & tests.names or not all(one.serves for one in piece.statements):
            continue
        taken: list[Statement] = []
        needed: set[str] = set()
        for one in reversed(piece.statements):
            changes = one.changes & own or (one.defines and one.binds & own - tests.names)
            if changes or one.binds & needed:
                taken.append(one)
                needed |= one.uses
        found += reversed(taken)
    return found


def _given_statements(given: str) -> list[Statement]:
    """Return the statements of the data set's code, which may end with the head of a function."""
    if not given:
        return []
    return statements(given) or statements(f"{given.rstrip()}\n        pass\n") or []


def _future_first(text: str) -> str:
    """Return a program with its imports from ``__future__`` in front, where Python wants them."""
    lines = list(dict.fromkeys(line.strip() for line in FUTURE.findall(text)))
    return "".join(f"{line}\n" for line in lines) + FUTURE.sub("", text) if lines else text
