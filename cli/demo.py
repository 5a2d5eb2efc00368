"""The last part of ``gristmill demo``: trains and evaluates, says what was learnt, and prints what to try next."""

import time
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from cli.options import command_line, open_store, read_recipe
from cli.tables import safe
from cli.terminal import say
from schemas.errors import UserError

NEEDED = ("numba", "torch", "transformers", "trl", "peft", "gguf")
SPLITS = ("identity", "other")  # the demo's held-out questions: on the name, and on other things
TRY = (
    "SELECT prompt, response, value AS named FROM completions JOIN scores ON row_id = completion_id "
    "JOIN prompts USING (prompt_id) WHERE scorer = 'named' ORDER BY prompt_id, value DESC LIMIT 12",
    "SELECT stage, reason, count(*) AS dropped FROM decisions WHERE NOT kept GROUP BY ALL ORDER BY dropped DESC",
    "SELECT split, prompt, model, response FROM evaluations WHERE scorer = 'named' "
    "ORDER BY split, prompt_id, model DESC LIMIT 20",
)


def refuse_without_trainers() -> None:
    """Raise ``UserError`` where the demo would stop for want of a package, with a command that has all of them."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UserError(
            f"the demo runs a small model and trains it, and {', '.join(missing)} are not installed here; with uv: "
            f"uvx --from 'gristmill[demo]' gristmill demo, or into this environment: pip install 'gristmill[demo]'"
        )


def finish_demo(recipe: Path, store: Path, overrides: list[str] | None, started: float, *, quiet: bool) -> None:
    """Train and evaluate the demo's models, say what was learnt and how long it took, and print what to try next.

    Args:
        recipe: The demo's recipe, whose datasets are built.
        store: The store.
        overrides: The recipe's changed values (``--set``).
        started: When the demo began, in seconds of ``time.monotonic``.
        quiet: Whether no progress is shown.
    """
    from cli.evaluating.show_evaluation import show_evaluation
    from cli.progress import Bars
    from train.api import evaluate, train

    loaded, opened = read_recipe(recipe, overrides), open_store(store)
    with Bars(quiet=quiet) as bars:
        bars.say(f"{_time_since(started)} so far: the datasets are built; the training begins")
        train(loaded, opened, None, bars)
        bars.say(f"{_time_since(started)} so far: the models are trained; the evaluation begins")
        result = evaluate(loaded, opened, bars)
        bars.say(f"{_time_since(started)} in all")
    show_evaluation(result)
    for line in what_was_learnt(result.answers, loaded.values.get("assistant", "")):
        say(line)
    say(f"\nThe store is {opened.path}. It keeps every answer, score and decision. Commands to try next:")
    for query in TRY:
        say(f"\n  {command_line('sql', query, store=store)}")
    say(f"\n  {command_line('show', store=store)}")


def _time_since(started: float) -> str:
    """Return the time since ``started`` (of ``time.monotonic``) in words: ``4 min 51 s``."""
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def what_was_learnt(answers: pl.DataFrame, name: object) -> list[str]:
    """Return lines that compare the first model's answers with the last one's.

    Args:
        answers: The rows of ``evaluations``, with the demo's splits and its scorer ``named``.
        name: The name that is learnt; empty if the recipe has none.

    Returns:
        How many answers give the name, and the first questions with both answers; nothing for another recipe's rows.
    """
    answers = answers.filter(pl.col("scorer") == "named", pl.col("split").is_in(SPLITS))
    if answers["split"].n_unique() < len(SPLITS) or not name:
        return []
    base, trained = answers["model"][0], answers["model"][-1]

    def given(split: str, model: str) -> str:
        values = answers.filter(pl.col("split") == split, pl.col("model") == model)["value"].drop_nulls()
        return f"{int(values.sum())} of {len(values)}"

    name = safe(str(name), 40)
    lines = [
        "",
        f"What it learnt: asked about itself, {base} gave the name {name} in {given('identity', base)} answers, "
        f"{trained} in {given('identity', trained)}.",
        "In answers to other questions the name should not appear. It does in "
        f"{given('other', base)} answers of {base} and in {given('other', trained)} of {trained}.",
        "The first held-out questions, with the answers before and after:",
    ]
    for split, count in zip(SPLITS, (2, 1), strict=True):
        questions = answers.filter(pl.col("split") == split).unique("prompt_id", maintain_order=True).head(count)
        for prompt_id, prompt in questions.select("prompt_id", "prompt").iter_rows():
            replies = answers.filter(pl.col("prompt_id") == prompt_id, pl.col("model").is_in([base, trained]))
            lines += ["", f"  {safe(prompt)}"]
            lines += [
                f"    {model}: {safe(text, 160)}" for model, text in replies.select("model", "response").iter_rows()
            ]
    return lines
