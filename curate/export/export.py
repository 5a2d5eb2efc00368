"""Write a dataset of a store into a folder, in a format that other programs read: whole, or not at all."""

import importlib
import pkgutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl

from curate.export import formats
from curate.export.about import About
from curate.export.arrow_schema import TEXT
from curate.export.card.data_card import data_card
from curate.export.facts import REFUSED, Found, find_dataset, refused_rows
from curate.export.licences import check_licences
from curate.export.names import check_folder, split_names
from curate.export.new_folder import new_folder
from curate.export.sinks import parquet
from curate.export.written import CARD, as_written, check_replaceable, read_record, write_record
from curate.storage.dataset_rows import dataset_batches, empty_columns
from curate.storage.store import Store
from schemas.counted import counted
from schemas.errors import UserError, nearest, short_repr
from schemas.exported import HASH, SIDES, content_hash
from schemas.json_text import parse
from schemas.version import VERSION

FIRST = "{} first, from further down: readers look there for keys, and no row before has theirs"
HIDDEN = ("dataset", "split")  # columns that say nothing in an export: files are by split


@dataclass
class Exported:
    """An export that was written.

    Attributes:
        about: The export.
        found: The dataset.
        folder: Its folder.
        refused: How many refused rows are beside it.
        reused: Whether the folder was there already, with the same rows.
    """

    about: About
    found: Found
    folder: Path
    refused: int = 0
    reused: bool = False


@dataclass
class _Writing:
    """The rows while they are written: a sink for each split, and what was counted."""

    folder: Path
    format: ModuleType
    about: About
    columns: dict[str, Any]
    names: dict[str, str]
    sinks: dict[str, Any] = field(default_factory=dict)
    lost: Counter = field(default_factory=Counter)
    left_out: Counter = field(default_factory=Counter)
    rows: Counter = field(default_factory=Counter)


def format_names() -> list[str]:
    """Return the names of the formats, as ``--format`` has them."""
    found = [module.name for module in pkgutil.iter_modules(formats.__path__) if not module.name.startswith("_")]
    return sorted(name.replace("_", "-") for name in found)


def export_dataset(
    store: Store,
    name: str,
    folder: Path,
    *,
    format: str = "hub",
    recipe: str | None = None,
    license_check: bool = False,
    force: bool = False,
    refused: bool = True,
    reuse: bool = False,
) -> Exported:
    """Write a dataset into a folder.

    Args:
        store: The store.
        name: The dataset's name in its recipe.
        folder: The folder to make.
        format: The name of a format (``format_names``).
        recipe: The recipe's name, where several have a dataset of this name.
        license_check: Whether a source without a known licence is refused.
        force: Whether an earlier export in the folder is replaced.
        refused: Whether the format ``hub`` has the refused rows beside it.
        reuse: Whether an earlier export of the same rows in the folder is taken as it is.

    Raises:
        UserError: There is no such dataset or format, the format cannot hold it, the folder holds something else, or a
            licence is not known.
    """
    check_folder(folder, store.path)
    if format not in format_names():
        raise UserError(f"no export format {short_repr(format)}{nearest(format.lower(), format_names())}")
    if not refused and format != "hub":
        raise UserError(f"--no-refused: only the format hub has refused rows beside the others; {format} has none")
    module = importlib.import_module(f"{formats.__name__}.{format.replace('-', '_')}")
    found = find_dataset(store, name, recipe)
    if found.kind not in module.KINDS:
        raise UserError(
            f"--format {format}: has no place for a dataset of the type {found.kind} ({name!r}); it holds "
            f"{', '.join(module.KINDS)}"
        )
    if license_check:
        check_licences(found.sources)
    about = About(name, found.kind, found.recipe, format, folder.absolute())
    what = _what(found, about, refused and format == "hub")
    record = read_record(folder)
    if reuse and record is not None and all(record.get(key) == value for key, value in what.items()):
        if as_written(folder, record, force=force):
            about.splits = {str(split): int(rows) for split, rows in record["splits"].items()}
            return Exported(about, found, folder, reused=True)
    replace = check_replaceable(folder, force=force)
    with new_folder(folder, replace=replace) as partial:
        _write_rows(store, found, module, about, partial)
        count = _write_refused(store, found, partial) if what["refused"] else 0
        for file, text in module.files(about).items():
            (partial / file).write_text(text, encoding="utf-8")
        (partial / CARD).write_text(data_card(store, found, about, module, partial, count), encoding="utf-8")
        write_record(partial, {**what, "splits": about.splits})
    return Exported(about, found, folder, count)


def _what(found: Found, about: About, refused: bool) -> dict[str, Any]:
    """Return what an export depends on: two that agree in it hold the same rows."""
    return {
        "version": VERSION,
        "dataset": found.name,
        "recipe": found.recipe,
        "kind": found.kind,
        "format": about.format,
        "content": found.stage.content(found.table),
        "run": found.run["run_id"],
        "refused": refused,
    }


def _write_rows(store: Store, found: Found, module: ModuleType, about: About, folder: Path) -> None:
    """Write the rows by split, and note in ``about`` what was written and lost."""
    empty = (*empty_columns(store, found.recipe, found.table, found.stage), *HIDDEN)
    about.form = _all_simple(store, found, module)
    writing = None
    for frame in dataset_batches(store, found.recipe, found.table, found.stage):
        if writing is None:
            about.columns = [name for name in frame.columns if name not in empty] + [HASH]
            columns = module.columns(found.kind, about.columns, about.form) if hasattr(module, "columns") else {}
            about.types = columns if module.SINK == "jsonl" else {}
            splits = found.stage.read(found.table, ["split"])["split"].fill_null("train")
            ordered = sorted(splits.unique(maintain_order=True), key=lambda split: split != "train")
            writing = _Writing(folder, module, about, columns, split_names(ordered))
        _write_batch(writing, frame)
    assert writing is not None  # it has rows
    for sink in writing.sinks.values():
        sink.close()
    about.lost, about.left_out = dict(writing.lost.most_common()), dict(writing.left_out.most_common())
    if not writing.rows:
        reasons = "; ".join(f"{reason} ({counted(count, 'row')})" for reason, count in about.left_out.items())
        raise UserError(f"--format {about.format}: can hold no row of {found.name!r}: {reasons}")
    about.splits = {name: writing.rows[name] for name in writing.names.values() if writing.rows[name]}
    pattern = importlib.import_module(f"curate.export.sinks.{module.SINK}").NAMES
    about.written = {
        split: sorted(file.relative_to(folder).as_posix() for file in folder.glob(pattern.format(split=split)))
        for split in about.splits
    }
    gone = [name for name in about.columns if name not in (*getattr(module, "HOLDS", about.columns), HASH)]
    about.notes += [f"all rows are without {', '.join(gone)}: the format has no place for them"] if gone else []
    if "train" not in about.splits:
        about.notes.append(f"no row is in the split 'train': what trains on this trains on {about.train_split!r}")
    renamed = [f"{old!r} is called {new!r}" for old, new in writing.names.items() if old != new]
    about.notes += [f"the split {', '.join(renamed)}"] if renamed else []
    moved = sum(getattr(sink, "moved", 0) for sink in writing.sinks.values())
    about.notes += [FIRST.format("1 row stands" if moved == 1 else f"{moved:,} rows stand")] if moved else []


def _all_simple(store: Store, found: Found, module: ModuleType) -> bool:
    """Return whether every row has the format's simpler form."""
    simple = getattr(module, "simpler", None)
    if simple is None:
        return False
    batches = dataset_batches(store, found.recipe, found.table, found.stage)
    return all(simple(found.kind, one) for frame in batches for one in frame.iter_rows(named=True))


def _write_batch(writing: _Writing, frame: pl.DataFrame) -> None:
    made: dict[str, list[dict[str, Any]]] = {}
    for one in _rows(writing, frame):
        split = one["split"]
        row, lost = writing.format.row(writing.about.kind, one["row"], writing.about.form)
        (writing.lost if row is not None else writing.left_out).update(lost)
        if row is not None:
            made.setdefault(split, []).append(row)
            writing.rows[split] += 1
    for split, rows in made.items():
        if split not in writing.sinks:
            sink = importlib.import_module(f"curate.export.sinks.{writing.format.SINK}").Sink
            writing.sinks[split] = sink(writing.folder, split, writing.columns)
        writing.sinks[split].write(rows)


def _rows(writing: _Writing, frame: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield each row with its split's name; formats may look up ``split`` and ``index`` beside its columns."""
    keep = writing.about.columns
    for one in frame.iter_rows(named=True):
        split = writing.names[one["split"]]
        row = {name: one[name] for name in keep if name != HASH}
        if HASH in keep:
            row[HASH] = _hash(writing.about.kind, row)
        if getattr(writing.format, "PLACES", False):
            row |= {"split": split, "index": writing.rows[split]}
        yield {"split": split, "row": row}


def _hash(kind: str, row: dict[str, Any]) -> str:
    parts = {name: parse(row[name]) if row.get(name) else None for name in ("prompt", *SIDES[kind], "tools")}
    return content_hash(kind, row, parts, row.get("ground_truth"))


def _write_refused(store: Store, found: Found, folder: Path) -> int:
    """Write the refused rows beside a dataset; return how many there are."""
    count, sink = 0, None
    for frame in refused_rows(store, found):
        if sink is None:
            (folder / "refused").mkdir()
            sink = parquet.Sink(folder / "refused", "train", dict.fromkeys(REFUSED, TEXT))
        sink.write(frame.to_dicts())
        count += frame.height
    if sink is not None:
        sink.close()
    return count
