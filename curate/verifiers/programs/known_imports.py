"""Imports that a program may leave out: annotations of ``typing``, and what public evaluators import ahead."""

import typing

TYPING = frozenset(name for name in typing.__all__ if name[0].isupper())
# Modules, and names of modules, that the evaluators of APPS and LiveCodeBench (and LeetCode's own) import before a
# program, as far as they are in the standard library.
MODULES = (
    "bisect", "collections", "copy", "datetime", "fractions", "functools", "heapq", "io", "itertools", "json", "math",
    "operator", "random", "re", "statistics", "string", "sys", "time", "typing",
)  # fmt: skip
NAMES = {
    "bisect": ("bisect", "bisect_left", "bisect_right", "insort", "insort_left", "insort_right"),
    "collections": ("ChainMap", "Counter", "OrderedDict", "defaultdict", "deque", "namedtuple"),
    "copy": ("deepcopy",),
    "fractions": ("Fraction",),
    "functools": ("cache", "cmp_to_key", "lru_cache", "partial", "reduce"),
    "heapq": ("heapify", "heappop", "heappush", "heappushpop", "heapreplace", "merge", "nlargest", "nsmallest"),
    "itertools": (
        "accumulate", "chain", "combinations", "combinations_with_replacement", "count", "cycle", "groupby", "islice",
        "pairwise", "permutations", "product", "repeat", "starmap", "takewhile", "zip_longest",
    ),
    "math": (
        "ceil", "comb", "cos", "e", "exp", "fabs", "factorial", "floor", "gcd", "hypot", "inf", "isqrt", "lcm", "log",
        "log10", "log2", "pi", "prod", "sin", "sqrt", "tan",
    ),
    "operator": ("itemgetter", "mul", "xor"),
    "string": ("ascii_letters", "ascii_lowercase", "ascii_uppercase", "digits"),
    "sys": ("maxsize", "setrecursionlimit", "stdin", "stdout"),
}  # fmt: skip
IMPORTS = {module: f"import {module}" for module in MODULES if module != "bisect"} | {
    name: f"from {module} import {name}" for module, names in NAMES.items() for name in names
}


def known_import(name: str, environment: bool) -> str | None:
    """Return the import of a name that a program uses and defines nowhere, or None.

    Args:
        name: The name.
        environment: Whether the tests are of a kind whose evaluators import common names ahead.
    """
    if name in TYPING:
        return f"from typing import {name}"
    return IMPORTS.get(name) if environment else None
