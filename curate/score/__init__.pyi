"""Scorers, one a file: ``score(columns, *, settings)`` returns a value for each row. Recipes name the file."""

# Written by `make stubs`, from the signatures of the steps.

from collections.abc import Mapping
from typing import Any, Literal

import polars as pl
from pydantic import JsonValue

from curate.api.step_columns import Column, Rows
from curate.verifiers.math.final_answers.response_answers import Reading
from schemas.progress import Progress

def agreement(
    prompt_id: Column | Rows = ...,
    response: Column = ...,
    *,
    answer: Literal["math", "text"] = "math",
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """Self-consistency: the share of a prompt's answers that are the same as this one (arXiv 2203.11171)."""

def boilerplate(
    response: Column | Rows = ...,
    *,
    kinds: list[str] | None = None,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """The number of stock phrases of assistants in the response: "as an AI language model", "I hope this helps" ..."""

def code(
    response: Column | Rows = ...,
    ground_truth: Column = ...,
    *,
    seconds: float = 6.0,
    total: float = 60.0,
    memory: int = 1024,
    validate: bool = False,
    weak: Literal["keep", "refuse"] = "keep",
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """The share of the prompt's unit tests that the response's code passes, run in a sandbox (bubblewrap, Linux only)."""

def combine(
    scores: Rows = ...,
    *,
    sql: str,
    zscore: bool | list[str] = False,
    debias: str | None = None,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """One score from several, by an SQL expression over them: ``0.7 * math + 0.3 * (quality / 10) - 0.001 * length``."""

def consensus(
    prompt_id: Column | Rows = ...,
    response: Column = ...,
    *,
    similarity: Literal["ngrams", "embeddings"] = "ngrams",
    ngram: int = 4,
    model: str = "minilm",
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """The mean similarity of the response to its prompt's other candidates: minimum Bayes risk decoding, without a judge."""

def constraints(
    response: Column | Rows = ...,
    ground_truth: Column = ...,
    *,
    strict: bool = True,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """The share of a prompt's format constraints that the response satisfies, checked by programs (arXiv 2311.07911)."""

def exact_match(
    response: Column | Rows = ...,
    ground_truth: Column = ...,
    *,
    several: bool | None = None,
    ignore_typography: bool = True,
    ignore_space: bool = True,
    ignore_punctuation: bool = True,
    ignore_case: bool = True,
    ignore_articles: bool = False,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """1.0 where the response equals the ground truth, or one of its accepted answers, after normalisation; else 0.0."""

def format(
    response: Column | Rows = ...,
    reasoning_content: Column = ...,
    *,
    tags: list[str] = ...,
    outside: bool = False,
    reasoning: bool = True,
    partial: bool = False,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """1.0 where the response is ``<think>...</think>`` and then ``<answer>...</answer>``, 0.0 where it is not."""

def ifd(
    response: Column | Rows = ...,
    messages: Column = ...,
    completion: Column = ...,
    tools: Column = ...,
    *,
    model: str,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """Instruction-following difficulty: the loss of the response given its prompt, over its loss alone (arXiv 2308.12032)."""

def json_schema(
    response: Column | Rows = ...,
    ground_truth: Column = ...,
    *,
    schema: dict[str, JsonValue] | None = None,
    fenced: bool = False,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """1.0 where the response is JSON that follows a JSON Schema, 0.0 where it is not JSON or does not follow it."""

def judge(
    response: Column | Rows = ...,
    messages: Column = ...,
    ground_truth: Column = ...,
    completion: Column = ...,
    tools: Column = ...,
    reasoning_content: Column = ...,
    *,
    model: str | list[str],
    rubric: str | list[str] = "quality",
    scale: list[int] | None = None,
    panel: Literal["mean", "median", "min"] = "mean",
    reference: bool = True,
    reasoning: bool = False,
    explain: bool = True,
    weighted: bool = True,
    temperature: float = 0.0,
    max_tokens: int | None = None,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """A model's score of the response by a rubric (LLM as a judge), or the mean score of a panel of models."""

def judge_pairwise(
    prompt_id: Column | Rows = ...,
    response: Column = ...,
    messages: Column = ...,
    ground_truth: Column = ...,
    completion: Column = ...,
    tools: Column = ...,
    reasoning_content: Column = ...,
    *,
    model: str | list[str],
    against: Literal["others", "reference"] = "others",
    rounds: int | None = None,
    rubric: str = "quality",
    reasoning: bool = False,
    explain: bool = True,
    weighted: bool = False,
    temperature: float = 0.0,
    max_tokens: int | None = None,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """The share of pairwise comparisons that a response wins, as a model judges: with other candidates or the reference."""

def language(
    response: Column | Rows = ...,
    prompt: Column = ...,
    *,
    want: str | None = None,
    sure: float = 0.5,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """1.0 where the response is in a given language, or else in the prompt's; 0.0 where it is in another."""

def length(
    response: Column | Rows = ...,
    completion_tokens: Column = ...,
    *,
    unit: Literal["characters", "words", "tokens", "estimated_tokens"] = "words",
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """How long the response is, in characters, words or tokens."""

def lines(
    response: Column | Rows = ...,
    *,
    measure: Literal["count", "breaks", "bullets", "ellipses", "punctuated", "short", "c4_lines"] = "count",
    short: int = 30,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """The number of the response's lines, or the share that are bullets, end in an ellipsis, end a sentence, are short ..."""

def math(
    response: Column | Rows = ...,
    ground_truth: Column = ...,
    *,
    reading: Reading = "auto",
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """1.0 where the response's final answer equals the ground truth's, 0.0 where it does not: numbers, LaTeX, sets, words."""

def pass_rate(
    prompt_id: Column | Rows = ...,
    score: Column = ...,
    *,
    at: float = 1.0,
    by: str = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """The share of a prompt's candidates that pass: whose score, from another scorer (``by``), is at least ``at``."""

def perplexity(
    response: Column | Rows = ...,
    messages: Column = ...,
    completion: Column = ...,
    tools: Column = ...,
    *,
    model: str,
    given_prompt: bool = True,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """The perplexity of the response under a model: the exponential of its mean loss per token."""

def pii(
    response: Column | Rows = ...,
    *,
    kinds: list[str] | None = None,
    region: str = "US",
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """The number of personal items (mail addresses, phone, card and bank numbers ...) in the response; 0.0 is clean."""

def refusal(
    response: Column | Rows = ...,
    *,
    head: int = 250,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """1.0 where the response refuses to answer, or speaks "as an AI"; 0.0 elsewhere."""

def regex(
    response: Column | Rows = ...,
    *,
    pattern: str,
    reasoning: bool = False,
    literal: bool = False,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """1.0 where a regular expression matches anywhere in the response, 0.0 where it does not."""

def repeated_lines(
    response: Column | Rows = ...,
    *,
    of: Literal["lines", "paragraphs"] = "lines",
    by: Literal["number", "characters"] = "number",
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """The share of the response's lines or paragraphs that repeat an earlier one, by number or by characters."""

def repeated_ngrams(
    response: Column | Rows = ...,
    *,
    n: int = 5,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """The share of the response's characters in repeated n-grams of words: 0.0 for none, near 1.0 for a loop."""

def repetition(
    response: Column | Rows = ...,
    *,
    ngram: int = 3,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """The share of the response's word n-grams that repeat an earlier one: 0.0 for no repetition, near 1.0 for a loop."""

def reward_model(
    response: Column | Rows = ...,
    messages: Column = ...,
    completion: Column = ...,
    tools: Column = ...,
    *,
    model: str,
    label: str | None = None,
    system: bool = True,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """A reward model's score of the response: the unchanged output of a sequence-classification model."""

def secrets(
    response: Column | Rows = ...,
    *,
    kinds: list[str] | None = None,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """The number of API keys, tokens and private keys in the response; 0.0 is clean. The filter ``secrets > 0`` drops rows."""

def sentences(
    response: Column | Rows = ...,
    *,
    of: Literal["all", "c4"] = "all",
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """The number of sentences in the response, on all of its lines or on those that C4 would keep."""

def share(
    response: Column | Rows = ...,
    *,
    of: Literal["letters", "digits", "symbols", "uppercase", "spaces"] = "symbols",
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """The share of the response's characters that are letters, digits, symbols or white space, or of letters, capitals."""

def similarity(
    response: Column | Rows = ...,
    ground_truth: Column = ...,
    prompt: Column = ...,
    *,
    to: Literal["ground_truth", "prompt"] = "ground_truth",
    model: str = "minilm",
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """The similarity in meaning of the response and a reference: the cosine of their embeddings."""

def tool_call(
    response: Column | Rows = ...,
    completion: Column = ...,
    tools: Column = ...,
    ground_truth: Column = ...,
    *,
    partial: bool = False,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """1.0 where the response's tool calls are valid: readable, of functions that exist, with fitting, expected arguments."""

def top_ngram(
    response: Column | Rows = ...,
    *,
    n: int = 2,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """The share of the response's characters that its most frequent n-gram of words covers; 0.0 if none occurs twice."""

def toxicity(
    response: Column | Rows = ...,
    *,
    model: str,
    label: str = "toxic",
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """The probability that the response is toxic, by a classifier: the probability of one of its labels."""

def unfinished(
    response: Column | Rows = ...,
    finish_reason: Column = ...,
    reasoning_content: Column = ...,
    completion: Column = ...,
    *,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """1.0 where the response was cut off, 0.0 where it ends as an answer does; ``detail`` says what it ends in."""

def urls(
    response: Column | Rows = ...,
    *,
    by: Literal["number", "characters"] = "number",
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """The number of web addresses in the response, or their share of its characters."""

def words(
    response: Column | Rows = ...,
    *,
    measure: Literal["mean_length", "longest", "lettered", "stop_words", "hashes", "ellipses"] = "mean_length",
    stop_words: list[str] = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """Statistics of the response's words: mean length, the longest, share with letters, stop words, # and ellipses."""
