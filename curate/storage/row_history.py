"""The history of a row, for ``gristmill why``: its origin, scores, decisions, datasets and trainings, read with SQL."""

import re
from dataclasses import dataclass, field
from typing import Any

import duckdb

from curate.storage.earlier_rows import last_run_with, what_became_of
from curate.storage.find_row import MADE_OF, find_row, made_of
from curate.storage.sql_views import connect
from curate.storage.store import Store
from schemas.counted import counted
from schemas.errors import UserError

NAMED_ROW = re.compile(r"\b[pc]_[0-9a-f]{20}\b")
COMPLETION = ("completions", "completion_id", "response")


@dataclass
class RowHistory:
    """The history of a row, or of a training (``curate.storage.training_history``), as text.

    Attributes:
        title: The kind of row, or the training's name, and its id.
        parts: Headings, each with the lines below it.
    """

    title: str
    parts: list[tuple[str, list[str]]] = field(default_factory=list)

    def add(self, heading: str, lines: list[str]) -> None:
        """Add a part, unless it has no lines."""
        if lines:
            self.parts.append((heading, lines))


def row_history(store: Store, id_start: str, recipe: str | None = None) -> RowHistory:
    """Return the history of a prompt, a completion or a dataset row; of a row that became none, the decisions on it.

    Of a row that the tables do not show any more it is the history as it was, with what became of the row.

    Args:
        store: The store.
        id_start: The row's id, or the first characters of it; or its place in a source, such as ``data.jsonl:4``, which
            is the id of a row that became no prompt.
        recipe: The recipe whose runs made the row (``curate.storage.sql_views.connect``); None for all recipes.

    Raises:
        UserError: No row has such an id, or several rows have.
    """
    with connect(store, recipe) as con:
        if found := find_row(con, id_start):
            return _history(con, *found)
    run = last_run_with(store, id_start, recipe) if id_start[:2] in ("p_", "c_", "r_") else None
    if run:
        with connect(store, run["recipe"], until=run["number"]) as con:
            if found := find_row(con, id_start):
                history = _history(con, *found)
                became = what_became_of(store, made_of(con, *found), run)
                history.parts.insert(0, ("not in the tables any more", became))
                return history
    raise UserError(
        f"no row {id_start!r} in this store; ids begin with p_ (prompts), c_ (completions) or r_ (dataset rows), or "
        f"are the file and the line of a source's row; a training is named by its id or its name: "
        f'gristmill sql "SELECT prompt_id, prompt FROM prompts LIMIT 5"'
    )


def _history(con: duckdb.DuckDBPyConnection, table: str, row_id: str) -> RowHistory:
    if table == "prompts":
        return _prompt_history(con, row_id)
    if table == "completions":
        return _completion_history(con, row_id)
    if table == "decisions":
        history = RowHistory(f"row {row_id}, of which only decisions are held")
        history.add("decisions", _decisions(con, [row_id]))
        return history
    return _dataset_row_history(con, table, row_id)


def _rows(con: duckdb.DuckDBPyConnection, query: str, values: list[Any]) -> list[dict[str, Any]]:
    """Return the rows of a query's result by column name."""
    result = con.execute(query, values)
    names = [d[0] for d in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _prompt_history(con: duckdb.DuckDBPyConnection, prompt_id: str) -> RowHistory:
    history = RowHistory(f"prompt {prompt_id}")
    _add_prompt(con, history, prompt_id)
    history.add("decisions", _decisions(con, [prompt_id]))
    made = _rows(con, "SELECT prompt_id, prompt FROM prompts WHERE list_contains(parent_ids, ?)", [prompt_id])
    history.add("prompts made from it", [f"{p['prompt_id']}  {short(p['prompt'], 100)}" for p in made])
    candidates = _rows(
        con,
        """
        SELECT c.completion_id, c.sample_index, c.model, c.response,
               string_agg(s.scorer || ' ' || coalesce(round(s.value, 4)::VARCHAR, 'null'), ', ' ORDER BY s.scorer)
               AS scores
        FROM completions c LEFT JOIN scores s ON s.row_id = c.completion_id
        WHERE c.prompt_id = ? GROUP BY ALL ORDER BY sample_index, completion_id""",
        [prompt_id],
    )
    history.add(
        counted(len(candidates), "completion"),
        [f"{c['completion_id']}  {c['scores'] or 'no score'}  {short(c['response'], 70)}" for c in candidates],
    )
    _add_datasets(con, history, "prompt_id = ?", [prompt_id])
    _add_evaluations(con, history, prompt_id)
    return history


def _completion_history(con: duckdb.DuckDBPyConnection, completion_id: str) -> RowHistory:
    history = RowHistory(f"completion {completion_id}")
    row = _rows(con, "SELECT * FROM completions WHERE completion_id = ?", [completion_id])[0]
    answered = f" (answered by {row['answered_by']})" if row["answered_by"] else ""
    tokens = counted(row["completion_tokens"], "token") if row["completion_tokens"] else "? tokens"
    history.add(
        "response",
        [
            _response(row),
            f"model {row['model']}{answered}, sample {row['sample_index']}, "
            f"finish_reason {row['finish_reason']}, {tokens}",
        ],
    )
    if row["parent_id"]:
        history.add("written from", [row["parent_id"]])
    _add_prompt(con, history, row["prompt_id"])
    _add_scores(con, history, completion_id)
    history.add("decisions on its prompt", _decisions(con, [row["prompt_id"]]))
    history.add("decisions", _decisions(con, [completion_id]))
    _add_datasets(con, history, "list_contains(ids, ?)", [completion_id])
    return history


def _response(row: dict) -> str:
    """Return the response of a completion; of one with an error, that it has none, or what is wrong with it."""
    if row["error"] is None:
        return short(row["response"], 400)
    error = short(row["error"], 400)
    return f"none: {error}" if row["response"] is None else f"{short(row['response'], 400)} ({error})"


def _dataset_row_history(con: duckdb.DuckDBPyConnection, table: str, row_id: str) -> RowHistory:
    history = RowHistory(f"dataset row {row_id}")
    held = [] if table == "training_rows" else _rows(con, f"SELECT * FROM {table} WHERE row_id = ?", [row_id])
    if not held:
        history.add("data", ["no current dataset has this row; a model was trained on it (see below)"])
    for row in held[:1]:
        for name in MADE_OF:
            if row.get(name):
                text = _rows(con, "SELECT response FROM completions WHERE completion_id = ?", [row[name]])
                history.add(name.removesuffix("_id"), [row[name], short(text[0]["response"], 300) if text else ""])
                _add_scores(con, history, row[name], f"scores of {name.removesuffix('_id')}")
        _add_prompt(con, history, row["prompt_id"])
        history.add("decisions on its prompt", _decisions(con, [row["prompt_id"]]))
    history.add("decisions", _decisions(con, [row_id]))
    label = {True: ", a good answer", False: ", a bad answer", None: ""}
    history.add("datasets", [f"{r['dataset']} ({r['split']}){label[r.get('label')]}" for r in held])
    _add_trainings(con, history, [row_id])
    return history


def _add_prompt(con: duckdb.DuckDBPyConnection, history: RowHistory, prompt_id: str) -> None:
    for row in _rows(con, "SELECT * FROM prompts WHERE prompt_id = ?", [prompt_id]):
        line = "" if row["line"] is None else f", line {row['line']}"  # a model's prompt has none
        line = f", {row['file']}{line}" if row["file"] and row["file"] != row["source"] else line
        lines = [short(row["prompt"], 300), f"{prompt_id} from {row['source']}{line}"]
        if row["ground_truth"]:
            lines.append(f"ground_truth {short(row['ground_truth'], 200)}")
        history.add("prompt", lines)
        parents = _rows(
            con,
            "SELECT prompt_id, prompt FROM prompts WHERE list_contains(?::VARCHAR[], prompt_id)",
            [row["parent_ids"] or []],
        )
        history.add("its prompt was made from", [f"{p['prompt_id']}  {short(p['prompt'], 100)}" for p in parents])


def _add_scores(con: duckdb.DuckDBPyConnection, history: RowHistory, row_id: str, heading: str = "scores") -> None:
    scores = _rows(con, "SELECT * FROM scores WHERE row_id = ? ORDER BY scorer", [row_id])
    history.add(
        heading,
        [
            f"{s['scorer']} {'null' if s['value'] is None else round(s['value'], 4)}"
            + (f"  error: {s['error']}" if s["error"] else "")
            + (f"  {short(s['detail'], 200)}" if s["detail"] else "")
            for s in scores
        ],
    )


def _decisions(con: duckdb.DuckDBPyConnection, ids: list[str]) -> list[str]:
    """Return the decisions on rows as lines, those that kept a row first."""
    rows = _rows(
        con, "SELECT * FROM decisions WHERE list_contains(?::VARCHAR[], row_id) ORDER BY kept DESC, stage", [ids]
    )
    return [
        f"{'kept   ' if r['kept'] else 'dropped'} by {r['stage']}"
        + (f": {r['reason']}" if r["reason"] else "")
        + (f"  {short(r['evidence'], 200)}" if r["evidence"] else "")
        + _named_text(con, r["evidence"])
        for r in rows
    ]


def _named_text(con: duckdb.DuckDBPyConnection, evidence: str | None) -> str:
    """Return the text of the row that a decision's evidence names first, such as the one that was kept; else ""."""
    named = NAMED_ROW.search(evidence or "")
    if not named:
        return ""
    table, key, text = ("prompts", "prompt_id", "prompt") if named[0][0] == "p" else COMPLETION
    found = con.execute(f"SELECT {text} FROM {table} WHERE {key} = ?", [named[0]]).fetchone()
    return f"  ({short(found[0], 80)})" if found and found[0] else ""


def _add_datasets(con: duckdb.DuckDBPyConnection, history: RowHistory, condition: str, values: list[Any]) -> None:
    rows = _rows(
        con,
        f"""
        SELECT * FROM (
            SELECT row_id, prompt_id, dataset, split, 'sft row' AS role, [completion_id] AS ids FROM sft
            UNION ALL SELECT row_id, prompt_id, dataset, split, 'pair', [chosen_id, rejected_id] FROM preferences
            UNION ALL SELECT row_id, prompt_id, dataset, split, if(label, 'good answer', 'bad answer'), [completion_id]
                FROM unpaired
            UNION ALL SELECT row_id, prompt_id, dataset, split, 'RL prompt', []::VARCHAR[] FROM rl_prompts
        ) WHERE {condition} ORDER BY dataset, row_id""",
        values,
    )
    lines = []
    for r in rows:
        role = r["role"]
        if role == "pair" and values[0] in r["ids"]:
            role = "chosen of a pair" if r["ids"][0] == values[0] else "rejected of a pair"
        lines.append(f"{r['row_id']}  {role} in {r['dataset']} ({r['split']})")
    history.add("datasets", lines)
    _add_trainings(con, history, [r["row_id"] for r in rows])


def _add_trainings(con: duckdb.DuckDBPyConnection, history: RowHistory, row_ids: list[str]) -> None:
    rows = _rows(
        con,
        """
        SELECT t.name, t.trainer, r.training_id, r.row_id, r.fate, r.cut_tokens,
               min_by(l.loss, l.step) AS first, max_by(l.loss, l.step) AS last
        FROM training_rows r LEFT JOIN trainings t USING (training_id)
        LEFT JOIN row_losses l ON l.training_id = r.training_id AND l.row_id = r.row_id AND l.phase = 'train'
        WHERE list_contains(?::VARCHAR[], r.row_id) GROUP BY ALL ORDER BY t.name, r.row_id""",
        [row_ids],
    )
    history.add(
        "models trained on it",
        [
            f"{r['name']} ({r['trainer']}, {r['training_id']}): {r['row_id']} {r['fate']}"
            + (f", {r['cut_tokens']:,} of its tokens cut off by max_length" if r["cut_tokens"] else "")
            + (f", loss {r['first']:.3f} -> {r['last']:.3f}" if r["first"] is not None else "")
            for r in rows
        ],
    )


def _add_evaluations(con: duckdb.DuckDBPyConnection, history: RowHistory, prompt_id: str) -> None:
    rows = _rows(
        con,
        """SELECT DISTINCT model, scorer, value, split, response FROM evaluations WHERE prompt_id = ?
                         ORDER BY model, scorer""",
        [prompt_id],
    )
    history.add(
        "evaluations",
        [f"{r['model']}: {r['scorer']} {r['value']} ({r['split']})  {short(r['response'], 90)}" for r in rows],
    )


def short(text: str | None, length: int) -> str:
    """Return a text in one line of at most ``length`` characters."""
    flat = " ".join((text or "").split())
    return flat if len(flat) <= length else flat[: length - 3] + "..."
