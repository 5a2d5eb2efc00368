"""Prints the rounds of a recipe: a row for each, and what to do with the best one's model."""

from pathlib import Path

from cli.options import command_line
from cli.tables import console, table
from cli.terminal import say
from schemas.check_rounds import round_scorer, round_split, round_training
from schemas.errors import printable
from train.rounds.state import RoundsState
from train.rounds.words import model_title, rounds_table


def show_rounds(state: RoundsState) -> None:
    """Print a row for the start model and for each round, with the held-out score that they are compared by."""
    recipe, rows = state.recipe, []
    for row in rounds_table(state).iter_rows(named=True):
        score = "-" if row["score"] is None else f"{row['score']:.3f}"
        texts = [row[name] or "" for name in ("recipe", "answers_of", "base", "training_id")]
        rows.append((row["round"], *texts, row["rows"], score, "best" if row["best"] and state.scores else ""))
    by = f"{round_scorer(recipe)} on {round_split(recipe)}" if state.scores else "score"
    columns = ["round", "recorded as", "learns answers of", "starts from", "training", "rows", by, ""]
    console().print(table(f"\nRounds of train.{round_training(recipe)}", columns, rows))


def show_best(state: RoundsState, store: Path) -> None:
    """Print the best round's model, and commands that use it."""
    best = state.chosen
    training = round_training(state.recipe)
    title = model_title(state, best.number)
    highest = "" if state.best else ", the best of the rounds"
    say(printable(f"{title}{highest}: {best.stage(training).folder('model')}"))
    why = command_line("why", title, store=store)
    say(f"next: {command_line('export-model', title, 'FOLDER', store=store)}   or: {why}")
