"""The card of a data set: what it is, where it is from, how it was made, what was refused, and its checksums."""

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

from curate.export.about import About
from curate.export.card.card_head import card_head
from curate.export.card.recipe_yaml import recipe_yaml
from curate.export.facts import Found, funnel
from curate.export.written import checksums
from curate.storage.dataset_rows import dataset_batches
from curate.storage.store import Store
from schemas.counted import counted
from schemas.markdown import block, code, plain, table
from schemas.version import VERSION

WHAT = {
    "sft": "prompts with the answer to learn",
    "preference": "prompts with a chosen and a rejected answer",
    "unpaired": "prompts with an answer that is good or bad (`label`)",
    "prompt": "prompts to answer, for online RL",
}
SHOWN, LONGEST, FILES = 1_500, 200, 60  # characters of the sample, of a value in it; files that are listed
PACKAGES = ("polars", "duckdb", "pyarrow")


def data_card(store: Store, found: Found, about: About, format: ModuleType, folder: Path, refused: int) -> str:
    """Return the card as the text of its ``README.md``.

    Args:
        store: The store.
        found: The dataset.
        about: The export.
        format: The module of its format.
        folder: Where its files are now, complete but for the card.
        refused: How many refused rows are beside it.
    """
    sections = [
        ("", _what(found, about)),
        ("To load it", [block(format.train(about), "sh")]),
        ("Sources and licences", _sources(found)),
        ("What became of the rows", _funnel(store, found)),
        ("What was refused", _refused(found, refused)),
        ("A row", [block(_sample(store, found), "json")]),
        ("Recipe", [block(recipe_yaml(found.resolved, found.name), "yaml")]),
        ("Files", _files(folder)),
        ("Made with", _made(found)),
    ]
    parts = [card_head(found, about, refused), f"# {plain(found.recipe)}: {plain(found.name)}", ""]
    for title, lines in sections:
        parts += [*([f"## {title}", ""] if title else []), *lines, ""]
    return "\n".join(parts)


def _what(found: Found, about: About) -> list[str]:
    rows = ", ".join(f"{count:,} {plain(split)}" for split, count in about.splits.items())
    said = (
        f"{counted(about.rows, 'row')} ({rows}): {WHAT[found.kind]}. Written by gristmill in the format {about.format}."
    )
    lost = [f"- {counted(count, 'row is', 'rows are')} without {plain(what)}" for what, count in about.lost.items()]
    left = [f"- {counted(count, 'row is', 'rows are')} left out: {plain(why)}" for why, count in about.left_out.items()]
    notes = [f"- {plain(note)}" for note in about.notes]
    return [said, *(["", *lost, *left, *notes] if lost or left or notes else [])]


def _sources(found: Found) -> list[str]:
    if not found.sources:
        return ["The recipe's prompts are not of a source."]
    rows = [(code(source.name, cell=True), plain(source.licence)) for source in found.sources]
    models = [
        f"{code(str(name))} ({code(str(one.get('model')))})"
        for name, one in (found.resolved.get("models") or {}).items()
        if isinstance(one, dict)
    ]
    said = ["", f"Models that the recipe names: {', '.join(models)}; their licences may bind what they wrote."]
    return [*table(("source", "licence"), rows), *(said if models else [])]


def _funnel(store: Store, found: Found) -> list[str]:
    rows = [
        (
            code(stage, cell=True),
            *(("" if n is None else f"{n:,}") for n in (rows_in, kept, dropped)),
            plain(reason or ""),
        )
        for stage, reason, rows_in, kept, dropped in funnel(store, found)
    ]
    return table(("stage", "rows in", "kept", "dropped", "reason"), rows)


def _refused(found: Found, refused: int) -> list[str]:
    if refused:
        return [
            f"{counted(refused, 'row was', 'rows were')} dropped on the way. The configuration `refused` has each "
            f"with its stage and its reason (`load_dataset(..., 'refused')`)."
        ]
    return ["The table above says what was dropped; the rows themselves are not here."]


def _sample(store: Store, found: Found) -> str:
    """Return the first row, with long texts cut."""
    frame = next(dataset_batches(store, found.recipe, found.table, found.stage))
    one = {
        name: json.loads(value) if name in ("prompt", "completion", "chosen", "rejected") else value
        for name, value in frame.row(0, named=True).items()
        if value is not None and name not in ("dataset", "tools", "metadata")
    }
    text = json.dumps(_cut(one), ensure_ascii=False, indent=1)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}\n..."


def _cut(value: object) -> object:
    if isinstance(value, dict):
        return {key: _cut(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_cut(one) for one in value]
    return f"{value[:LONGEST]}..." if isinstance(value, str) and len(value) > LONGEST else value


def _files(folder: Path) -> list[str]:
    found = checksums(folder)
    rows = [
        (code(name, cell=True), f"{one['bytes']:,}", code(str(one["sha256"])))
        for name, one in list(found.items())[:FILES]
    ]
    more = [f"\n{len(found) - FILES:,} more are in `.gristmill.json`."] if len(found) > FILES else []
    return [*table(("file", "bytes", "SHA-256"), rows), *more]


def _made(found: Found) -> list[str]:
    run = found.run
    versions = [f"gristmill {VERSION}", f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return [
        f"Rows by gristmill {plain(str(run.get('version') or '?'))}, run {code(run['run_id'])} "
        f"({plain(str(run.get('started_at') or '?')[:10])}); this folder by {', '.join(versions)}."
    ]
