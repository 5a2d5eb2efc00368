"""``why``: the whole story of a row, put together from the tables in SQL."""

from dataclasses import dataclass, field
from typing import Any

import duckdb

from curate.storage.sql_views import connect
from curate.storage.store import Store
from schemas.errors import UserError

# Where an id is looked for: table -> its id column. A row no dataset holds any more may still have been trained on.
ID_COLUMNS = {
    "prompts": "prompt_id",
    "completions": "completion_id",
    "sft": "row_id",
    "preferences": "row_id",
    "rl_prompts": "row_id",
    "training_rows": "row_id",
}


@dataclass
class Story:
    """What is known of a row: a title and, heading by heading, the lines below it."""

    title: str
    parts: list[tuple[str, list[str]]] = field(default_factory=list)

    def tell(self, heading: str, lines: list[str]) -> None:
        """Add a part, if it has any line."""
        if lines:
            self.parts.append((heading, lines))


def trace(store: Store, wanted: str) -> Story:
    """Tell the story of a prompt, a completion or a dataset row, by its id or the start of it.

    Raises ``UserError`` if no row, or more than one, has such an id.
    """
    with connect(store) as con:
        table, found = _locate(con, wanted)
        if table == "prompts":
            return _prompt(con, found)
        if table == "completions":
            return _completion(con, found)
        return _dataset_row(con, table, found)


def _locate(con: duckdb.DuckDBPyConnection, wanted: str) -> tuple[str, str]:
    hits: list[tuple[str, str]] = []
    for table, column in ID_COLUMNS.items():
        rows = con.execute(
            f"SELECT DISTINCT {column} FROM {table} WHERE starts_with({column}, ?) LIMIT 6", [wanted]
        ).fetchall()
        hits += [(table, row[0]) for row in rows if row[0] not in [h[1] for h in hits]]
    exact = [hit for hit in hits if hit[1] == wanted]
    if exact or len(hits) == 1:
        return (exact or hits)[0]
    if hits:
        raise UserError(
            f"{wanted!r} is the start of several ids: {', '.join(h[1] for h in hits[:5])} ...; give more of it"
        )
    raise UserError(
        f"no row {wanted!r} in this store; ids begin with p_ (prompts), c_ (completions) or r_ (dataset rows): "
        f'gristmill sql "SELECT prompt_id, prompt FROM prompts LIMIT 5"'
    )


def _rows(con: duckdb.DuckDBPyConnection, query: str, values: list[Any]) -> list[dict[str, Any]]:
    result = con.execute(query, values)
    names = [d[0] for d in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _prompt(con: duckdb.DuckDBPyConnection, prompt_id: str) -> Story:
    story = Story(f"prompt {prompt_id}")
    _tell_prompt(con, story, prompt_id)
    story.tell("decisions", _decisions(con, [prompt_id]))
    made = _rows(con, "SELECT prompt_id, prompt FROM prompts WHERE list_contains(parent_ids, ?)", [prompt_id])
    story.tell("prompts made from it", [f"{p['prompt_id']}  {_short(p['prompt'], 100)}" for p in made])
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
    story.tell(
        f"{len(candidates)} completions",
        [f"{c['completion_id']}  {c['scores'] or 'no score'}  {_short(c['response'], 70)}" for c in candidates],
    )
    _tell_datasets(con, story, "prompt_id = ?", [prompt_id])
    _tell_evaluations(con, story, prompt_id)
    return story


def _completion(con: duckdb.DuckDBPyConnection, completion_id: str) -> Story:
    story = Story(f"completion {completion_id}")
    row = _rows(con, "SELECT * FROM completions WHERE completion_id = ?", [completion_id])[0]
    story.tell(
        "response",
        [
            _short(row["response"], 400) if row["error"] is None else f"none: {_short(row['error'], 400)}",
            f"model {row['model']}, sample {row['sample_index']}, "
            f"finish_reason {row['finish_reason']}, {row['completion_tokens'] or '?'} tokens",
        ],
    )
    if row["parent_id"]:
        story.tell("written from", [row["parent_id"]])
    _tell_prompt(con, story, row["prompt_id"])
    _tell_scores(con, story, completion_id)
    story.tell("decisions on its prompt", _decisions(con, [row["prompt_id"]]))
    story.tell("decisions", _decisions(con, [completion_id]))
    _tell_datasets(con, story, "list_contains(ids, ?)", [completion_id])
    return story


def _dataset_row(con: duckdb.DuckDBPyConnection, table: str, row_id: str) -> Story:
    story = Story(f"dataset row {row_id}")
    held = [] if table == "training_rows" else _rows(con, f"SELECT * FROM {table} WHERE row_id = ?", [row_id])
    if not held:
        story.tell("data", ["no current dataset holds this row any more; it was trained on (below)"])
    for row in held[:1]:
        for name in ("completion_id", "chosen_id", "rejected_id"):
            if row.get(name):
                text = _rows(con, "SELECT response FROM completions WHERE completion_id = ?", [row[name]])
                story.tell(name.removesuffix("_id"), [row[name], _short(text[0]["response"], 300) if text else ""])
                _tell_scores(con, story, row[name], f"scores of {name.removesuffix('_id')}")
        _tell_prompt(con, story, row["prompt_id"])
        story.tell("decisions on its prompt", _decisions(con, [row["prompt_id"]]))
    story.tell("decisions", _decisions(con, [row_id]))
    story.tell("datasets", [f"{r['dataset']} ({r['split']})" for r in held])
    _tell_trainings(con, story, [row_id])
    return story


def _tell_prompt(con: duckdb.DuckDBPyConnection, story: Story, prompt_id: str) -> None:
    for row in _rows(con, "SELECT * FROM prompts WHERE prompt_id = ?", [prompt_id]):
        line = "" if row["line"] is None else f", line {row['line']}"  # a model's prompt has none
        lines = [_short(row["prompt"], 300), f"{prompt_id} from {row['source']}{line}"]
        if row["ground_truth"]:
            lines.append(f"ground_truth {_short(row['ground_truth'], 200)}")
        story.tell("prompt", lines)
        parents = _rows(
            con,
            "SELECT prompt_id, prompt FROM prompts WHERE list_contains(?::VARCHAR[], prompt_id)",
            [row["parent_ids"] or []],
        )
        story.tell("its prompt was made from", [f"{p['prompt_id']}  {_short(p['prompt'], 100)}" for p in parents])


def _tell_scores(con: duckdb.DuckDBPyConnection, story: Story, row_id: str, heading: str = "scores") -> None:
    scores = _rows(con, "SELECT * FROM scores WHERE row_id = ? ORDER BY scorer", [row_id])
    story.tell(
        heading,
        [
            f"{s['scorer']} {'null' if s['value'] is None else round(s['value'], 4)}"
            + (f"  error: {s['error']}" if s["error"] else "")
            + (f"  {_short(s['detail'], 200)}" if s["detail"] else "")
            for s in scores
        ],
    )


def _decisions(con: duckdb.DuckDBPyConnection, ids: list[str]) -> list[str]:
    rows = _rows(
        con, "SELECT * FROM decisions WHERE list_contains(?::VARCHAR[], row_id) ORDER BY kept DESC, stage", [ids]
    )
    return [
        f"{'kept   ' if r['kept'] else 'dropped'} by {r['stage']}"
        + (f": {r['reason']}" if r["reason"] else "")
        + (f"  {_short(r['evidence'], 200)}" if r["evidence"] else "")
        for r in rows
    ]


def _tell_datasets(con: duckdb.DuckDBPyConnection, story: Story, condition: str, values: list[Any]) -> None:
    rows = _rows(
        con,
        f"""
        SELECT * FROM (
            SELECT row_id, prompt_id, dataset, split, 'sft row' AS role, [completion_id] AS ids FROM sft
            UNION ALL SELECT row_id, prompt_id, dataset, split, 'pair', [chosen_id, rejected_id] FROM preferences
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
    story.tell("datasets", lines)
    _tell_trainings(con, story, [r["row_id"] for r in rows])


def _tell_trainings(con: duckdb.DuckDBPyConnection, story: Story, row_ids: list[str]) -> None:
    rows = _rows(
        con,
        """
        SELECT t.name, t.trainer, r.training_id, r.row_id, r.fate,
               min_by(l.loss, l.step) AS first, max_by(l.loss, l.step) AS last
        FROM training_rows r LEFT JOIN trainings t USING (training_id)
        LEFT JOIN row_losses l ON l.training_id = r.training_id AND l.row_id = r.row_id AND l.phase = 'train'
        WHERE list_contains(?::VARCHAR[], r.row_id) GROUP BY ALL ORDER BY t.name, r.row_id""",
        [row_ids],
    )
    story.tell(
        "models it went into",
        [
            f"{r['name']} ({r['trainer']}, {r['training_id']}): {r['row_id']} {r['fate']}"
            + (f", loss {r['first']:.3f} -> {r['last']:.3f}" if r["first"] is not None else "")
            for r in rows
        ],
    )


def _tell_evaluations(con: duckdb.DuckDBPyConnection, story: Story, prompt_id: str) -> None:
    rows = _rows(
        con,
        """SELECT DISTINCT model, scorer, value, split, response FROM evaluations WHERE prompt_id = ?
                         ORDER BY model, scorer""",
        [prompt_id],
    )
    story.tell(
        "evaluations",
        [f"{r['model']}: {r['scorer']} {r['value']} ({r['split']})  {_short(r['response'], 90)}" for r in rows],
    )


def _short(text: str | None, length: int) -> str:
    flat = " ".join((text or "").split())
    return flat if len(flat) <= length else flat[: length - 3] + "..."
