"""The tables of the viewer: what a row is, in SQL, which columns are shown, searched and filtered."""

from collections.abc import Sequence
from dataclasses import dataclass

from cli.pages.evaluated import RESPONSE
from curate.storage.table_views import literal, quoted

NAMES, BETWEEN = "datasets", ", "  # the column that has several names, each of which it is filtered by
# The first decision that dropped a row; the alphabet is the order of the stages of one row.
DROPPED_BY = """
    SELECT row_id, min(stage) AS stage, min_by(drop_reason(stage, reason, evidence).kind, stage) AS reason
    FROM decisions WHERE NOT kept GROUP BY row_id"""
USED = """
    SELECT id, string_agg(DISTINCT dataset, ', ' ORDER BY dataset) AS datasets FROM (
        SELECT completion_id AS id, dataset FROM sft UNION ALL SELECT chosen_id, dataset FROM preferences
        UNION ALL SELECT rejected_id, dataset FROM preferences UNION ALL SELECT completion_id, dataset FROM unpaired
    ) WHERE id IS NOT NULL GROUP BY id"""
LAST_LOSS = """
    SELECT row_id, avg(last) AS loss, count(*) AS trainings FROM (
        SELECT row_id, training_id, max_by(loss, step) AS last FROM row_losses WHERE phase = 'train' GROUP BY ALL
    ) GROUP BY row_id"""
# A candidate's text; of one that only calls tools, its turns.
ANSWER = """CASE WHEN coalesce(c.response, '') = '' AND contains(c.messages::VARCHAR, '"tool_calls"')
    THEN c.messages::VARCHAR ELSE c.response END"""
FATE = "CASE WHEN {used} THEN 'kept' WHEN d.row_id IS NOT NULL THEN 'dropped' ELSE 'kept' END"


@dataclass(frozen=True)
class Listing:
    """A table of the viewer.

    Texts are cut in it; a row's page has the whole ones.

    Attributes:
        name: Its name, in addresses and of its table ``list_NAME``.
        title: Its name for people.
        sql: The SELECT of its rows, over the tables and views of the store; ``{scores}`` is a column for each scorer.
        key: The column that names a row in its page's address.
        label: What labels of a row are of: an expression over its columns, null for a table without labels.
        texts: The columns that are read as texts.
        facets: The columns that are filtered by one of their values.
        shown: The columns that are shown, in order; those of numbers follow.
        scorers: The table whose ``scorer`` and ``value`` give the columns of ``{scores}``.
        hidden: The columns that are neither shown nor filtered.
        first: The columns that are shown before the scores, beside the texts.
    """

    name: str
    title: str
    sql: str
    key: str
    label: str
    texts: tuple[str, ...]
    facets: tuple[str, ...]
    shown: tuple[str, ...]
    scorers: str | None = None
    hidden: tuple[str, ...] = ()
    first: tuple[str, ...] = ("fate", "reason")

    @property
    def table(self) -> str:
        """The name of its table in the snapshot."""
        return f"list_{self.name}"


CANDIDATES = Listing(
    "candidates",
    "Candidates",
    f"""WITH d AS ({DROPPED_BY}), u AS ({USED}), s AS (SELECT row_id {{scores}} FROM scores GROUP BY row_id)
    SELECT c.completion_id, c.prompt_id, p.prompt, {ANSWER} AS response, c.model, p.source, c.finish_reason,
        {FATE.format(used="u.id IS NOT NULL")} AS fate, CASE WHEN u.id IS NULL THEN d.reason END AS reason, u.datasets,
        s.* EXCLUDE (row_id), c.completion_tokens AS tokens, length(c.response) AS characters, c.sample_index AS sample,
        lower(concat_ws(' ', c.completion_id, p.prompt, {ANSWER}, c.reasoning_content, p.ground_truth,
            p.metadata::VARCHAR, c.error)) AS search
    FROM completions AS c LEFT JOIN prompts AS p USING (prompt_id) LEFT JOIN s ON s.row_id = c.completion_id
    LEFT JOIN d ON d.row_id = c.completion_id LEFT JOIN u ON u.id = c.completion_id""",
    key="completion_id",
    label="completion_id",
    texts=("prompt", "response"),
    facets=("model", "source", "fate", "reason", "datasets", "finish_reason"),
    shown=("prompt", "response", "fate", "reason", "model", "source", "finish_reason", "datasets"),
    scorers="scores",
    hidden=("completion_id", "prompt_id", "search"),
)
PROMPTS = Listing(
    "prompts",
    "Prompts",
    f"""WITH d AS ({DROPPED_BY}), n AS (SELECT prompt_id, count(*) AS candidates FROM completions GROUP BY 1), u AS (
        SELECT prompt_id, string_agg(DISTINCT dataset, ', ' ORDER BY dataset) AS datasets FROM (
            SELECT prompt_id, dataset FROM sft UNION ALL SELECT prompt_id, dataset FROM preferences
            UNION ALL SELECT prompt_id, dataset FROM unpaired UNION ALL SELECT prompt_id, dataset FROM rl_prompts
        ) GROUP BY 1), r AS (SELECT prompt_id, avg(pass_rate) AS pass_rate FROM rl_prompts GROUP BY 1)
    SELECT p.prompt_id, p.prompt, p.ground_truth, p.source, p.family, {FATE.format(used="u.prompt_id IS NOT NULL")} AS
        fate, CASE WHEN u.prompt_id IS NULL THEN d.reason END AS reason, u.datasets, r.pass_rate,
        coalesce(n.candidates, 0) AS candidates, length(p.prompt) AS characters,
        lower(concat_ws(' ', p.prompt_id, p.prompt, p.ground_truth, p.metadata::VARCHAR, p.family)) AS search
    FROM prompts AS p LEFT JOIN d ON d.row_id = p.prompt_id LEFT JOIN n USING (prompt_id) LEFT JOIN u USING (prompt_id)
    LEFT JOIN r USING (prompt_id)""",
    key="prompt_id",
    label="prompt_id",
    texts=("prompt", "ground_truth"),
    facets=("source", "fate", "reason", "datasets", "family"),
    shown=("prompt", "ground_truth", "fate", "reason", "source", "datasets"),
    hidden=("prompt_id", "search"),
)
ROWS = Listing(
    "rows",
    "Rows of datasets",
    f"""WITH l AS ({LAST_LOSS}), every AS (
        SELECT 'sft' AS type, row_id, dataset, split, prompt_id, completion_id, prompt::VARCHAR AS said,
            completion::VARCHAR AS answer, score, NULL::DOUBLE AS pass_rate, NULL AS answer_is FROM sft
        UNION ALL SELECT 'unpaired', row_id, dataset, split, prompt_id, completion_id, prompt::VARCHAR,
            completion::VARCHAR, score, NULL, if(label, 'good', 'bad') FROM unpaired
        UNION ALL SELECT 'RL prompt', row_id, dataset, split, prompt_id, NULL, prompt::VARCHAR, NULL, NULL, pass_rate,
            NULL FROM rl_prompts)
    SELECT e.row_id, e.prompt_id, e.completion_id, coalesce(p.prompt, e.said) AS prompt,
        coalesce({ANSWER}, e.answer) AS response, e.dataset, coalesce(e.split, 'train') AS split, e.type, e.answer_is,
        p.source, e.score, e.pass_rate, l.loss, coalesce(l.trainings, 0) AS trainings,
        length(coalesce(c.response, e.answer)) AS characters,
        lower(concat_ws(' ', e.row_id, e.completion_id, e.prompt_id, e.said, e.answer)) AS search
    FROM every AS e LEFT JOIN prompts AS p USING (prompt_id)
    LEFT JOIN completions AS c ON c.completion_id = e.completion_id LEFT JOIN l ON l.row_id = e.row_id""",
    key="row_id",
    label="coalesce(completion_id, prompt_id)",
    texts=("prompt", "response"),
    facets=("dataset", "split", "type", "source", "answer_is"),
    shown=("prompt", "response", "dataset", "split", "source", "answer_is"),
    hidden=("row_id", "prompt_id", "completion_id", "search"),
    first=("dataset", "split"),
)
PAIRS = Listing(
    "pairs",
    "Pairs",
    f"""WITH l AS ({LAST_LOSS})
    SELECT row_id, prompt_id, chosen_id, rejected_id, prompt, chosen, rejected, dataset, coalesce(split, 'train') AS
        split, margin, chosen_score, rejected_score, length(chosen) - length(rejected) AS chosen_longer_by,
        l.loss,
        lower(concat_ws(' ', row_id, chosen_id, rejected_id, prompt, chosen, rejected)) AS search
    FROM pairs LEFT JOIN l USING (row_id)""",
    key="row_id",
    label="least(chosen_id, rejected_id) || ' ' || greatest(chosen_id, rejected_id)",
    texts=("prompt", "chosen", "rejected"),
    facets=("dataset", "split"),
    shown=("prompt", "chosen", "rejected", "dataset", "split"),
    hidden=("row_id", "prompt_id", "chosen_id", "rejected_id", "search"),
)
DROPPED = Listing(
    "dropped",
    "Dropped",
    """SELECT row_id, reason, detail, stage, kind, prompt, response, evidence::VARCHAR AS evidence,
        lower(concat_ws(' ', row_id, stage, reason, detail, prompt, response, evidence::VARCHAR)) AS search
    FROM dropped""",
    key="row_id",
    label="row_id",
    texts=("prompt", "response", "detail", "evidence"),
    facets=("reason", "stage", "kind"),
    shown=("reason", "prompt", "response", "detail", "stage", "kind"),
    hidden=("row_id", "search", "evidence"),
)
EVALUATIONS = Listing(
    "evaluations",
    "Evaluations",
    f"""SELECT evaluation_id || '/' || row_id || '/' || sample_index AS answer_id, evaluation_id, row_id, prompt_id,
        any_value(prompt) AS prompt, any_value({RESPONSE}) AS response, any_value(model) AS model,
        coalesce(any_value(training_id), '') AS training, any_value(dataset) AS dataset, any_value(split) AS split,
        any_value(finish_reason) AS finish_reason {{scores}}, any_value(tokens) AS tokens,
        length(any_value(response)) AS characters,
        lower(concat_ws(' ', prompt_id, any_value(prompt), any_value(response), any_value(model))) AS search
    FROM evaluations GROUP BY evaluation_id, row_id, prompt_id, sample_index""",
    key="answer_id",
    label="NULL::VARCHAR",
    texts=("prompt", "response"),
    facets=("model", "split", "dataset", "finish_reason", "training"),
    shown=("prompt", "response", "model", "split", "dataset", "finish_reason"),
    scorers="evaluations",
    hidden=("answer_id", "evaluation_id", "row_id", "prompt_id", "search"),
    first=("model", "split"),
)
LISTINGS = {one.name: one for one in (CANDIDATES, PROMPTS, ROWS, PAIRS, DROPPED, EVALUATIONS)}
SHOWN = 400  # characters of a text in a table: two lines of it are seen, and all of it is searched
OWN_WORDS = ("by_hand", "label_id", "place")  # names of columns that the pages add


def listing_select(listing: Listing, scorers: Sequence[str]) -> str:
    """Return the SELECT of a listing, with a column for each of these scorers, and an id that labels are found by.

    A scorer that has the name of another column has ``_score`` at the end of its name.
    """
    taken = {*OWN_WORDS, *listing.shown, *listing.hidden, *listing.facets, "tokens", "characters", "sample"}
    columns = ""
    for scorer in scorers:
        name = scorer or "unnamed"  # SQL has no name without characters
        while name.lower() in taken:
            name += "_score"
        taken.add(name.lower())
        columns += f""", max(value) FILTER (scorer = {literal(scorer)}) AS {quoted(name)}"""
    sql = listing.sql.replace("{scores}", columns)
    cut = ", ".join(f"left({name}, {SHOWN}) AS {name}" for name in listing.texts)
    return f"SELECT * REPLACE ({cut}), {listing.label} AS label_id FROM ({sql})"
