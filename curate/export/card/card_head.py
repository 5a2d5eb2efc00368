"""The YAML at the head of a data set's card, by which the hub lists and loads it."""

from collections import Counter
from importlib.util import find_spec
from typing import Any

import polars as pl

from curate.algorithms.text.language import detect
from curate.export.about import About
from curate.export.arrow_schema import card_features
from curate.export.facts import Found
from curate.export.licences import hub_licences
from curate.storage.dataset_rows import first_prompts
from curate.storage.stage import Stage
from schemas.json_text import parse
from schemas.yaml_text import yaml_text

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
         (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"), (1_000_000_000, "100M<n<1B"))  # fmt: skip
TRAINED = {"sft": "sft", "preference": "dpo", "unpaired": "kto", "prompt": "grpo"}
LOOKED_AT, SURE, SHARE = 200, 0.9, 0.1  # rows of which the language is looked at; the least certainty and share


def card_head(found: Found, about: About, refused: int) -> str:
    """Return the head, with the lines around it.

    Args:
        found: The dataset.
        about: The export.
        refused: How many refused rows are beside it.
    """
    made = any(isinstance(step, dict) and step.get("verb") == "generate" for step in _steps(found))
    tags = ["gristmill", TRAINED[found.kind], "conversational"]
    tags += ["synthetic"] if made else []
    tags += ["tool-calling"] if "tools" in about.columns else []
    has_model = find_spec("py3langid") is not None
    languages = row_languages(found.stage, found.table) if has_model else []
    if not has_model:
        about.notes.append("the card names no language: to detect one, pip install 'gristmill[steps]'")
    head: dict[str, Any] = {
        **hub_licences(found.sources),
        **({"language": languages} if languages else {}),
        "pretty_name": found.name,
        "size_categories": [next((name for size, name in SIZES if about.rows < size), "n>1T")],
        "task_categories": ["text-generation"],
        "tags": tags,
    }
    configs = _configs(about, refused)
    head |= {"configs": configs} if configs else {}
    # JSON Lines have no types of their own: what is named here is not guessed of the first rows.
    typed = {"config_name": "default", "features": card_features(about.types)}
    head |= {"dataset_info": [typed]} if about.types else {}
    return f"---\n{yaml_text(head, width=1000)}---\n"


def _steps(found: Found) -> list[Any]:
    return [*(found.resolved.get("prompts") or []), *(found.resolved.get("completions") or [])]


def _configs(about: About, refused: int) -> list[dict[str, Any]]:
    """Return which files are which split; nothing of a folder that ``load_from_disk`` reads."""
    if about.format == "datasets":
        return []
    files = [{"split": split, "path": _pattern(names)} for split, names in about.written.items()]
    found: list[dict[str, Any]] = [{"config_name": "default", "default": True, "data_files": files}]
    if refused:
        found.append(
            {"config_name": "refused", "data_files": [{"split": "train", "path": "refused/data/train-*.parquet"}]}
        )
    return found


def _pattern(names: list[str]) -> str:
    """Return the pattern of a split's shards, or its one file."""
    first, dash, rest = names[0].partition("-00000-of-")
    return f"{first}-*.{rest.rpartition('.')[2]}" if dash else names[0]


def row_languages(stage: Stage, table: str) -> list[str]:
    """Return the languages (ISO 639-1) of the first rows' prompts, the most frequent first; none where few are sure."""
    texts = pl.Series("text", [_last_text(text) for text in first_prompts(table, stage, LOOKED_AT)], dtype=pl.String)
    found = detect(texts)
    sure = found.filter(pl.col("probability") >= SURE)["language"].drop_nulls().to_list()
    counts = Counter(sure)
    return [language for language, count in counts.most_common() if count >= SHARE * texts.len()]


def _last_text(prompt: str) -> str:
    turns = parse(prompt)
    users = [turn["content"] for turn in turns if isinstance(turn, dict) and turn.get("role") == "user"]
    return users[-1][:2_000] if users and isinstance(users[-1], str) else ""
