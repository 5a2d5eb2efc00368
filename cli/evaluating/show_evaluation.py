"""Prints all that a person sees of an evaluation."""

from cli.evaluating.behaviour_table import show_behaviour, show_warnings
from cli.evaluating.benchmark_table import show_benchmarks
from cli.evaluating.changed_examples import show_examples
from cli.evaluating.comparison_table import show_comparison
from cli.evaluating.further_tables import show_tables
from cli.evaluating.retention_table import show_retention
from train.api import EvaluationResult
from train.evaluating.further_tables import further_tables


def show_evaluation(result: EvaluationResult, examples: int = 1) -> None:
    """Print the tables of an evaluation, and so many examples of each split, model and direction of change."""
    show_comparison(result.comparison)
    damage = result.stage.manifest.get("damage", {})
    show_behaviour(result.behaviour, damage.get("start"))
    show_retention(result.retention, damage)
    show_warnings(result.warnings)
    show_tables(further_tables(result.stage))
    show_examples(result.examples(examples))
    if result.benchmark_stages:
        show_benchmarks(result.benchmarks)
