"""The references of prompts as answers to score; and which recorded ones mark no answer that could be judged."""

import polars as pl

from curate.score._reference_answers import own_answer
from curate.verifiers.math.final_answers.final_answer import marked
from schemas.answer_text import answer_of

RECORDED = ("response", "completion", "reasoning_content", "finish_reason")  # columns of a recorded answer
ANSWER = {"response": pl.String, "completion": pl.String, "reference": pl.String}
FROM_SOURCE = "recorded answer"
SHORT = 60  # characters of a line that may be an answer by itself
NO_PROGRAM = "has no Python code"  # how the scorer ``code`` says so


def reference_answers(verifier: str, rows: pl.DataFrame, reading: str = "auto") -> pl.DataFrame:
    """Return prompts with a reference each as their answer; an empty answer and a null where there is none.

    Args:
        verifier: The verifier.
        rows: Prompts with their recorded right answers, as ``curate.api.reference_rows`` returns them.
        reading: Where ``math`` looks for an answer.
    """
    columns = rows.select("response", "completion", "prompt", "ground_truth", "metadata", "tools")
    made = []
    for response, completion, prompt, truth, metadata, tools in columns.iter_rows():
        if response is not None or completion is not None:
            made.append((response, completion, FROM_SOURCE))
            continue
        own = own_answer(verifier, truth, prompt, metadata, tools, reading)
        made.append(("", None, None) if own is None else (own.text, None, own.source))
    answers = pl.DataFrame(made, schema=ANSWER, orient="row")
    recorded = pl.col("reference") == FROM_SOURCE
    nothing = [pl.lit(None, pl.Int64).alias(one) for one in ("prompt_tokens", "completion_tokens")]
    return (
        rows.drop("response", "completion")
        .hstack(answers)
        .with_columns(
            *(pl.when(recorded).then(one).alias(one) for one in ("reasoning_content", "finish_reason")), *nothing
        )
    )


def unmarked(verifier: str, scored: pl.DataFrame, reading: str = "auto") -> pl.Series:
    """Return which recorded answers do not pass, and mark no answer (``math``) or hold no program (``code``).

    Args:
        verifier: The verifier.
        scored: The columns ``reference``, ``response``, ``value`` and ``detail``.
        reading: Where ``math`` looks for an answer.
    """
    failing = (scored["reference"] == FROM_SOURCE) & ~(scored["value"] >= 1).fill_null(False)
    failing = failing.fill_null(False)
    if verifier == "code":
        return failing & scored["detail"].str.contains(NO_PROGRAM, literal=True).fill_null(False)
    if verifier == "math" and reading != "auto":
        return failing & scored["detail"].is_null()  # the answer that was found
    rows = failing.arg_true()
    if verifier != "math" or not len(rows):
        return failing & False
    answers = [answer_of(text or "")[1].strip() for text in scored["response"].gather(rows)]
    none = marked(pl.Series("answer", answers, dtype=pl.String)).is_null()
    long = pl.Series([len(answer) > SHORT or "\n" in answer for answer in answers], dtype=pl.Boolean)
    return (failing & False).scatter(rows, none & long)
