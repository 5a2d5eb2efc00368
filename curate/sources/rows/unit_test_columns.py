"""Bring together the columns in which public data sets of code keep their unit tests: they are the ground truth.

``curate/verifiers/programs/unit_tests.py`` reads what results: a mapping of these columns.
"""

from typing import Any

from curate.sources.rows import layout_names as names

# The column of the tests, and those that belong to it. Where a row has several, the first is used (MBPP+: ``test``).
COLUMNS: dict[str, tuple[str, ...]] = {
    "test": ("entry_point",),
    "test_list": ("challenge_test_list", "test_setup_code", "test_imports"),
    "input_output": ("starter_code",),
    "public_tests": ("private_tests", "generated_tests"),
    "public_test_cases": ("private_test_cases", "starter_code"),
}
PROMPTS = ("question_content", "problem_description", "description", "text")  # beside unit tests they are the prompt
HEADS = ("def ", "class ", "import ")


def lift_unit_tests(row: dict[str, Any]) -> str | None:
    """Move the columns of unit tests to ``ground_truth``, in place, and name the prompt's column ``prompt``.

    Nothing is moved where the row has a ground truth, or where the column holds no tests. A ``prompt`` that is code
    (HumanEval's head of the function, LeetCodeDataset's imports) goes with the tests; it stays the prompt as well where
    the row has no other.

    Returns:
        The column of the tests, or None.
    """
    if COLUMNS.keys().isdisjoint(row) or row.get("ground_truth"):
        return None
    main = next((key for key, beside in COLUMNS.items() if _holds_tests(row, key, beside)), None)
    if main is None:
        return None
    tests = {main: row.pop(main)} | {key: row.pop(key) for key in COLUMNS[main] if row.get(key)}
    metadata = row.get("metadata")
    if main == "public_test_cases" and isinstance(metadata, str | dict) and "func_name" in metadata:
        tests["metadata"] = metadata
    code = row.get("prompt")
    if main == "test" and "entry_point" in tests and isinstance(code, str) and any(head in code for head in HEADS):
        tests["prompt"] = code
        if any(isinstance(row.get(key), str) and row[key].strip() for key in ("query", *PROMPTS)):
            del row["prompt"]
    row["ground_truth"] = tests
    if not any(row.get(key) for key in (*names.MESSAGES, *names.PROMPTS)):
        key = next((key for key in PROMPTS if isinstance(row.get(key), str) and row[key].strip()), None)
        if key:
            row["prompt"] = row.pop(key)
    return main


def _holds_tests(row: dict[str, Any], key: str, beside: tuple[str, ...]) -> bool:
    """Return whether a column holds unit tests, by the kind of its value."""
    value = row.get(key)
    if not value:
        return False
    if key == "test":
        return isinstance(value, str) and ("assert" in value or "unittest" in value)
    if key == "test_list":
        return isinstance(value, list | str) and "assert" in str(value[0] if isinstance(value, list) else value[:200])
    if key == "input_output":
        return isinstance(value, dict | str) and "inputs" in value and "outputs" in value
    if key == "public_tests":
        cases = [row[name] for name in (key, *beside) if isinstance(row.get(name), dict)]
        return bool(cases) and all("input" in case and "output" in case for case in cases)
    return isinstance(value, list | str)
