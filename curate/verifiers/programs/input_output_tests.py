"""Unit tests that are inputs and outputs, of a program that reads standard input or of a function. Runs nothing."""

import base64
import binascii
import json
import pickletools
import zlib
from typing import Any

from curate.verifiers.programs.tests_found import UnitTests

LARGEST = 1 << 28  # bytes of packed tests, once they are unpacked
CALLS = ("functional", "function_call", "call", "function")  # types of a test, beside ``stdin`` and ``stdin_stdout``
# What the pickle of one text consists of.
TEXT_ONLY = frozenset(
    ("PROTO", "FRAME", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "MEMOIZE", "BINPUT", "LONG_BINPUT", "STOP")
)


def case_tests(cases: list[Any], function: Any) -> UnitTests | str:
    """Return a list of ``{"input", "output"}`` as tests; ``testtype`` or ``type`` says whether they are calls."""
    if not all(isinstance(case, dict) and {"input", "output"} <= set(case) for case in cases):
        return "no tests: expected a list of mappings with input and output"
    kinds = {str(case.get("testtype") or case.get("type") or "").lower() for case in cases}
    named = {str(name) for case in cases if (name := _function_of(case))}
    if len(named) > 1:
        return f"no tests: they call several functions: {', '.join(sorted(named))[:60]}"
    function = next(iter(named), function)
    are_calls = bool(kinds & set(CALLS)) or bool(named)
    if are_calls and not function:
        return 'no tests: calls need the function\'s name: {"fn_name": ..., "inputs": ..., "outputs": ...}'
    if are_calls and not (kinds - {""}) <= set(CALLS):
        return f"no tests: calls beside other tests: {', '.join(sorted(kinds))[:60]}"
    inputs, outputs = [case["input"] for case in cases], [case["output"] for case in cases]
    return call_or_program_tests(inputs, outputs, function if are_calls else None)


def _function_of(case: dict[str, Any]) -> Any:
    metadata = case.get("metadata")
    inner = metadata if isinstance(metadata, dict) else {}
    return case.get("fn_name") or case.get("func_name") or inner.get("func_name") or inner.get("fn_name")


def held_cases(held: dict[str, Any], keys: list[str]) -> list[Any] | str:
    """Return the cases under several keys as one list, or a text that says what can't be read.

    Under each is a list of ``{"input", "output"}`` or a mapping of two lists, also as JSON text.
    """
    cases: list[Any] = []
    for key in keys:
        part = held[key]
        if isinstance(part, str):
            part = _unpacked(part)
        if part is None:
            return f"no tests: {key} is neither JSON nor one packed text of it, and nothing else is unpickled"
        if isinstance(part, dict):
            inputs, outputs = part.get("input", part.get("inputs")), part.get("output", part.get("outputs"))
            if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
                return f"no tests: {key} has no two lists of the same length, input and output"
            part = [{"input": one, "output": other} for one, other in zip(inputs, outputs, strict=True)]
        if not isinstance(part, list):
            return f"no tests: {key} is no list of input and output"
        cases += part
    return cases or f"no tests: {', '.join(keys)} are empty"


def _unpacked(text: str) -> Any:
    """Return the value of a JSON text, which LiveCodeBench packs: pickled, compressed, in base64. None if it is none.

    Of a pickle, only one that is a single text is read, by its operation codes: no object is ever made of it.
    """
    for packed in (False, True):
        try:
            return json.loads(_packed_text(text) if packed else text)
        except (ValueError, RecursionError, zlib.error, binascii.Error, UnicodeDecodeError):
            continue
    return None


def _packed_text(text: str) -> str:
    """Return the text in a pickle in base64. Raises ``ValueError`` for anything else."""
    unzip = zlib.decompressobj()
    data = unzip.decompress(base64.b64decode(text, validate=True), LARGEST)
    if not unzip.eof:
        raise ValueError("too large, or cut off")
    if data[:1] != b"\x80":
        return data.decode()
    found: list[str] = []
    for count, (code, value, _) in enumerate(pickletools.genops(data)):
        if code.name not in TEXT_ONLY or count > 10:
            raise ValueError("a pickle that is not one text")
        if isinstance(value, str):
            found.append(value)
    if len(found) != 1:
        raise ValueError("a pickle that is not one text")
    return found[0]


def call_or_program_tests(inputs: Any, outputs: Any, function: Any, wraps: bool = False) -> UnitTests | str:
    """Return inputs and outputs as tests of a program, or of ``function`` if there is one.

    A program's input or output that is a list is its lines. A function's input is the list of its arguments, or their
    JSON texts, one per line. With ``wraps`` expected results that are all lists of one may be the items themselves, as
    in APPS and TACO.
    """
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        return "no tests: inputs and outputs are not two lists of the same length"
    if not inputs:
        return "no tests: inputs is empty"
    if function is None:
        run = {"how": "stdio", "inputs": list(map(_as_text, inputs)), "outputs": list(map(_as_text, outputs))}
        return UnitTests(run, environment=True)
    if not isinstance(function, str) or not function.isidentifier():
        return f"no tests: fn_name is not a name: {str(function)[:40]!r}"
    try:
        args = [
            [json.loads(line) for line in one.splitlines() if line.strip()] if isinstance(one, str) else one
            for one in inputs
        ]
    except (ValueError, RecursionError):
        return "no tests: the arguments in inputs are not JSON, one per line"
    if not all(isinstance(one, list) for one in args):
        return "no tests: inputs of a function are lists of arguments"
    # Results are JSON texts if the arguments are; otherwise a text is itself the expected result.
    as_json = all(isinstance(one, str) for one in inputs)
    results = list(map(_from_json, outputs)) if as_json else outputs
    run = {"how": "call", "function": function, "inputs": args, "outputs": results}
    if wraps and all(isinstance(one, list) and len(one) == 1 for one in results):
        run["wrapped"] = True
    return UnitTests(run, frozenset((function, "Solution")), environment=True)


def _as_text(given: Any) -> str:
    return "\n".join(map(str, given)) if isinstance(given, list) else given if isinstance(given, str) else str(given)


def _from_json(given: Any) -> Any:
    try:
        return json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        return given
