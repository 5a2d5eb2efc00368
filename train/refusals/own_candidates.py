"""Candidates of a run stand for a training's own answers if they are many enough, its model's, and not chosen."""

import json
import re

from schemas.recipe import Recipe, Step

PROMPTS, ANSWERS = 4, 16  # the fewest whose equal scores say something of a reward
SUMMARY = "(?:_(?:min|max|mean))?"  # of a score, in the condition of a dataset of prompts


def why_open(recipe: Recipe, name: str, reward: str, prompts: int) -> str:
    """Return why equal scores of a run's candidates do not show that a reward is constant; empty where they do.

    Args:
        recipe: The recipe.
        name: The training's name.
        reward: The reward, which has scored the candidates.
        prompts: How many of the training's prompts have scored candidates.
    """
    training = recipe.train[name]
    sampled = [step for step in recipe.completions if step.verb == "generate" and training.model in _models(step)]
    if not sampled:
        return f"no candidate was sampled from {training.model!r}"
    answers = prompts * sum(n for step in sampled if isinstance(n := step.settings.get("n", 1), int))
    if prompts < PROMPTS or answers < ANSWERS:
        return f"they are few (expected {ANSWERS} of {PROMPTS} prompts)"
    return "they were chosen by it" if _chosen(recipe, name, reward) else ""


def _models(step: Step) -> list[str]:
    """Return the models of a step, which names one, several, or several with their shares."""
    given = step.settings.get("model")
    return [given] if isinstance(given, str) else [*given] if isinstance(given, list | dict) else []


def _chosen(recipe: Recipe, name: str, reward: str) -> bool:
    """Return whether candidates or prompts are chosen by a reward, or by a score that goes with it."""
    dataset = recipe.datasets[recipe.train[name].dataset]
    scores = [step for step in recipe.completions if step.verb == "score"]
    names = _related(scores, reward)
    rules = [step for step in recipe.completions if step.verb not in ("score", "generate")]
    if any(step.verb == "select" and "by" not in step.settings for step in rules):
        return True
    asked = names | ({"pass_rate"} if dataset.by is None or dataset.by in names else set())
    texts = [_text(step.settings) for step in rules] + [_text([dataset.where, dataset.dedup, dataset.diverse])]
    return any(_mentions(text, asked) for text in texts)


def _related(scores: list[Step], reward: str) -> set[str]:
    """Return the scores that are computed from a reward or that it is computed from, those of the same step, and it."""
    uses = {step.use for step in scores if step.name == reward}
    names = {reward} | {step.name for step in scores if step.use in uses}
    while True:
        texts = {step.name: _text(step.settings) for step in scores}
        inner = " ".join(text for name, text in texts.items() if name in names)
        more = {name for name, text in texts.items() if _mentions(text, names) or _mentions(inner, {name})} - names
        if not more:
            return names
        names |= more


def _mentions(text: str, names: set[str]) -> bool:
    return any(re.search(rf"(?<!\w){re.escape(name)}{SUMMARY}(?!\w)", text) for name in names)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
