"""Prints what ``gristmill check`` shows: the plan of a run, its cost, and a few training rows as tokens."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

import polars as pl
from rich.text import Text

from cli.progress import Bars
from cli.references import early_rewards, show_references
from cli.sources import show_sources
from cli.tables import console, table
from cli.token_preview import MOST_ROWS, refuse_without_template, show_previews
from curate.algorithms.compiled import slow_loops
from curate.api.run import Plan, plan
from curate.models.budget import Budget
from curate.models.chat.chat import chat_for
from curate.models.clients.http.settings import base_urls
from curate.models.engine import engine_of
from curate.models.model_ref import ModelRef
from curate.models.weights import local_folder
from curate.storage.reply_log import ReplyLog
from schemas.counted import counted, the_first
from schemas.progress import StageWarning
from schemas.recipe import Recipe
from train.examples.loss_settings import LossSettings
from train.examples.prompt_examples import rendered_prompts
from train.plan import trained_model
from train.references import verifiers_of

if TYPE_CHECKING:
    from rich.console import Console

    from curate.storage.store import Store


def show_plan(recipe: Recipe, store: "Store | None", rows: int, references: int = 0) -> Plan:
    """Validate a recipe and print what is cached, what will run, what it costs, and a few tokenised rows.

    Warnings go to stderr.

    Args:
        recipe: The recipe.
        store: The store, or None if there is none yet.
        rows: How many rows of each training's dataset to show.
        references: The most prompts whose references are run through their verifiers.

    Returns:
        The plan.
    """
    wanted = references if verifiers_of(recipe) else 0
    found = plan(recipe, store, rows=MOST_ROWS if rows else 0, references=wanted, trained=trained_model)
    shown = console()
    lines = [(stage.label, "cached" if stage.cached else "to run", stage.note) for stage in found.stages]
    lines += _trainings(recipe, found)
    refuse_without_template(recipe, found)
    valid = f"{recipe.path}: a valid recipe" + _limit_note(recipe)
    shown.print(table(valid, ["stage", "state", "what"], lines))
    show_sources(found.sources)
    shown.print(f"\n{counted(found.prompts, 'prompt')}; {estimate(found)}")
    _print_models(recipe, found, shown)
    found.warnings.extend(show_references(recipe, found, shown))
    if slow_loops():
        shown.print(Text(f"\n{slow_loops()}"))
    if rows:
        found.warnings.extend(show_previews(recipe, found, shown, rows))
    bars = Bars()
    for warning in found.warnings:
        bars.warn(warning)
    return found


def _limit_note(recipe: Recipe) -> str:
    return "" if recipe.limit is None else f", with {the_first(recipe.limit, 'row')} of each source"


def _trainings(recipe: Recipe, found: Plan) -> list[tuple[str, str, str]]:
    from train.find_refusals import refusals_of
    from train.options.best_model import held_out_note
    from train.plan import check_training_sections, plan_trainings
    from train.refusals.idle_settings import idle_settings
    from train.refusals.nothing_held_out import evaluation_warning
    from train.trl_check import check_with_trl

    check_training_sections(recipe)
    if warning := evaluation_warning(recipe):
        found.warnings.append(StageWarning("evaluate", warning))
    found.warnings.extend(StageWarning("evaluate", warning) for warning in idle_settings(recipe))
    models = {name: found.state.model(name, "") for name in recipe.models}
    plans = plan_trainings(recipe, found.state.store, found.datasets, models)
    check_with_trl(recipe, [p.name for p in plans if p.stage is None], models)
    for name, looked in refusals_of(recipe, plans, found.datasets, models).items():
        found.warnings.extend(StageWarning(f"train.{name}", text) for text in looked.warnings)
    found.warnings.extend(early_rewards(recipe, found, plans))
    lines = []
    for p in plans:
        known = counted(p.rows.height, "row") if p.rows.height else "? rows"
        todo = f"{p.training.trainer}, {known}" + held_out_note(p.training, p.eval_rows)
        lines.append(
            (f"train.{p.name}", "cached" if p.stage else "to run", p.stage.manifest["result"] if p.stage else todo)
        )
    return lines


def estimate(found: Plan) -> str:
    """Return how many requests and tokens a run has left and what they may cost, as text.

    It gives the most that new tokens can be, and an estimate by the length of the replies so far. Prompt tokens
    are counted with the model's tokenizer if that is on this machine, else taken to be 4 bytes each.
    """
    if not found.model_requests:
        return "0 requests left to make, as far as the plan can tell"
    prompt = new = most = 0.0
    about_cost = most_cost = 0.0
    with ReplyLog.open_for_reading(found.state.store) as log:
        for wanted in found.model_requests:
            spent, ref = log.spent(identity=wanted.ref.identity), wanted.ref
            each = spent["completion_tokens"] / spent["replies"] if spent["replies"] else wanted.max_tokens
            sent = _count(wanted.ref, wanted.sample) or sum(len(m.encode()) for m in wanted.sample) / (
                4 * max(len(wanted.sample), 1)
            )
            budget = Budget([], ref.setting("prompt_price", 0.0), ref.setting("completion_price", 0.0))
            prompt += sent * wanted.requests
            new, most = new + each * wanted.requests, most + wanted.max_tokens * wanted.requests
            about_cost += budget.cost(sent * wanted.requests, each * wanted.requests)
            most_cost += budget.cost(sent * wanted.requests, wanted.max_tokens * wanted.requests)
    about = f" (about {new:,.0f}, estimated from its replies so far)" if new < most else ""
    text = (
        f"{counted(found.requests, 'request')} left to make: about {prompt:,.0f} prompt tokens and at most "
        f"{most:,.0f} new tokens{about}"
    )
    served = [wanted.ref for wanted in found.model_requests if engine_of(wanted.ref).remote]
    unpriced = sorted({ref.name for ref in served if not ref.priced})
    if most_cost:
        text += f"; at most ${most_cost:,.2f}" + (f", about ${about_cost:,.2f}" if about_cost < most_cost else "")
    if unpriced:
        text += f"; no price is set for {', '.join(unpriced)}"
    return text + ("" if most_cost or unpriced else "; local models cost no money")


def _count(ref: ModelRef, messages: list[str]) -> float | None:
    """Return the mean number of tokens of these conversations, or None if the tokenizer is not on this machine."""
    if not messages or engine_of(ref).remote or find_spec("tokenizers") is None:
        return None
    chat = chat_for(ref)
    if chat is None:
        return None
    rows = pl.DataFrame({"row_id": messages, "prompt": messages})
    prompts = rendered_prompts(rows, chat, LossSettings(False, False, max_length=None, keep_end=False))
    lengths = [len(chat.encode(prompt.text).ids) for prompt in prompts if prompt.text is not None]
    return sum(lengths) / len(lengths) if lengths else None


def _print_models(recipe: Recipe, found: Plan, shown: "Console") -> None:
    for name in recipe.models:
        ref = found.state.model(name, "")
        here = (
            f"at {', '.join(base_urls(dict(ref.settings)))}"
            if engine_of(ref).remote
            else "on this machine"
            if local_folder(ref)
            else (
                f"from the package {ref.package}, converted when first used"
                if ref.package
                else "to be fetched from the hub"
            )
        )
        shown.print(Text(f"model {name}: {ref.identity}, {here}"))
