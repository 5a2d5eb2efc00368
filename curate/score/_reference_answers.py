"""The answer that a verifier should accept: a prompt's own reference, written as a model would have answered.

The reference of a prompt is, in this order: a recorded answer that is known as right, a solution in its metadata (of
programs), or its ground truth itself in the form of an answer. A ground truth whose own reference does not pass rewards
no answer, or the wrong one.
"""

import ast
import json
import re
import warnings
from textwrap import dedent
from typing import Any, NamedTuple

from curate.score._accepted_answers import accepted_answers
from curate.score._call_reading import read_tools
from curate.score._expected_calls import Expected, expected_calls

VERIFIERS = ("math", "exact_match", "constraints", "code", "json_schema", "tool_call")
# Keys of a prompt's metadata that hold a program that solves it (MBPP, HumanEval, TACO, KodCode, LeetCode ...).
SOLUTIONS = (
    "canonical_solution", "reference_solution", "gold_standard_solution", "reference_code", "solution", "solutions",
    "code", "completion", "answer",
)  # fmt: skip
NESTED = ("extra_info", "reward_model", "info")  # mappings in which public sets keep further keys
# A text that marks its answer by itself, as a worked solution does.
MARKED = re.compile(r"\\(?:boxed|fbox)\b|####|\banswer\s*(?:is\b|:)", re.IGNORECASE)
ENTRY = re.compile(r"^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)", re.MULTILINE)
# A line that no prose has: it tells a broken program, and one of Python 2, from words about it.
CODE_LINE = re.compile(
    r"^[ \t]*(?:(?:async[ \t]+)?def[ \t]+\w+[ \t]*\(|class[ \t]+\w+[^\n]*:[ \t]*$"
    r"|(?:for|while|if|elif|else|try|with)\b[^\n]*:[ \t]*$"
    r"|import[ \t]+[\w.]+[ \t]*$|from[ \t]+[\w.]+[ \t]+import\b(?![^\n]*;)|print[ \t(\"']|return\b[^\n]*[()\[\]+*])",
    re.MULTILINE,
)
TRIED = 20  # of several solutions, how many are looked at for one that is Python 3
ITSELF = "ground_truth"


class Reference(NamedTuple):
    """A reference as an answer: its text, and where it is from, such as ``metadata.code``."""

    text: str
    source: str


def own_answer(
    verifier: str,
    truth: str | None,
    prompt: str | None,
    metadata: str | None,
    tools: str | None = None,
    reading: str = "auto",
) -> Reference | None:
    """Return a prompt's reference for a verifier, where no answer is recorded as right; None where there is none.

    Args:
        verifier: One of ``VERIFIERS``.
        truth: The prompt's ground truth.
        prompt: The text of the prompt's last user turn.
        metadata: The prompt's metadata, as JSON text.
        tools: The prompt's tools, as JSON text.
        reading: Where ``math`` looks for an answer (``curate/score/math.py``).
    """
    if verifier == "code":
        return _program(prompt or "", metadata)
    if truth is None or not truth.strip():
        return None
    if verifier == "math":
        if reading == "strict":
            return Reference(truth if "####" in truth else f"#### {truth.strip()}", ITSELF)
        if reading == "flexible":  # the last number of a response
            return Reference(truth, ITSELF)
        return Reference(truth if MARKED.search(truth) else f"\\boxed{{{truth.strip()}}}", ITSELF)
    if verifier == "exact_match":
        accepted = accepted_answers(truth)
        return Reference(accepted.answers[0] if accepted and accepted.answers and not accepted.wrong else truth, ITSELF)
    return _calls(truth, tools) if verifier == "tool_call" else None


def _program(prompt: str, metadata: str | None) -> Reference | None:
    """Return the first solution in the metadata as a block of Python, below the prompt's code if it is its body."""
    held = _json(metadata)
    if not isinstance(held, dict):
        return None
    for where, values in (("", held), *((f"{key}.", held.get(key)) for key in NESTED)):
        for key in SOLUTIONS if isinstance(values, dict) else ():
            text = _solution(values.get(key))
            if text is not None and _is_program(text):
                return Reference(f"```python\n{_whole(prompt, text)}\n```", f"metadata.{where}{key}")
    return None


def _solution(value: Any) -> str | None:
    """Return the first program of a text, a list of texts (perhaps as JSON text), or CodeContests' mapping."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        held = _json(value)
        value = value if held is None else held
    if isinstance(value, dict):  # {"language": [3, 2], "solution": ["...", "..."]}, where 3 is Python 3
        programs, languages = value.get("solution"), value.get("language")
        if isinstance(programs, list) and isinstance(languages, list):
            named = zip(languages, programs, strict=False)
            value = [text for language, text in named if language == 3 or str(language).upper() == "PYTHON3"]
        else:
            value = programs
    if isinstance(value, list):
        texts = [one for one in value if isinstance(one, str) and one.strip()][:TRIED]
        value = next((one for one in texts if _parsed(one)), next(iter(texts), None))
    if not isinstance(value, str) or not value.strip():
        return None
    fenced = re.search(r"```(?:python|py)?[ \t]*\n(.*?)\n[ \t]*```", value, re.DOTALL)
    return fenced[1] if fenced else value


def _is_program(text: str) -> bool:
    """Return whether a text is Python: it does something, or if it cannot be parsed, has a line of code."""
    tree = _parsed(text)
    if tree is None:
        return bool(CODE_LINE.search(text))
    plain = (ast.Name, ast.Constant, ast.Attribute, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Tuple, ast.List)
    return any(
        not (isinstance(one, ast.Expr) and isinstance(one.value, plain))
        and not (isinstance(one, ast.AnnAssign) and one.value is None)
        for one in tree.body
    )


def _parsed(text: str) -> ast.Module | None:
    """Return a program's syntax tree, of a function's body too; None where it cannot be parsed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes such as "\d" in it
            return ast.parse(dedent(text.strip("\n")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _whole(prompt: str, program: str) -> str:
    """Return a program; one that is the body of the prompt's last function (HumanEval) has the prompt before it."""
    names = ENTRY.findall(prompt)
    first = next((line for line in program.splitlines() if line.strip()), "")
    is_body = names and first[:1] in (" ", "\t") and names[-1] not in ENTRY.findall(program)
    return f"{prompt.rstrip()}\n{program}" if is_body else program


def _calls(truth: str, tools: str | None) -> Reference | None:
    """Return the expected calls as text with ``<tool_call>`` tags; None where the ground truth has none to read."""
    try:
        expected = None if tools is None else expected_calls(truth, read_tools(tools))
    except (ValueError, RecursionError):  # the verifier says why
        return None
    if expected is None:
        return None
    calls = [{"name": call.name, "arguments": _arguments(call)} for call in expected]
    text = "\n".join(f"<tool_call>\n{json.dumps(call, ensure_ascii=False)}\n</tool_call>" for call in calls)
    return Reference(text or "No call is needed.", ITSELF)


def _arguments(call: Expected) -> dict[str, Any]:
    """Return the arguments of an expected call; of accepted values the first, and none where "" stands for none."""
    if not call.accepted:
        return call.arguments
    first = {key: next((one for one in values if one != ""), None) for key, values in call.arguments.items()}
    return {key: value for key, value in first.items() if value is not None}


def _json(text: str | None) -> Any:
    """Return a text's value as JSON, or None."""
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return None
