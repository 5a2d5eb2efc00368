"""References as a judge reads them: which of them are answers that it may be shown, and how expected calls look."""

import json

from curate.algorithms.text.written_lists import LONGEST, written_value
from curate.score._call_reading import read_tools
from curate.score._expected_calls import Expected, expected_calls
from curate.score._shown_turns import Shown, shown_response, shown_text
from curate.verifiers.programs.tests_found import UnitTests
from curate.verifiers.programs.unit_tests import read_tests

NOT_SHOWN = "not shown: a mapping or tests, which another scorer reads"


def is_for_another_scorer(truth: str) -> bool:
    """Return whether a reference is no answer: a mapping (JSON or Python's), a list of mappings, or unit tests."""
    if truth.startswith(("{", "[")):
        if len(truth) > LONGEST:
            return truth.removeprefix("[").lstrip().startswith("{")  # too long to be parsed
        value = written_value(truth)
        if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(one, dict) for one in value)):
            return True
    return "assert" in truth and isinstance(read_tests(truth), UnitTests)


def shown_reference(truth: str | None, tools: str | None) -> Shown:
    """Return a reference as a response with the same text or calls would be shown, or why it can't be.

    Args:
        truth: The reference answer, or the calls that are expected, or null.
        tools: The prompt's tools, as JSON text, or null.
    """
    truth = (truth or "").strip()
    if not truth:
        return Shown(None, "no ground_truth")
    try:
        read = read_tools(tools) if tools else None
    except ValueError:
        read = None  # no tools: no calls
    try:
        calls = expected_calls(truth, read) if read else None
    except ValueError as error:
        return Shown(None, str(error))
    if calls is None:
        return Shown(shown_text(truth))
    if not calls:
        return Shown(None, "ground_truth expects no call: there is no response to compare with")
    functions = [_function(call) for call in calls]
    if None in functions:
        return Shown(
            None, "ground_truth accepts several values of an argument: there is no one response to compare with"
        )
    turn = {"role": "assistant", "content": "", "tool_calls": [{"function": function} for function in functions]}
    return shown_response("", json.dumps([turn], ensure_ascii=False), None)


def _function(call: Expected) -> dict | None:
    """Return an expected call with its arguments, or None where it accepts several values of one."""
    arguments = call.arguments
    if call.accepted:
        if any(len(values) != 1 for values in arguments.values()):
            return None
        arguments = {key: values[0] for key, values in arguments.items()}
    return {"name": call.name, "arguments": arguments}
