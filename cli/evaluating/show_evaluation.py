"""Prints all that a person sees of an evaluation."""

from cli.evaluating.behaviour_table import show_behaviour, show_warnings
from cli.evaluating.comparison_table import show_comparison
from cli.evaluating.retention_table import show_retention
from train.api import EvaluationResult


def show_evaluation(result: EvaluationResult) -> None:
    """Print the tables of an evaluation."""
    show_comparison(result.comparison)
    show_behaviour(result.behaviour)
    show_retention(result.retention, result.stage.manifest.get("damage", {}))
    show_warnings(result.warnings)
