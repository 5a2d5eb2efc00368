"""The tables of the store and their columns: the contract between the stages, the store and SQL queries.

Each table is a mapping of column names to SQL types (``curate.storage.polars_types`` has the Polars types).
Messages, tools, metadata and scores are JSON text, so that Arrow never fills a tool call with nulls; in SQL they have
the type ``JSON``. ``detail`` and ``evidence`` are texts, which are JSON where a step says more than one thing. Columns
may be added; none is ever renamed or removed.
"""

TEXT, INTEGER, NUMBER, FLAG, TIME = "VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN", "TIMESTAMP"
JSON = "JSON"  # text in the store's files and in Arrow, JSON in SQL
TEXTS = "VARCHAR[]"

PROMPTS = {
    "prompt_id": TEXT, "messages": JSON, "tools": JSON, "prompt": TEXT, "ground_truth": TEXT, "source": TEXT,
    "metadata": JSON, "line": INTEGER, "file": TEXT, "parent_ids": TEXTS, "family": TEXT,
}  # fmt: skip
COMPLETIONS = {
    "completion_id": TEXT, "prompt_id": TEXT, "sample_index": INTEGER, "model": TEXT, "messages": JSON,
    "response": TEXT, "reasoning_content": TEXT, "finish_reason": TEXT, "prompt_tokens": INTEGER,
    "completion_tokens": INTEGER, "parent_id": TEXT, "error": TEXT, "answered_by": TEXT,
}  # fmt: skip
SCORES = {"row_id": TEXT, "scorer": TEXT, "value": NUMBER, "error": TEXT, "detail": TEXT}
DECISIONS = {"row_id": TEXT, "stage": TEXT, "kept": FLAG, "reason": TEXT, "evidence": TEXT}
DIVERSITY = {
    "stage": TEXT, "set": TEXT, "rows": INTEGER, "covering_radius": NUMBER, "mean_distance": NUMBER, "vendi": NUMBER,
    "clusters": TEXT, "sampled": INTEGER,
}  # fmt: skip
SFT = {
    "row_id": TEXT, "prompt_id": TEXT, "completion_id": TEXT, "prompt": JSON, "completion": JSON, "tools": JSON,
    "score": NUMBER, "scores": JSON, "dataset": TEXT, "split": TEXT,
}  # fmt: skip
PREFERENCES = {
    "row_id": TEXT, "prompt_id": TEXT, "chosen_id": TEXT, "rejected_id": TEXT, "prompt": JSON, "chosen": JSON,
    "rejected": JSON, "tools": JSON, "chosen_score": NUMBER, "rejected_score": NUMBER, "scores": JSON,
    "dataset": TEXT, "split": TEXT,
}  # fmt: skip
UNPAIRED = {
    "row_id": TEXT, "prompt_id": TEXT, "completion_id": TEXT, "prompt": JSON, "completion": JSON, "label": FLAG,
    "tools": JSON, "score": NUMBER, "scores": JSON, "dataset": TEXT, "split": TEXT,
}  # fmt: skip
RL_PROMPTS = {
    "row_id": TEXT, "prompt_id": TEXT, "prompt": JSON, "ground_truth": TEXT, "metadata": JSON, "tools": JSON,
    "pass_rate": NUMBER, "scores": JSON, "dataset": TEXT, "split": TEXT,
}  # fmt: skip
EVALUATIONS = {
    "evaluation_id": TEXT, "model": TEXT, "training_id": TEXT, "dataset": TEXT, "split": TEXT, "row_id": TEXT,
    "prompt_id": TEXT, "sample_index": INTEGER, "prompt": TEXT, "response": TEXT, "finish_reason": TEXT,
    "scorer": TEXT, "value": NUMBER, "error": TEXT, "detail": TEXT, "tokens": INTEGER, "family": TEXT,
    "source": TEXT, "metadata": JSON, "prompt_length": INTEGER,
}  # fmt: skip
COMPARISONS = {
    "comparison_id": TEXT, "recipe": TEXT, "dataset": TEXT, "split": TEXT, "scorer": TEXT, "better": TEXT, "arm": TEXT,
    "versus": TEXT, "on_top": FLAG, "seed": INTEGER, "seeds": INTEGER, "prompts": INTEGER, "families": INTEGER,
    "nulls": INTEGER, "mean": NUMBER, "versus_mean": NUMBER, "difference": NUMBER, "low": NUMBER, "high": NUMBER,
    "freedom": NUMBER, "p": NUMBER, "p_holm": NUMBER, "new_low": NUMBER, "new_high": NUMBER, "seed_sd": NUMBER,
    "smallest": NUMBER, "steps": INTEGER, "versus_steps": INTEGER, "tokens": INTEGER, "versus_tokens": INTEGER,
    "training_id": TEXT, "versus_training_id": TEXT, "verdict": TEXT, "more_seeds": INTEGER, "why": TEXT,
}  # fmt: skip
TRAININGS = {
    "training_id": TEXT, "name": TEXT, "trainer": TEXT, "dataset": TEXT, "model": TEXT, "base": TEXT, "rows": INTEGER,
    "steps": INTEGER, "seconds": NUMBER, "settings": JSON, "metrics": JSON, "path": TEXT, "versions": JSON,
}  # fmt: skip
TRAINING_ROWS = {"training_id": TEXT, "row_id": TEXT, "fate": TEXT, "cut_tokens": INTEGER}
ROW_LOSSES = {
    "training_id": TEXT, "step": INTEGER, "epoch": NUMBER, "row_id": TEXT, "phase": TEXT, "loss": NUMBER,
    "tokens": INTEGER, "entropy": NUMBER, "margin": NUMBER,
}  # fmt: skip
ROLLOUTS = {
    "training_id": TEXT, "step": INTEGER, "row_id": TEXT, "sample_index": INTEGER, "response": TEXT, "reward": TEXT,
    "value": NUMBER, "error": TEXT, "prompt_id": TEXT, "advantage": NUMBER, "phase": TEXT, "finish_reason": TEXT,
    "tokens": INTEGER,
}  # fmt: skip
STAGES = {
    "stage_id": TEXT, "run_id": TEXT, "recipe": TEXT, "position": INTEGER, "stage": TEXT, "reused": FLAG,
    "rows_in": INTEGER, "rows_out": INTEGER, "seconds": NUMBER, "made_at": TIME, "settings": JSON, "inputs": TEXT,
    "path": TEXT,
}  # fmt: skip
RUNS = {
    "run_id": TEXT, "recipe": TEXT, "command": TEXT, "status": TEXT, "started_at": TIME, "seconds": NUMBER,
    "requests": INTEGER, "requests_reused": INTEGER, "prompt_tokens": INTEGER, "completion_tokens": INTEGER,
    "error": TEXT, "resolved": JSON, "version": TEXT, "cost": NUMBER, "number": INTEGER,
}  # fmt: skip
COSTS = {
    "run_id": TEXT, "recipe": TEXT, "model": TEXT, "identity": TEXT, "requests": INTEGER, "replies": INTEGER,
    "failed": INTEGER, "prompt_tokens": INTEGER, "completion_tokens": INTEGER, "cost": NUMBER, "seconds": NUMBER,
}  # fmt: skip

# The tables that a stage may write, each with its key: rows of two recipes with the same key are one row in SQL.
STAGE_TABLES = {
    "prompts": (PROMPTS, ("prompt_id",)),
    "completions": (COMPLETIONS, ("completion_id",)),
    "scores": (SCORES, ("row_id", "scorer")),
    "decisions": (DECISIONS, ("row_id", "stage")),
    "diversity": (DIVERSITY, ("stage", "set")),
    "sft": (SFT, ("row_id", "dataset")),
    "preferences": (PREFERENCES, ("row_id", "dataset")),
    "unpaired": (UNPAIRED, ("row_id", "dataset")),
    "rl_prompts": (RL_PROMPTS, ("row_id", "dataset")),
    "trainings": (TRAININGS, ("training_id",)),
    "training_rows": (TRAINING_ROWS, ("training_id", "row_id")),
    "row_losses": (ROW_LOSSES, ("training_id", "step", "row_id", "phase")),
    "rollouts": (ROLLOUTS, ("training_id", "step", "row_id", "sample_index", "reward")),
    "evaluations": (EVALUATIONS, ("evaluation_id", "row_id", "sample_index", "scorer")),
    "comparisons": (COMPARISONS, ("comparison_id", "split", "scorer", "arm", "versus", "seed")),
}
# The reason of a decision that keeps a recorded answer whose row was joined to an earlier row's prompt, with other
# metadata than that row's; the evidence is the answer's own metadata.
OTHER_METADATA = "its row's metadata are not its prompt's"
HISTORY_TABLES = {"stages": STAGES, "runs": RUNS, "costs": COSTS}
DATASET_TABLES = {"sft": "sft", "preference": "preferences", "unpaired": "unpaired", "prompt": "rl_prompts"}

# Tables of which each row was made by one run: in SQL they have its ``run_id`` as a further column, at the end.
RUN_TABLES = ("decisions", "trainings", "training_rows", "row_losses", "rollouts", "evaluations", "comparisons")
# What is in SQL beside the tables, with what a row is: views, and macros that are called like functions.
VIEWS = {
    "candidates": "a candidate with its prompt and every score as a column",
    "dropped": "a row that a stage dropped: the reason, the evidence, the texts",
    "funnel": "how many rows a stage of a run got, kept, and dropped for a reason",
    "duplicates": "a row of a cluster of duplicates, with its text and how similar it is",
    "leaks": "a row that decontaminate dropped, beside the benchmark's text that it repeats",
    "examples": "a row of a dataset, of any type, as plain texts",
    "pairs": "a preference pair as plain texts, with its scores and margin",
    "trained_on": "a row that a training was given, with its texts, its fate and its losses",
    "leaderboard": "a model's mean by a scorer on a split, and the change from its start",
    "decision_history": "a decision of any run, also of one whose rows are not shown any more",
    "embeddings": "a stored embedding, by the hash of its text",
    "by_hand": "a label that a person gave: keep, drop, prefer, edit, note",
}
MACROS = {
    "k_curve(scorer)": "the expected best score of k candidates of a prompt",
    "why(id)": "a step in the history of a row",
    "nearest(id, k)": "a row whose text is like that of row id",
}
DECISION_HISTORY = DECISIONS | {"path": TEXT, "row": INTEGER}
BY_HAND = {"row_id": TEXT, "label": TEXT, "over_id": TEXT, "text": TEXT, "person": TEXT, "given_at": TIME}
EMBEDDINGS = {"model": TEXT, "text_hash": TEXT, "value": "FLOAT[]"}
