"""The model card of an exported model: that of its training, with how this copy was made and checked, and is loaded."""

import json
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from curate.export.for_others import text_for_others
from curate.models.model_ref import ModelRef
from curate.models.weight_files import BUILT_IN, base_identity
from curate.storage.store import Store
from curate.storage.training_records import CURVES
from schemas.markdown import block, code, plain
from schemas.yaml_text import yaml_text
from train.arms.of_training import comparisons_of
from train.export.published import data_now
from train.reports.card.card import END, START, card
from train.reports.card.card_facts import FACTS, folder_facts
from train.reports.card.licence import licence_of
from train.reports.card.loading import command_lines, python_lines

LOADING = re.compile(r"^## To load it\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
LIBRARIES = {"merged": "transformers", "adapter": "peft", "gguf": "gguf"}


def write_export_card(
    ref: ModelRef,
    folder: Path,
    form: str,
    notes: Sequence[str],
    *,
    classifier: bool,
    store: Store | None = None,
    published: Mapping[str, Any] | None = None,
) -> None:
    """Write ``README.md``, and the curves of the training beside it.

    Args:
        ref: The model.
        folder: The exported folder, complete but for the card.
        form: ``merged``, ``adapter`` or ``gguf``.
        notes: What was done and checked.
        classifier: Whether it is a reward model.
        store: The store of its training, or None.
        published: Where its data is, for others (``train.export.published``).
    """
    source = Path((ref.adapters or (ref.location,))[-1])
    facts, loaded = trained_facts(ref), _loading(ref, folder, form, classifier=classifier)
    text = ""
    if facts is not None:
        curves = (source / CURVES).is_file()
        shown = {key: loaded[key] for key in ("adapter", "adapters_below", "base_location", "classifier", "rank")}
        shown |= {"curves": curves, "published": published, "data": data_now(facts, store)}
        shown |= {"recipe_text": text_for_others(str(facts["recipe_text"]))}
        text = _of_training({**facts, **shown}, source / "README.md", store)
        if curves and text:
            shutil.copyfile(source / CURVES, folder / CURVES)
    if not text and (source / "README.md").is_file():
        text = (source / "README.md").read_text(encoding="utf-8", errors="replace").replace(f"]({CURVES})", "]()")
    text = text or _card(ref)
    text = re.sub(r"^library_name: \S+$", f"library_name: {LIBRARIES[form]}", text, count=1, flags=re.MULTILINE)
    how = _lines(loaded | {"name": str(facts["name"]) if facts and "name" in facts else ref.name}, folder, form)
    copy = "\n".join([f"## This copy: {form}", "", *(f"- {plain(note)}" for note in notes), ""])
    section = f"## To load it\n\n{how}\n\n"
    text = LOADING.sub(lambda _: section, text, count=1) if LOADING.search(text) else f"{text.rstrip()}\n\n{section}"
    (folder / "README.md").write_text(f"{text.rstrip()}\n\n{copy}", encoding="utf-8")


def trained_facts(ref: ModelRef) -> dict[str, Any] | None:
    """Return the facts that a training of a store keeps beside its model's folder; None of another model."""
    source = Path((ref.adapters or (ref.location,))[-1])
    try:
        facts = json.loads((source.parent / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return facts if isinstance(facts, dict) and "recipe_text" in facts else None


def _of_training(facts: Mapping[str, Any], earlier: Path, store: Store | None) -> str:
    """Return the card of a training with its comparisons and evaluations; nothing where its facts are not ours."""
    try:
        text = card(facts)
    except (KeyError, TypeError, ValueError, AttributeError):  # of a stranger's store, or an older one
        return ""
    compared = [f"- {plain(line)}" for line in comparisons_of(store, str(facts["training_id"]))] if store else []
    if compared:
        shown = "\n".join(["## Compared on several seeds", "", *compared, "", "## Limits"])
        text = text.replace("\n## Limits\n", f"\n{shown}\n", 1)
    return _with_evaluations(text, earlier)


def _loading(ref: ModelRef, folder: Path, form: str, *, classifier: bool) -> dict[str, Any]:
    """Return the facts by which a card says how the exported folder is loaded."""
    facts = folder_facts(folder, ref) | {"adapters_below": 0, "classifier": classifier}
    base = ref.location
    if form == "adapter":
        named = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["base_model_name_or_path"]
        base = "base" if (folder / "base").is_dir() else named
    return facts | {"base_location": base}


def _lines(facts: Mapping[str, Any], folder: Path, form: str) -> str:
    """Return the lines that load or serve the folder."""
    if form == "gguf":
        gguf = next(file.name for file in folder.glob("*.gguf"))
        return block(f"llama-server --model {gguf}\nollama create {shlex.quote(facts['name'])} --file Modelfile", "sh")
    commands = "\n".join(line for line in command_lines(facts).splitlines() if not line.startswith("gristmill chat"))
    return "\n\n".join([block(python_lines(facts), "python"), *([block(commands, "sh")] if commands else [])])


def _with_evaluations(text: str, earlier: Path) -> str:
    """Return a card with the evaluations that another one has, between the two lines around them."""
    if not earlier.is_file():
        return text
    _, start, rest = earlier.read_text(encoding="utf-8", errors="replace").partition(START)
    shown, end, _ = rest.partition(END)
    if not start or not end:
        return text
    before, _, rest = text.partition(START)
    return before + START + shown + END + rest.partition(END)[2]


def _card(ref: ModelRef) -> str:
    """Return the card of a model that was not trained here."""
    base = BUILT_IN[ref.location][1] if ref.package else base_identity(ref).partition("@")[0]
    licence = licence_of(ref)
    values = {"license": licence["id"], **({"base_model": base} if base.count("/") == 1 else {})}
    front = yaml_text(values | {"library_name": "transformers", "tags": ["gristmill"]}, width=1000)
    said = f"The model {code(ref.short_name)}, exported by gristmill."
    return "\n".join([f"---\n{front}---", "", f"# {plain(ref.name)}", "", said])
