"""Twenty small problems, and their rows in the shapes of public data sets of code, for tests."""

import json
from typing import Any, NamedTuple


class Problem(NamedTuple):
    """A function's name, its parameters, a right and a wrong result, and arguments that tell them apart."""

    name: str
    parameters: str
    right: str
    wrong: str
    arguments: list[list[Any]]

    def function(self, result: str) -> str:
        """The function that returns an expression."""
        return f"def {self.name}({self.parameters}):\n    return {result}\n"

    def method(self, result: str) -> str:
        """The same as a method of ``Solution``, with annotations whose imports are left out."""
        head = ", ".join(f"{one.strip()}: Any" for one in self.parameters.split(","))
        return f"class Solution:\n    def {self.name}(self, {head}) -> Optional[Any]:\n        return {result}\n"

    def program(self, result: str) -> str:
        """The same as a program that reads its arguments as JSON, one a line, and prints the result as JSON."""
        count = len(self.parameters.split(","))
        return (
            f"import json\n{self.function(result)}\nprint(json.dumps("
            f"{self.name}(*[json.loads(input()) for _ in range({count})])))\n"
        )

    def results(self) -> list[Any]:
        """The right results."""
        names: dict[str, Any] = {}
        exec(self.function(self.right), names)  # noqa: S102 (the expressions are those below)
        return [names[self.name](*json.loads(json.dumps(one))) for one in self.arguments]


PROBLEMS = [
    Problem("plus", "a, b", "a + b", "a - b", [[1, 2], [5, 7], [-3, 4]]),
    Problem("times", "a, b", "a * b", "a + b", [[3, 4], [5, 0], [-2, 9]]),
    Problem("ratio", "a, b", "a / b", "a // b + 1", [[1, 4], [7, 2], [1, 3]]),
    Problem("largest", "xs", "max(xs)", "min(xs)", [[[1, 5, 3]], [[-1, -5]], [[2, 9, 9]]]),
    Problem("total", "xs", "sum(xs)", "len(xs)", [[[1, 5, 3]], [[-1, -5]], [[10]]]),
    Problem("flip", "s", "s[::-1]", "s", [["abc"], ["so, so"], ["12"]]),
    Problem("loud", "s", "s.upper()", "s.lower()", [["Abc"], ["so, so"], ["x y"]]),
    Problem("words", "s", "s.split()", "list(s)", [["a b"], ["one two three"], ["  x y "]]),
    Problem("ordered", "xs", "sorted(xs)", "xs[::-1] + [0]", [[[3, 1, 2]], [[5]], [[2, 2, 1]]]),
    Problem("same_back", "s", "s == s[::-1]", "s != s[::-1]", [["abba"], ["abc"], ["x"]]),
    Problem("squares", "n", "[i * i for i in range(n)]", "[i for i in range(n + 1)]", [[1], [3], [4]]),
    Problem("even", "n", "n % 2 == 0", "n % 2 == 1", [[1], [2], [0]]),
    Problem("count", "s, c", "s.count(c)", "len(s) + 1", [["banana", "a"], ["xyz", "q"], ["aa", "a"]]),
    Problem("merge", "xs, ys", "sorted(xs + ys)", "xs", [[[1, 3], [2]], [[5], [4]], [[], [1]]]),
    Problem("pairs", "xs", "list(map(list, zip(xs, xs[1:])))", "[]", [[[1, 2, 3]], [[4, 5]], [[1, 1, 1]]]),
    Problem("swap", "a, b", "(b, a)", "(a, b)", [[1, 2], [0, 5], [3, 1]]),
    Problem("mean", "xs", "sum(xs) / len(xs)", "sum(xs) + 0.5", [[[1, 2]], [[1, 2, 3.5]], [[9, 9, 8]]]),
    Problem("shared", "xs, ys", "[x for x in xs if x in ys]", "xs + ys", [[[1, 2], [2, 3]], [[1], [2]], [[4, 5], [5]]]),
    Problem("power", "a, n", "a ** n", "a * n - 1", [[2, 3], [3, 40], [5, 0]]),
    Problem("reduced", "xs", "len(set(xs))", "-1", [[[1, 1, 2]], [[]], [[3, 3]]]),
]  # fmt: skip


def asserts(problem: Problem) -> list[str]:
    """The problem's tests as asserts."""
    made = []
    for given, result in zip(problem.arguments, problem.results(), strict=True):
        made.append(f"assert {problem.name}({', '.join(map(repr, given))}) == {result!r}")
    return made


def lines(problem: Problem) -> tuple[list[str], list[str]]:
    """The problem's inputs and outputs as texts, a JSON value a line."""
    return (
        ["\n".join(map(json.dumps, given)) + "\n" for given in problem.arguments],
        [json.dumps(result) for result in problem.results()],
    )


def check(problem: Problem) -> str:
    """The problem's tests as a function ``check``."""
    body = (f"    {text.replace(f'{problem.name}(', 'candidate(', 1)}\n" for text in asserts(problem))
    return "METADATA = {}\n\n\ndef check(candidate):\n" + "".join(body)


def rows(problem: Problem) -> dict[str, tuple[dict[str, Any], str, str]]:
    """The row of each data set with a right and a wrong answer."""
    inputs, outputs = lines(problem)
    results = json.loads(json.dumps(problem.results()))
    task = "Write it."
    head = f'def {problem.name}({problem.parameters}):\n    """ Does it. """\n'
    starter = f"class Solution:\n    def {problem.name}(self, {problem.parameters}):\n        "
    program = {"inputs": inputs, "outputs": outputs}
    calls = {"fn_name": problem.name, "inputs": problem.arguments, "outputs": [[result] for result in results]}
    cases = [{"input": one, "output": other, "testtype": "stdin"} for one, other in zip(inputs, outputs, strict=True)]
    functional = [case | {"input": case["input"].strip(), "testtype": "functional"} for case in cases]
    kod = "".join(f"def test_{n}():\n    {text}\n\n" for n, text in enumerate(asserts(problem)))
    mbpp = {"test_list": asserts(problem)[:2], "test_setup_code": "", "challenge_test_list": asserts(problem)[2:]}
    shapes: dict[str, tuple[dict[str, Any], str]] = {
        "APPS": ({"question": task, "input_output": json.dumps(program), "starter_code": ""}, "program"),
        "APPS calls": ({"question": task, "input_output": json.dumps(calls), "starter_code": starter}, "method"),
        "TACO calls": ({"question": task, "input_output": json.dumps(calls), "starter_code": ""}, "function"),
        "CodeContests": (
            {
                "description": task,
                "public_tests": {"input": inputs[:1], "output": outputs[:1]},
                "private_tests": {"input": inputs[1:2], "output": outputs[1:2]},
                "generated_tests": {"input": inputs[2:], "output": outputs[2:]},
                "solutions": {"language": [3], "solution": ["x"]},
            },
            "program",
        ),
        "LiveCodeBench": (
            {"question_content": task, "public_test_cases": json.dumps(cases), "starter_code": "", "metadata": "{}"},
            "program",
        ),
        "LiveCodeBench calls": (
            {
                "question_content": task,
                "public_test_cases": json.dumps(functional),
                "starter_code": starter,
                "metadata": json.dumps({"func_name": problem.name}),
            },
            "method",
        ),
        "HumanEval": (
            {"prompt": head, "test": check(problem), "entry_point": problem.name, "canonical_solution": "    pass"},
            "function",
        ),
        "HumanEval bodies": ({"prompt": head, "test": check(problem), "entry_point": problem.name}, "body"),
        "MBPP": ({"text": task, "code": "x", **mbpp}, "function"),
        "KodCode": ({"question": task, "test": f"from solution import {problem.name}\n\n{kod}"}, "function"),
        "LeetCode": (
            {
                "query": task,
                "problem_description": task,
                "prompt": "from typing import *\nfrom heapq import *\n",
                "test": check(problem),
                "entry_point": f"Solution().{problem.name}",
            },
            "method",
        ),
    }
    return {
        shape: (row, answer(problem, problem.right, how), answer(problem, problem.wrong, how))
        for shape, (row, how) in shapes.items()
    }


def answer(problem: Problem, result: str, how: str) -> str:
    """An answer: a body alone as it is, anything else in a block."""
    if how == "body":
        return f"    return {result}\n"
    return f"So:\n\n```python\n{getattr(problem, how)(result)}```\nDone.\n"
