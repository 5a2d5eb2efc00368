"""Prints all that a person sees of an evaluation."""

from cli.evaluating.comparison_table import show_comparison
from train.api import EvaluationResult


def show_evaluation(result: EvaluationResult) -> None:
    """Print the tables of an evaluation."""
    show_comparison(result.comparison)
