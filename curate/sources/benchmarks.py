"""Benchmarks that ``decontaminate`` knows by name, and reading what it is against: those, files, and hub data sets.

A name stands for a data set on the hub: which configurations and which split are asked of a model, and the fields that
hold the question (several are joined: a passage and its question). Choices and answers are not compared, as in Tulu 3.
"""

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from curate.sources.hub import is_hub_name, read_hub
from curate.sources.reference_data import SCHEMA, ReferenceData, read_reference_data
from schemas.errors import UserError, unknown
from schemas.ids import fingerprint


class Benchmark(NamedTuple):
    """Where a benchmark's questions are: a data set on the hub, its split, their fields, its configurations."""

    path: str
    split: str
    fields: tuple[str, ...]
    configs: tuple[str | None, ...] = (None,)


MATH = (
    "algebra",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "number_theory",
    "prealgebra",
    "precalculus",
)
BBH = (
    "boolean_expressions",
    "causal_judgement",
    "date_understanding",
    "disambiguation_qa",
    "dyck_languages",
    "formal_fallacies",
    "geometric_shapes",
    "hyperbaton",
    "logical_deduction_five_objects",
    "logical_deduction_seven_objects",
    "logical_deduction_three_objects",
    "movie_recommendation",
    "multistep_arithmetic_two",
    "navigate",
    "object_counting",
    "penguins_in_a_table",
    "reasoning_about_colored_objects",
    "ruin_names",
    "salient_translation_error_detection",
    "snarks",
    "sports_understanding",
    "temporal_sequences",
    "tracking_shuffled_objects_five_objects",
    "tracking_shuffled_objects_seven_objects",
    "tracking_shuffled_objects_three_objects",
    "web_of_lies",
    "word_sorting",
)
SHIPPED = {
    "aime24": Benchmark("HuggingFaceH4/aime_2024", "train", ("problem",)),
    "aime25": Benchmark("math-ai/aime25", "test", ("problem",)),
    "arc_challenge": Benchmark("allenai/ai2_arc", "test", ("question",), ("ARC-Challenge",)),
    "arc_easy": Benchmark("allenai/ai2_arc", "test", ("question",), ("ARC-Easy",)),
    "bbh": Benchmark("SaylorTwift/bbh", "test", ("input",), BBH),
    "drop": Benchmark("ucinlp/drop", "validation", ("passage", "question")),
    "gpqa": Benchmark("Idavidrein/gpqa", "train", ("Question",), ("gpqa_extended",)),
    "gsm8k": Benchmark("openai/gsm8k", "test", ("question",), ("main",)),
    "hellaswag": Benchmark("Rowan/hellaswag", "validation", ("ctx",)),
    "humaneval": Benchmark("openai/openai_humaneval", "test", ("prompt",)),
    "ifeval": Benchmark("google/IFEval", "train", ("prompt",)),
    "math": Benchmark("EleutherAI/hendrycks_math", "test", ("problem",), MATH),
    "math500": Benchmark("HuggingFaceH4/MATH-500", "test", ("problem",)),
    "mbpp": Benchmark("google-research-datasets/mbpp", "test", ("text",), ("full",)),
    "mmlu": Benchmark("cais/mmlu", "test", ("question",), ("all",)),
    "mmlu_pro": Benchmark("TIGER-Lab/MMLU-Pro", "test", ("question",)),
    "popqa": Benchmark("akariasai/PopQA", "test", ("question",)),
    "truthfulqa": Benchmark("truthfulqa/truthful_qa", "validation", ("question",), ("generation",)),
    "winogrande": Benchmark("allenai/winogrande", "validation", ("sentence",), ("winogrande_xl",)),
}


def read_benchmarks(
    against: Any, folder: Path, own: Path, where: str, load: Callable[..., Any] | None = None
) -> ReferenceData:
    """Read what a ``decontaminate`` step is against: a name of ``SHIPPED``, what ``read_other`` takes, or a list.

    A file of that name goes before a shipped one. Paths are relative to ``folder``; ``own`` is the store written to;
    ``load`` stands in for ``datasets.load_dataset`` where a shipped one is read. Raises ``UserError`` beginning with
    ``where``. What is on the hub is read once in a process.
    """
    parts, contents = [pl.DataFrame(schema=SCHEMA)], []
    entries = against if isinstance(against, list) else [against]
    for entry in entries or [[]]:
        path = entry.get("path") if isinstance(entry, dict) else entry
        if not isinstance(path, str) or not path:
            raise UserError(
                f"{where}: decontaminate: against: expected a file, or a list of files, hub data sets and "
                f"known benchmarks, found {entry!r}"
            )
        here = (folder / Path(path).expanduser()).exists()
        if isinstance(entry, str) and not here and entry in SHIPPED:
            read = _shipped(entry, where, load)
        elif isinstance(entry, str) and not here and not is_hub_name(entry) and not Path(entry).suffix:
            raise unknown("file, hub data set or known benchmark", entry, SHIPPED, f"{where}: decontaminate: against")
        elif here:
            read = read_reference_data(entry, "prompt", folder, own, f"{where}: decontaminate")
        else:
            read = _hub(json.dumps(entry, default=str), folder, own, where)
        parts.append(read.rows)
        contents.append(read.content)
    return ReferenceData(pl.concat(parts), fingerprint(contents))


@lru_cache(maxsize=16)
def _hub(entry: str, folder: Path, own: Path, where: str) -> ReferenceData:
    return read_reference_data(json.loads(entry), "prompt", folder, own, f"{where}: decontaminate")


@lru_cache(maxsize=32)
def _shipped(name: str, where: str, load: Callable[..., Any] | None) -> ReferenceData:
    """The questions of a benchmark; its rows are numbered through all its configurations."""
    known, texts = SHIPPED[name], []
    try:
        for config in known.configs:
            rows = read_hub(known.path, name=config, split=known.split, load=load)
            texts += [_question(raw.row, known) for raw in rows]
        if not texts:
            raise UserError(f"{known.path} has no rows")
    except UserError as error:
        raise UserError(f"{where}: decontaminate: against: {name}: {error}") from None
    rows = pl.DataFrame({"text": texts, "file": name, "line": range(1, len(texts) + 1), "row_id": None})
    return ReferenceData(rows.select(pl.col(column).cast(kind) for column, kind in SCHEMA.items()), fingerprint(texts))


def _question(row: Any, known: Benchmark) -> str:
    for field in known.fields:
        if not isinstance(row, dict) or not isinstance(row.get(field), str):
            found = ", ".join(row) if isinstance(row, dict) else repr(row)[:80]
            raise UserError(
                f"a row of {known.path} has no text {field!r} (it has: {found}); name the data set and its "
                f"field yourself: {{path: {known.path}, fields: {{prompt: ...}}}}"
            )
    return "\n".join(row[field] for field in known.fields)
