"""The model card of a trained model: base, licence, rows, recipe, curves, figures, and the lines that load it.

``card`` prints a record (``train.reports.card.card_facts``), so that an evaluation or an export prints it again.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from curate.storage.training_records import CURVES
from schemas.counted import counted
from schemas.markdown import block, code, plain, table
from schemas.yaml_text import yaml_text
from train.evaluating.comparison_words import CELLS, cells_of, notes_on
from train.reports.card.damage import damage_lines, training_warnings
from train.reports.card.data_lines import data_lines, limits_lines
from train.reports.card.evaluation_details import detail_lines
from train.reports.card.licence import UNKNOWN
from train.reports.card.loading import command_lines, python_lines
from train.reports.card.recipe_text import shortened

START, END = "<!-- gristmill: evaluations -->", "<!-- gristmill: end of the evaluations -->"
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
TIMES = ("_runtime", "_per_second", "step_time")  # of the machine, not of the model
FIRST = ("reward", "loss", "eval_reward", "eval_loss", "rewards/margins", "rewards/accuracies", "mean_token_accuracy")


def card(facts: Mapping[str, Any], evaluations: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return a model card as the text of its ``README.md``.

    Args:
        facts: The facts, as ``train.reports.card.card_facts.card_facts`` returns them. An export changes those that
            differ in its folder: ``adapter``, ``adapters_below``, ``base_location``, ``curves``.
        evaluations: The evaluations of the model (``train.reports.card.evaluated.evaluations_of``), the newest first.
    """
    sections = [
        ("", _head(facts)),
        ("", _evaluations(evaluations)),  # before all that has text of users, as ``with_evaluations`` looks for it
        ("Base and licence", _base(facts)),
        ("Rows", _rows(facts)),
        ("Recipe", _recipe(facts)),
        ("Figures of the training", _figures(facts)),
        ("Limits", limits_lines()),
        ("To load it", _loading(facts)),
        ("Versions", [", ".join(f"{name} {plain(version)}" for name, version in facts["versions"].items())]),
    ]
    parts = [_front(facts), f"# {plain(facts['recipe'])}: {plain(facts['name'])}", ""]
    for title, lines in sections:
        if lines:
            parts += [*([f"## {title}", ""] if title else []), *lines, ""]
    return "\n".join(parts)


def with_evaluations(text: str, evaluations: Sequence[Mapping[str, Any]]) -> str:
    """Return a card with these evaluations in place of those that it has; all else stays, as others may have edited it.

    A card without the two lines around its evaluations is returned as it is.
    """
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        return text
    return before + "\n".join(_evaluations(evaluations)) + after


def _front(facts: Mapping[str, Any]) -> str:
    """Return the YAML at the head, which the hub reads."""
    hub, licence = facts["base_hub"], facts["licence"]
    of_one = facts["adapter"] and not facts["adapters_below"] and hub == facts["base_location"]
    values: dict[str, Any] = {"license": licence["id"]}
    values |= {f"license_{key}": licence[key] for key in ("name", "link") if key in licence}
    if hub:
        values |= {"base_model": hub, "base_model_relation": "adapter" if of_one else "finetune"}
    values["library_name"] = "peft" if facts["adapter"] else "transformers"
    values["pipeline_tag"] = "text-classification" if facts["classifier"] else "text-generation"
    values["tags"] = [
        "gristmill",
        "trl",
        facts["trainer"],
        *(["lora"] if facts["settings"].get("lora") is not None else []),
    ]
    named = [*facts["hub_datasets"], (facts.get("published") or {}).get("address") or ""]
    datasets = list(dict.fromkeys(name for name in named if HUB_NAME.fullmatch(name)))
    values |= {"datasets": datasets} if datasets else {}
    return f"---\n{yaml_text(values, width=1000)}---\n"


def _head(facts: Mapping[str, Any]) -> list[str]:
    kind = "A LoRA adapter" if facts["adapter"] else "A reward model" if facts["classifier"] else "A language model"
    kind += " of a reward model" if facts["adapter"] and facts["classifier"] else ""
    picture = ["", f"![Curves of the training]({CURVES})"] if facts["curves"] else []
    warned = training_warnings(facts.get("damage") or [])
    return [
        f"{kind}, trained by gristmill with {_trainer(facts['trainer'])}: {counted(facts['steps'], 'step')}, in "
        f"{facts['seconds']:,.0f} s.",
        *picture,
        *(["", *warned] if warned else []),
    ]


def _trainer(name: str) -> str:
    """Return what a trainer is: TRL's, or a class of the user's own."""
    own = "." in name and not name.startswith("trl.")
    return f"the trainer {code(name)}, which is none of TRL's" if own else f"TRL's {code(name)} trainer"


def _base(facts: Mapping[str, Any]) -> list[str]:
    hub, licence = facts["base_hub"], facts["licence"]
    linked = f"[{plain(hub)}](https://huggingface.co/{hub})" if hub and HUB_NAME.fullmatch(hub) else ""
    name = facts["base"].split(">")[0]
    lines = [f"- base: {linked or code(name)}" + (f" ({code(name)})" if linked else "")]
    if facts["built_in"]:
        lines.append(
            f"- its weights are those of the package {code(facts['built_in'])}, which are quantised and rounded"
        )
    lines += [f"- then trained: {plain(title)} ({code(id)})" for title, id in facts["chain"]]
    lines.append(f"- then trained: this model ({code(facts['training_id'])})" if facts["chain"] else "")
    lines += [f"- {role} model: {plain(model)}" for role, model in facts.get("compared", {}).items()]
    lines += [f"- its LoRA adapter is merged: {plain(facts['merged'])}"] if facts.get("merged") else []
    if licence["id"] == UNKNOWN:
        lines.append(
            f"- licence: **not known here**: {plain(licence['source'])}. Before you pass this model on, write it at "
            f"the head of this file (`license:`), and keep to it"
        )
    else:
        named = f", {plain(licence['name'])}" if "name" in licence else ""
        lines.append(f"- licence of the base: {code(licence['id'])}{named} (by {plain(licence['source'])})")
    whole, trained = facts.get("parameters") or (None, None)
    lines.append(f"- parameters: {whole:,}, of which {trained:,} were trained" if whole and trained else "")
    lines += [] if facts["chain"] else [f"- training_id: {code(facts['training_id'])}"]
    return [line for line in lines if line]


def _rows(facts: Mapping[str, Any]) -> list[str]:
    lines = [
        f"- dataset: {plain(facts['dataset'])} of the recipe {plain(facts['recipe'])}, {counted(facts['rows'], 'row')}"
    ]
    if len(facts["splits"]) > 1:
        lines.append("- splits: " + ", ".join(f"{plain(name)} {count:,}" for name, count in facts["splits"].items()))
    if facts["sources"]:
        sources = ", ".join(f"{code(source)} {count:,}" for source, count in facts["sources"])
        lines.append(f"- rows of all splits by source: {sources}")
    lines += data_lines(facts)
    lines += [f"- learnt: {plain(facts['learnt'])}"] if facts["learnt"] else []
    left_out = {fate: count for fate, count in facts["fates"].items() if fate != "trained"}
    lines.append(f"- trained on: {facts['fates'].get('trained', 0):,}")
    return lines + [f"- left out: {count:,}, {plain(fate)}" for fate, count in left_out.items()]


def _recipe(facts: Mapping[str, Any]) -> list[str]:
    return [block(shortened(facts["recipe_text"]), "yaml")]


def _evaluations(evaluations: Sequence[Mapping[str, Any]]) -> list[str]:
    shown = ["## Evaluation", "", *(line for one in evaluations for line in _evaluation(one))] if evaluations else []
    return [START, *shown, END]


def _evaluation(evaluation: Mapping[str, Any]) -> list[str]:
    """Return the table of an evaluation: this model against the first one, on held-out rows."""
    rows = []
    for row in evaluation["rows"]:
        figures = cells_of(row) | {"mean": _number(row["mean"])}
        names = (code(row[key], cell=True) for key in ("split", "scorer", "model"))
        rows.append([*names, f"{row['n']:,}", f"{row['nulls']:,}", *(plain(figures[key]) for key in CELLS)])
    first = plain(evaluation["rows"][0]["model"])
    change = f"change to {first} (95% interval)"
    head = ["split", "scorer", "model", "answers", "failed", "mean", change, "p", "seen from"]
    title = f"On {plain(evaluation['dataset'])}, {evaluation['made_at']} UTC ({code(evaluation['stage_id'])}):"
    notes = [line for note in notes_on(evaluation["rows"]) for line in (plain(note), "")]
    damage = damage_lines(evaluation["damage"]) if "damage" in evaluation else []
    return [title, "", *table(head, rows), "", *notes, *damage, *detail_lines(evaluation)]


def _figures(facts: Mapping[str, Any]) -> list[str]:
    shown = (name for name in facts["figures"] if not name.endswith(TIMES))
    names = sorted(shown, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))
    rows = []
    for name in names:
        figure = facts["figures"][name]
        ends = (_number(figure.get(key)) for key in ("first", "last", "lowest", "highest"))
        rows.append([code(name, cell=True), *ends])
    kept = [f"Kept: {plain(facts['best'])}.", ""] if facts["best"] else []
    return [*kept, *table(["figure", "first", "last", "lowest", "highest"], rows)] if rows else kept


def _loading(facts: Mapping[str, Any]) -> list[str]:
    commands = command_lines(facts)
    return [block(python_lines(facts), "python"), *(["", block(commands, "sh")] if commands else [])]


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else plain(str(value))
