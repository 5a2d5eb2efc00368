"""All that a store says of one row: its texts, scores, decisions, relations, datasets, trainings, evaluations."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cli.pages.evaluated import RESPONSE
from cli.viewing.listings import ANSWER
from cli.viewing.snapshot import Snapshot
from schemas.errors import UserError

MOST = 200  # rows of a part
DATASETS = """
    SELECT * FROM (
        SELECT row_id, prompt_id, dataset, split, 'row' AS role, [completion_id] AS ids, score FROM sft
        UNION ALL SELECT row_id, prompt_id, dataset, split, 'pair', [chosen_id, rejected_id],
            chosen_score - rejected_score FROM preferences
        UNION ALL SELECT row_id, prompt_id, dataset, split, if(label, 'good answer', 'bad answer'), [completion_id],
            score FROM unpaired
        UNION ALL SELECT row_id, prompt_id, dataset, split, 'RL prompt', []::VARCHAR[], pass_rate FROM rl_prompts
    )"""
TRAININGS = """
    SELECT coalesce(t.name, r.training_id) AS name, t.trainer, r.training_id, r.row_id, r.fate, r.cut_tokens,
        min_by(l.loss, l.step) AS first, max_by(l.loss, l.step) AS last, count(l.loss) AS seen
    FROM training_rows AS r LEFT JOIN trainings AS t USING (training_id)
    LEFT JOIN row_losses AS l ON l.training_id = r.training_id AND l.row_id = r.row_id AND l.phase = 'train'
    WHERE list_contains(?::VARCHAR[], r.row_id) GROUP BY ALL ORDER BY 1, 3"""
CANDIDATES = f"""
    SELECT c.completion_id, c.model, c.sample_index, left({ANSWER}, 4000) AS response, c.finish_reason, b.by_hand,
        l.fate, l.reason, max(s.value) FILTER (s.scorer = $2) AS best, avg(s.value) AS mean,
        list({{'scorer': s.scorer, 'value': s.value}} ORDER BY s.scorer) FILTER (s.scorer IS NOT NULL) AS scores
    FROM completions AS c LEFT JOIN scores AS s ON s.row_id = c.completion_id
    LEFT JOIN list_candidates AS l ON l.completion_id = c.completion_id
    LEFT JOIN memory.main.by_hand AS b ON b.label_id = c.completion_id
    WHERE c.prompt_id = $1 GROUP BY ALL ORDER BY best DESC NULLS LAST, mean DESC NULLS LAST, c.completion_id
    LIMIT {MOST}"""


@dataclass
class Facts:
    """What is known of a row.

    Attributes:
        kind: ``prompt``, ``candidate``, ``dataset row``, ``pair`` or ``source row``.
        row_id: Its id.
        row: Its own columns; of a row that only decisions name, none.
        prompt: The columns of its prompt, or None.
        candidate: Those of its candidate, or None.
        label_id: What labels of it are of, or None.
        messages: Its whole conversation.
        learnt: Whether the assistant's turns are learnt; None where that is not known of the row.
        parts: The other facts by name, each a list of rows.
    """

    kind: str
    row_id: str
    row: dict[str, Any] = field(default_factory=dict)
    prompt: dict[str, Any] | None = None
    candidate: dict[str, Any] | None = None
    label_id: str | None = None
    messages: list[tuple[str, Any]] = field(default_factory=list)
    learnt: bool | None = None
    parts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def cut(self) -> list[str]:
        """The names of the parts of which only the first ``MOST`` rows are shown."""
        return [name for name, rows in self.parts.items() if len(rows) >= MOST]


def facts_of(snapshot: Snapshot, row_id: str, by: str | None = None) -> Facts:
    """Return what is known of a prompt, a candidate, a dataset's row or a pair; of another row, its decisions.

    Args:
        snapshot: The snapshot.
        row_id: The whole id.
        by: The scorer by which the candidates of the prompt are ordered.

    Raises:
        UserError: Nothing has this id.
    """
    facts = _found(snapshot, row_id)
    row = facts.row
    prompt_id = row.get("prompt_id")
    ids = [row[name] for name in ("completion_id", "chosen_id", "rejected_id") if row.get(name)]
    if prompt_id:
        facts.prompt = _one(snapshot, "prompts", "prompt_id", prompt_id)
    if row.get("completion_id"):
        facts.candidate = _one(snapshot, "completions", "completion_id", row["completion_id"])
    _set_messages(facts)
    facts.parts = {
        "scores": _in(snapshot, "SELECT * FROM scores WHERE {} ORDER BY scorer", "row_id", ids or [row_id]),
        "decisions": _in(snapshot, "SELECT * FROM decisions WHERE {} ORDER BY kept DESC, stage, row_id", "row_id",
                         [row_id, *ids, *([prompt_id] if prompt_id else [])]),
        "parents": _parents(snapshot, facts),
        "children": _children(snapshot, facts),
        "candidates": snapshot.rows(CANDIDATES, [prompt_id, by]) if prompt_id else [],
    }  # fmt: skip
    facts.parts["datasets"] = _datasets(snapshot, facts, ids)
    in_datasets = [one["row_id"] for one in facts.parts["datasets"]]
    facts.parts["trainings"] = snapshot.rows(f"{TRAININGS} LIMIT {MOST}", [[row_id, *in_datasets]])
    facts.parts["evaluations"] = _evaluations(snapshot, prompt_id)
    return facts


def _found(snapshot: Snapshot, row_id: str) -> Facts:
    """Return the row of an id, with its own columns."""
    for kind, table, key in (("candidate", "completions", "completion_id"), ("prompt", "prompts", "prompt_id"),
                             ("pair", "preferences", "row_id"), ("dataset row", "sft", "row_id"),
                             ("dataset row", "unpaired", "row_id"),
                             ("dataset row", "rl_prompts", "row_id")):  # fmt: skip
        row = _one(snapshot, table, key, row_id)
        if row is not None:
            label = row.get("completion_id") or row.get("prompt_id") if kind != "pair" else None
            return Facts(kind, row_id, row | {"table": table}, label_id=label)
    known = snapshot.rows("SELECT count(*) AS n FROM decisions WHERE row_id = ?", [row_id])[0]["n"]
    known += snapshot.rows("SELECT count(*) AS n FROM training_rows WHERE row_id = ?", [row_id])[0]["n"]
    if not known:
        raise UserError(f"no row {row_id[:80]!r} is in the tables of this store")
    return Facts("source row" if row_id[:2] != "r_" else "dataset row", row_id)


def _set_messages(facts: Facts) -> None:
    """Set the conversation of a row: that of the dataset where it is in one, else the prompt's and the candidate's."""
    row, table = facts.row, facts.row.get("table")
    if table == "sft":
        facts.learnt = True
    if facts.kind == "pair" or table in ("sft", "unpaired", "rl_prompts"):
        facts.messages = [("prompt", row["prompt"])]
        if row.get("completion"):
            facts.messages.append(("completion", row["completion"]))
        return
    if facts.prompt:
        facts.messages = [("prompt", facts.prompt["messages"] or facts.prompt["prompt"])]
    if facts.candidate:
        held = facts.candidate["messages"] or facts.candidate["response"]
        facts.messages.append(("candidate", held if held is not None else facts.candidate["error"] or ""))


def _one(snapshot: Snapshot, table: str, key: str, value: str) -> dict[str, Any] | None:
    rows = snapshot.rows(f"SELECT * FROM {table} WHERE {key} = ? LIMIT 1", [value])
    return rows[0] if rows else None


def _in(snapshot: Snapshot, query: str, column: str, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of a query with the condition that a column has one of these ids in place of ``{}``."""
    condition = f"list_contains(?::VARCHAR[], {column})"
    return snapshot.rows(f"{query.format(condition)} LIMIT {MOST}", [list(ids)])


def _parents(snapshot: Snapshot, facts: Facts) -> list[dict[str, Any]]:
    """Return what a row was made from: prompts, and the candidate that a repair began with."""
    found = []
    if facts.candidate and facts.candidate["parent_id"]:
        query = "SELECT completion_id AS id, left(response, 300) AS text FROM completions WHERE {}"
        found += _in(snapshot, query, "completion_id", [facts.candidate["parent_id"]])
    if facts.prompt and facts.prompt["parent_ids"]:
        query = "SELECT prompt_id AS id, left(prompt, 300) AS text FROM prompts WHERE {}"
        found += _in(snapshot, query, "prompt_id", facts.prompt["parent_ids"])
    return found


def _children(snapshot: Snapshot, facts: Facts) -> list[dict[str, Any]]:
    """Return what was made from a row."""
    if facts.kind == "prompt":
        query = "SELECT prompt_id AS id, left(prompt, 300) AS text FROM prompts WHERE list_contains(parent_ids, ?)"
    else:
        query = "SELECT completion_id AS id, left(response, 300) AS text FROM completions WHERE parent_id = ?"
    return snapshot.rows(f"{query} LIMIT {MOST}", [facts.row_id])


def _datasets(snapshot: Snapshot, facts: Facts, ids: list[str]) -> list[dict[str, Any]]:
    """Return the datasets' rows that have a candidate, or a prompt."""
    if facts.kind == "prompt":
        return _in(snapshot, f"{DATASETS} WHERE {{}} ORDER BY dataset, row_id", "prompt_id", [facts.row_id])
    if facts.kind == "candidate":
        query = f"{DATASETS} WHERE list_contains(ids, ?) ORDER BY dataset, row_id LIMIT {MOST}"
        rows = snapshot.rows(query, [facts.row_id])
        return [row | {"role": _pair_role(row, facts.row_id)} for row in rows]
    return _in(snapshot, f"{DATASETS} WHERE {{}} ORDER BY dataset, row_id", "row_id", [facts.row_id])


def _pair_role(row: dict[str, Any], completion_id: str) -> str:
    if row["role"] != "pair":
        return row["role"]
    return "chosen of a pair" if row["ids"][0] == completion_id else "rejected of a pair"


def _evaluations(snapshot: Snapshot, prompt_id: str | None) -> list[dict[str, Any]]:
    """Return the answers of models to a prompt, with their scores."""
    if not prompt_id:
        return []
    return snapshot.rows(
        f"""SELECT evaluation_id || '/' || row_id || '/' || sample_index AS answer_id, model, training_id, split,
            any_value(left({RESPONSE}, 600)) AS response,
            list({{'scorer': scorer, 'value': value}} ORDER BY scorer) AS scores
        FROM evaluations WHERE prompt_id = ? AND scorer NOT LIKE '%/%'
        GROUP BY evaluation_id, row_id, sample_index, model, training_id, split ORDER BY model, 1 LIMIT {MOST}""",
        [prompt_id],
    )
