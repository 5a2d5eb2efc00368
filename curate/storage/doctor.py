"""Checks all of a store, every byte of its stages, and repairs what can be: ``gristmill doctor``."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from curate.storage.damage import (
    Damaged,
    folder_damage,
    read_manifest,
    read_run,
    read_table,
    table_damage,
    tables_in,
)
from curate.storage.marker import MARKER, is_store, marker_format, write_marker
from curate.storage.put_in_place import set_aside
from curate.storage.records import RunInfo
from curate.storage.reply_log import REPLIES, SAVE, ReplyLog
from curate.storage.salvage import salvage_replies
from curate.storage.sql_views import CONFIG, NAME, publish
from curate.storage.store import Store
from schemas.counted import counted

CACHES = ("embeddings", "sketches")
NOT_READ = "bring back a copy, or move it away to start anew: its replies are then asked again"


@dataclass(frozen=True)
class Finding:
    """A damaged part of a store.

    Attributes:
        damage: The file or the folder, what is wrong with it, and the remedy.
        lost: What is lost with it.
        part: What is to be set aside; None for what cannot be repaired so.
        repaired: What was done about it; empty if nothing was.
    """

    damage: Damaged
    lost: str
    part: Path | None
    repaired: str = ""


def examine(store: Store) -> list[Finding]:
    """Return all that is damaged in a store. Each stage's tables are compared with the hashes in its manifest."""
    store.damaged = lambda message: None  # they are in the findings
    runs = store.runs()
    return [*_stages(store, runs), *_runs(store), *_replies(store), *_caches(store), *_views(store)]


def repair(store: Store, findings: list[Finding]) -> list[Finding]:
    """Set damaged parts aside, and write the SQL views anew; return the findings with what was done.

    A stage that was set aside is made anew by the command that made it, an embedding or a sketch when it is needed. Of
    the log of replies, those that can be read are kept; a log of which nothing can be read is left where it is.
    """
    with store.lock():
        parts = {one.part: None for one in findings if one.part is not None and one.part.exists()}
        aside = {part: set_aside(part, store.path) for part in parts}
        done = [
            replace(one, repaired=f"set aside: {aside[one.part]}") if one.part in aside else one for one in findings
        ]
        done = [_save_replies(store, one) if one.damage.path == store.path / REPLIES else one for one in done]
        publish(store)
    return [replace(one, repaired="written anew") if one.damage.path == store.path / NAME else one for one in done]


def repair_marker(path: Path) -> bool:
    """Write the marker of a store anew if it is gone or damaged; return whether it was."""
    looks_like_one = is_store(path) or all((path / name).is_dir() for name in ("stages", "runs", "replies"))
    if not looks_like_one or marker_format(path) is not None:
        return False
    (path / MARKER).unlink(missing_ok=True)
    write_marker(path)
    return True


def _stages(store: Store, runs: list[RunInfo]) -> Iterator[Finding]:
    for folder in sorted(path for path in (store.path / "stages").iterdir() if not path.name.startswith(".")):
        try:
            manifest = read_manifest(folder)
        except Damaged as damage:
            yield Finding(damage, _lost(folder, tables_in(folder), runs), folder)
            continue
        if not folder.name.endswith(f"-{manifest['stage_id']}"):
            damage = Damaged(folder, f"its stage.json is that of the stage {manifest['stage_id']}")
            yield Finding(damage, "nothing, if it is a copy", folder)
            continue
        for damage in folder_damage(folder, manifest.get("files", {}), hashes=True):
            yield Finding(damage, _lost(folder, [damage.path.parent.name], runs), folder)
        for damage in table_damage(folder, manifest["tables"]):
            table = damage.path.name.rsplit("-", 1)[0]
            held = manifest["tables"].get(table)
            rows = f"{counted(held['rows'], 'row')} of {table}" if held else table
            yield Finding(damage, _lost(folder, [rows], runs), folder)


def _lost(folder: Path, what: list[str], runs: list[RunInfo]) -> str:
    """Return what is lost with a stage, and the recipes that use it."""
    recipes = {run["recipe"]: None for run in runs if folder.name in [stage["path"] for stage in run["stages"]]}
    used = f", used by {', '.join(recipes)}" if recipes else ""
    return f"{', '.join(what)} of {folder.name}{used}" if what else f"nothing that is known{used}"


def _runs(store: Store) -> Iterator[Finding]:
    for file in sorted((store.path / "runs").glob("*.json")):
        try:
            read_run(file)
        except Damaged as damage:
            yield Finding(damage, f"what the run {file.stem} used and cost; its stages are there", file)


def _replies(store: Store) -> Iterator[Finding]:
    file = store.path / REPLIES
    if not file.exists():
        return
    try:
        with closing(ReplyLog.open_for_reading(store).db) as log:
            (said,) = log.execute("PRAGMA integrity_check(1)").fetchone()
            (broken,) = log.execute("SELECT count(*) FROM replies WHERE NOT json_valid(body)").fetchone()
    except sqlite3.DatabaseError as error:
        said, broken = str(error), 0
    except Damaged as damage:
        yield Finding(damage, "some of the models' replies, which are asked for again", None)
        return
    if said != "ok" or broken:
        problem = said if said != "ok" else f"{counted(broken, 'reply', 'replies')} can't be read"
        yield Finding(Damaged(file, problem, SAVE), "some of the models' replies, which are asked for again", None)


def _save_replies(store: Store, finding: Finding) -> Finding:
    """Write the log of replies anew from what can be read of it, and set the damaged one aside."""
    file = store.path / REPLIES
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    try:
        replies, accounts = salvage_replies(file, new)
        if not replies:
            return replace(finding, damage=Damaged(file, finding.damage.problem, NOT_READ))
        beside = [*file.parent.glob(f"{file.name}-*")]  # SQLite's own: -wal and -shm
        aside = set_aside(file, store.path)
        for part in beside:
            part.rename(aside.with_name(aside.name + part.name.removeprefix(file.name)))
        new.rename(file)
    except Damaged:  # it holds a stranger's SQL, which reading it would run
        return finding
    finally:
        new.unlink(missing_ok=True)
    return replace(
        finding,
        repaired=f"{counted(replies, 'reply', 'replies')} and {counted(accounts, 'cost')} are kept; set aside: {aside}",
    )


def _caches(store: Store) -> Iterator[Finding]:
    for file in sorted(file for kind in CACHES for file in (store.path / kind).glob("*/*.parquet")):
        try:
            read_table(file)
        except Damaged as damage:
            again = Damaged(file, damage.problem, "its values are computed again when they are needed")
            yield Finding(again, f"{file.parent.parent.name} of some texts", file)


def _views(store: Store) -> Iterator[Finding]:
    file = store.path / NAME
    if not file.exists():
        return
    try:
        with duckdb.connect(str(file), read_only=True, config=CONFIG) as con:
            con.execute("SELECT view_name FROM duckdb_views()").fetchall()  # none is run: a stranger may have made them
    except duckdb.Error as error:
        text = " ".join(str(error).split())[:100]
        yield Finding(Damaged(file, text, "the next run writes it anew"), "nothing: they are views", None)
