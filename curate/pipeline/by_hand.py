"""The section ``by_hand``: a stage applies the labels by hand (``curate.pipeline.hand_verdicts``) to rows."""

import json
from collections.abc import Collection, Iterator
from dataclasses import asdict
from functools import partial
from typing import Any

import polars as pl

from curate.pipeline.decisions import decision_stage, kept_summary
from curate.pipeline.hand_verdicts import MODEL, SCORE, Edit, HandVerdicts, hand_verdicts
from curate.pipeline.run_state import RunState
from curate.pipeline.stage_spec import RunContext, StageSpec
from curate.storage.hand_labels import HandLabel
from curate.storage.rows import RowSet, read_batches
from curate.storage.stage import Stage, StageWriter
from schemas.counted import counted
from schemas.errors import UserError
from schemas.ids import fingerprint
from schemas.json_text import dump, read_list
from schemas.progress import StageWarning

DROPPED, EDITED = "dropped by hand", "edited by hand"
READ = ("prompt_id", "sample_index", "completion", "reasoning_content")


def by_hand_specs(state: RunState, rows: RowSet) -> Iterator[StageSpec]:
    """Yield the stage that applies the labels of rows that are in and that no stage before it applied."""
    verdicts = state.by_hand
    if state.recipe.by_hand is not False and rows.table == "completions":
        _refuse_recorded(state)
    new = verdicts.labelled - state.labels_applied
    if not new or not rows.height:
        return
    here = kept_among(rows, new)
    if not here:
        return
    state.labels_applied |= {*here, *(verdicts.edits[row].id for row in here if row in verdicts.edits)}
    yield by_hand_stage(state, rows, here)


def _refuse_recorded(state: RunState) -> None:
    """Refuse scores of a source that have the name of the score by hand."""
    label = next((one.manifest["label"] for one in state.completions.scores[SCORE] if SCORE not in _verb(one)), None)
    if label is not None:
        raise UserError(
            f"{state.recipe.where('by_hand')}: by_hand: {label} records a score of the name {SCORE!r}, which by_hand "
            f"gives; rename that column"
        )


def _verb(stage: Stage) -> str:
    return stage.manifest["label"].split(".")[1]


def preferred_by_hand(state: RunState) -> frozenset[tuple[str, str]] | None:
    """Return the comparisons of candidates that are in, the better one first; None where no label counts."""
    if state.recipe.by_hand is False:
        return None
    compared = state.by_hand.preferred
    ids = {*kept_among(state.completions, {id for two in compared for id in two})}
    return frozenset(two for two in compared if ids.issuperset(two))


def unapplied_labels(state: RunState) -> list[StageWarning]:
    """Return a warning where labels are of rows that the run does not have, or that were out before the labels.

    And one where edits are of prompts.
    """
    prompts = kept_among(state.prompts, state.by_hand.edits)
    found = []
    if prompts:
        edits = counted(len(prompts), "edit is of a prompt", "edits are of prompts")
        text = f"{edits}, such as {prompts[0]}; only answers are edited"
        found = [StageWarning(SCORE, text)]
    left = sorted(state.by_hand.labelled - state.labels_applied)
    if not left or state.waits_for:
        return found
    total = len(state.by_hand.labelled)
    text = f"{len(left):,} of {total:,} labelled rows are not in this run, or an earlier step drops them, such as "
    return [*found, StageWarning(SCORE, text + left[0])]


def kept_by_hand(state: RunState, rows: RowSet) -> list[str]:
    """Return the ids of the rows that are in and that a person keeps, in order."""
    return kept_among(rows, state.by_hand.kept)


def kept_among(rows: RowSet, ids: Collection[str]) -> list[str]:
    """Return those of some ids that are of rows that are in, in the rows' order."""
    return rows.kept_ids.filter(pl.col(rows.id).is_in(list(ids)))[rows.id].to_list() if ids else []


def without_kept(decisions: pl.DataFrame, kept: list[str]) -> pl.DataFrame:
    """Return decisions (row_id, reason) with no reason to drop a row that is kept by hand; the evidence names it."""
    spared = pl.col("row_id").is_in(kept) & pl.col("reason").is_not_null()
    told = pl.struct(by_hand=pl.lit("keep"), not_dropped_for="reason").struct.json_encode()
    evidence = pl.when(spared).then(told)
    return decisions.with_columns(evidence=evidence, reason=pl.when(~spared).then("reason"))


def by_hand_stage(state: RunState, rows: RowSet, labelled: list[str]) -> StageSpec:
    """Return the stage that drops rows, and adds the edited candidates and the score.

    Args:
        state: The run's state.
        rows: The prompts or the candidates.
        labelled: The ids of those that have labels, in their order.
    """
    verdicts, label = state.by_hand, state.label(rows.table, SCORE)
    told: dict[str, Any] = {
        row: [
            asdict(found[one]) if one in found else None
            for one in (row, *([verdicts.edits[row].id] if row in verdicts.edits else []))
            for found in (verdicts.dropped, verdicts.kept, verdicts.edits)
        ]
        + [verdicts.scores.get(row)]
        for row in labelled
    }
    build = partial(write_by_hand, rows=rows, labelled=labelled, verdicts=verdicts, label=label)
    key = {"labels": fingerprint(told), "input": rows.content}  # the hash, as every record of a run has the key
    spec = decision_stage(rows, label, key, build, (HandVerdicts, Edit, hand_verdicts))
    return StageSpec(label, key, build, partial(_adopt, rows, spec), spec.code, in_plan=True)


def _adopt(rows: RowSet, decided: StageSpec, stage: Stage | None) -> None:
    if stage and rows.table == "completions":
        rows.add(stage)
        rows.scores[SCORE] = [*rows.scores.get(SCORE, []), stage]
    decided.adopt(stage)


def write_by_hand(
    writer: StageWriter, run: RunContext, *, rows: RowSet, labelled: list[str], verdicts: HandVerdicts, label: str
) -> str:
    """Write a decision for every row; of candidates the scores and the edited ones too; return a summary."""
    run.progress.begin(label, rows.height)
    of_candidates = rows.table == "completions"
    edits = {row: verdicts.edits[row] for row in labelled if row in verdicts.edits} if of_candidates else {}
    made = [edit for edit in edits.values() if edit.id not in verdicts.dropped]
    told: dict[str, tuple[str | None, str | None]] = {}
    for row in labelled:
        if row in edits and edits[row].id in verdicts.dropped:
            told[row] = (DROPPED, _evidence(verdicts.dropped[edits[row].id]))
        elif row in edits:
            told[row] = (EDITED, _evidence(edits[row].label, edited=edits[row].id))
        elif row in verdicts.dropped:
            told[row] = (DROPPED, _evidence(verdicts.dropped[row]))
        elif row in verdicts.kept:
            told[row] = (None, _evidence(verdicts.kept[row]))
    told |= {edit.id: (None, _evidence(edit.label)) for edit in made}
    ids = [*rows.kept_ids[rows.id], *(edit.id for edit in made)]
    schema = {"row_id": pl.String, "reason": pl.String, "evidence": pl.String}
    said = pl.DataFrame([(row, *one) for row, one in told.items()], schema=schema, orient="row")
    decisions = pl.DataFrame({"row_id": ids}).join(said, on="row_id", how="left", maintain_order="left")
    writer.write("decisions", decisions.with_columns(stage=pl.lit(label), kept=pl.col("reason").is_null()))
    if of_candidates:
        if made:
            writer.write("completions", _edited(rows, edits, {edit.id for edit in made}))
        scored = [
            (row, verdicts.scores[row]) for row in [*labelled, *(edit.id for edit in made)] if row in verdicts.scores
        ]
        scores = pl.DataFrame(scored, schema={"row_id": pl.String, "value": pl.Float64}, orient="row")
        nothing = pl.lit(None, pl.String)
        writer.write("scores", scores.with_columns(scorer=pl.lit(SCORE), error=nothing, detail=nothing))
    return kept_summary(writer, rows) + _counted(told, made)


def _edited(rows: RowSet, edits: dict[str, Edit], made: set[str]) -> pl.DataFrame:
    """Return the edited candidates: the one that each was made from, with another text in its last turn."""
    found: list[dict[str, Any]] = []
    for part in read_batches(rows, list(READ)):
        for row in part.filter(pl.col(rows.id).is_in(list(edits))).iter_rows(named=True):
            edit = edits[row[rows.id]]
            if edit.id not in made:
                continue
            turns = read_list(row["completion"], "completion")
            turns[-1] = {**turns[-1], "content": edit.text}
            found.append({
                "completion_id": edit.id, "prompt_id": row["prompt_id"], "sample_index": row["sample_index"],
                "model": MODEL, "messages": dump(turns, "messages"), "response": edit.text,
                "reasoning_content": row["reasoning_content"], "parent_id": row[rows.id], "answered_by": edit.label.by,
            })  # fmt: skip
    text = dict.fromkeys(found[0], pl.String) | {"sample_index": pl.Int64} if found else {}
    return pl.DataFrame(found, schema=text)


def _evidence(label: HandLabel, **more: str) -> str:
    """Return a label as a decision's evidence: who gave it, when, and what was said."""
    said = {"by_hand": label.label, "by": label.by, "at": label.at, "text": label.text if not more else None, **more}
    return json.dumps({key: value for key, value in said.items() if value is not None}, ensure_ascii=False)


def _counted(told: dict[str, tuple[str | None, str | None]], made: list[Edit]) -> str:
    dropped = sum(reason == DROPPED for reason, _ in told.values())
    kept = sum(reason is None for reason, _ in told.values()) - len(made)
    return f"; by hand: {dropped:,} dropped, {len(made):,} edited, {kept:,} kept"
