"""Read the texts that ``decontaminate`` compares rows with: benchmarks known by name, files and hub data sets.

A benchmark's name stands for a data set on the hub, with the configurations and the split that models are evaluated on
and the fields that hold the question (several are joined, such as a passage and its question). Choices and answers are
not compared, as in Tulu 3 (arXiv 2411.15124).
"""

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from curate.sources.files.file_names import is_pattern
from curate.sources.open_source import is_remote
from curate.sources.reference_data import SCHEMA, ReferenceData, read_reference_data
from curate.sources.remote.hub import read_hub
from schemas.errors import UserError, unknown
from schemas.ids import fingerprint


class Benchmark(NamedTuple):
    """The data set on the hub that holds a benchmark's questions: its split, the fields, its configurations."""

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
    against: Any, folder: Path, own_store: Path, where: str, load: Callable[..., Any] | None = None
) -> ReferenceData:
    """Return the texts that a ``decontaminate`` step compares rows with.

    A data set on the hub is read once in a process.

    Args:
        against: A name in ``SHIPPED``, an entry as ``read_reference_data`` takes it, or a list of these. A file with
            the name of a benchmark is read instead of the benchmark.
        folder: The folder that paths are relative to.
        own_store: The store of this run, which is refused as an entry.
        where: ``file:line``, with which an error begins.
        load: A function in place of ``datasets.load_dataset``, for the benchmarks in ``SHIPPED``.

    Raises:
        UserError: An entry is wrong or cannot be read.
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
        local = folder / Path(path).expanduser()
        is_local = local.exists() or is_pattern(local)
        if isinstance(entry, str) and not is_local and entry in SHIPPED:
            data = _read_shipped(entry, where, load)
        elif isinstance(entry, str) and not is_local and not is_remote(entry, folder) and not Path(entry).suffix:
            raise unknown("file, hub data set or known benchmark", entry, SHIPPED, f"{where}: decontaminate: against")
        elif is_local:
            data = read_reference_data(entry, "prompt", folder, own_store, f"{where}: decontaminate")
        else:
            data = _read_hub_entry(json.dumps(entry, default=str), folder, own_store, where)
        parts.append(data.rows)
        contents.append(data.content)
    return ReferenceData(pl.concat(parts), fingerprint(contents))


@lru_cache(maxsize=16)
def _read_hub_entry(entry: str, folder: Path, own_store: Path, where: str) -> ReferenceData:
    """Return the texts of an entry, given as JSON text, that is not a local file."""
    return read_reference_data(json.loads(entry), "prompt", folder, own_store, f"{where}: decontaminate")


@lru_cache(maxsize=32)
def _read_shipped(name: str, where: str, load: Callable[..., Any] | None) -> ReferenceData:
    """Return the questions of a benchmark; its rows are numbered through all its configurations."""
    benchmark, texts = SHIPPED[name], []
    try:
        for config in benchmark.configs:
            rows = read_hub(benchmark.path, name=config, split=benchmark.split, load=load)
            texts += [_question(raw.row, benchmark) for raw in rows]
        if not texts:
            raise UserError(f"{benchmark.path} has no rows")
    except UserError as error:
        raise UserError(f"{where}: decontaminate: against: {name}: {error}") from None
    rows = pl.DataFrame({"text": texts, "file": name, "line": range(1, len(texts) + 1), "row_id": None})
    return ReferenceData(rows.select(pl.col(column).cast(kind) for column, kind in SCHEMA.items()), fingerprint(texts))


def _question(row: Any, benchmark: Benchmark) -> str:
    """Return the question of a benchmark's row; raise ``UserError`` where the row has no such field."""
    for field in benchmark.fields:
        if not isinstance(row, dict) or not isinstance(row.get(field), str):
            found = ", ".join(row) if isinstance(row, dict) else repr(row)[:80]
            raise UserError(
                f"a row of {benchmark.path} has no text {field!r} (it has: {found}); name the data set and its "
                f"field yourself: {{path: {benchmark.path}, fields: {{prompt: ...}}}}"
            )
    return "\n".join(row[field] for field in benchmark.fields)
