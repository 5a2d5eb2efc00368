import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from schemas.errors import UserError
from schemas.recipe import Training
from tests.train.tables import preference_rows, prompt, rl_rows, sft_rows, turns

pytest.importorskip("tokenizers")
pytest.importorskip("jinja2")
from curate.models.chat.chat import Chat, chat_in  # noqa: E402
from train.preview import Sample, preview, training_examples  # noqa: E402

pytestmark = pytest.mark.slow  # they need the tiny model

TRAINER = {"sft": "sft", "preference": "dpo", "prompt": "grpo"}
WHERE = "r.yaml:9: train.one"


def training_of(kind: str, **settings: Any) -> Training:
    return Training(trainer=TRAINER[kind], dataset="d", model="student", **settings)


def chat_of(folder: Path) -> Chat:
    chat = chat_in(folder)
    assert chat is not None
    return chat


def samples_of(rows: pl.DataFrame, kind: str, folder: Path, max_length: int | None = 1024) -> list[Sample]:
    return preview(rows, training_of(kind, max_length=max_length), kind, chat_of(folder))


def other_template(tmp_path: Path, tiny: Path, template: str) -> Chat:
    """The chat of the tiny model with another template."""
    (tmp_path / "tokenizer.json").write_bytes((tiny / "tokenizer.json").read_bytes())
    (tmp_path / "chat_template.jinja").write_text(template)
    return chat_of(tmp_path)


def test_tokens_add_up_to_the_text_and_the_answer_is_learnt(tiny: Path):
    (sample,) = samples_of(sft_rows(1), "sft", tiny)
    text = "<|im_start|>user\nanswer the 0<|im_end|>\n<|im_start|>assistant\nthe a<|im_end|>\n"
    assert "".join(sample.tokens) == text
    learnt = "".join(t for t, is_learnt in zip(sample.tokens, sample.learnt, strict=True) if is_learnt)
    assert learnt == "the a<|im_end|>\n"
    assert sample.length == len(sample.tokens) == len(sample.learnt)


def test_pairs_give_two_samples_and_prompts_none_to_learn(tiny: Path):
    samples = samples_of(preference_rows(1), "preference", tiny)
    assert [(s.row_id, s.column) for s in samples] == [("r_0", "chosen"), ("r_0", "rejected")]
    (sample,) = samples_of(rl_rows(1), "prompt", tiny)
    assert not any(sample.learnt)
    assert "".join(sample.tokens).endswith("<|im_start|>assistant\n")


def test_characters_of_several_tokens_are_shown_once(tiny: Path):
    rows = sft_rows(1).with_columns(completion=pl.lit(turns("assistant", "naïve 漢字 🙂")))
    (sample,) = samples_of(rows, "sft", tiny)
    assert "".join(sample.tokens).count("naïve 漢字 🙂") == 1


def test_the_end_is_cut_off_at_max_length(tiny: Path):
    answer = sft_rows(1).with_columns(completion=pl.lit(turns("assistant", "the cat sings " * 9)))
    (whole,) = samples_of(answer, "sft", tiny, max_length=None)
    (sample,) = samples_of(answer, "sft", tiny, max_length=30)
    assert sample.tokens == whole.tokens[:30] and sample.length == whole.length > 30
    (left_out,) = samples_of(sft_rows(1), "sft", tiny, max_length=5)
    assert left_out.tokens == [] and left_out.reason == "longer than max_length: none of the answer is left"


def test_a_row_of_several_sequences_has_a_sample_for_each(tmp_path: Path, tiny: Path):
    last_only = (
        "{% for m in messages %}{{ m.role }}: {% if loop.last and m.reasoning_content is defined %}"
        "({{ m.reasoning_content }}) {% endif %}{{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    traced = [{"role": "assistant", "content": text, "reasoning_content": text.upper()} for text in ("one", "two")]
    asked = json.loads(prompt(1))
    rows = sft_rows(1).with_columns(
        prompt=pl.lit(json.dumps([*asked, traced[0], *asked])), completion=pl.lit(json.dumps(traced[1:]))
    )
    samples = preview(rows, training_of("sft"), "sft", other_template(tmp_path, tiny, last_only))
    assert [sample.part for sample in samples] == [(1, 2), (2, 2)]
    learnt = ["".join(t for t, flag in zip(s.tokens, s.learnt, strict=True) if flag) for s in samples]
    assert learnt == ["(ONE) one\n", "(TWO) two\n"]


def test_without_tokenizer_or_template_there_is_no_chat(tmp_path: Path, tiny: Path):
    assert chat_in(tmp_path) is None
    assert chat_in(None) is None
    (tmp_path / "tokenizer.json").write_bytes((tiny / "tokenizer.json").read_bytes())
    assert chat_in(tmp_path) is None


def test_a_template_is_hostile_and_its_refusal_is_a_reason(tmp_path: Path, tiny: Path):
    for template, said in (
        ("{{ raise_exception('no\x1b system turns') }}", "refuses it: no system turns"),
        ("{{ messages.append(1) }}{{ ''.__class__() }}", "is unsafe"),
    ):
        (sample,) = preview(sft_rows(1), training_of("sft"), "sft", other_template(tmp_path, tiny, template))
        assert sample.row_id == "r_0" and sample.tokens == []
        assert str(sample.reason).startswith("the model's chat template refuses it: ") and said in str(sample.reason)


def test_rows_that_a_training_leaves_out_are_counted_and_shown(tmp_path: Path, tiny: Path):
    blank = pl.when(pl.col("row_id") == "r_1").then(pl.lit(turns("assistant", " "))).otherwise("completion")
    trace = json.dumps([{"role": "assistant", "content": "a", "reasoning_content": "why"}])
    rows = sft_rows(4).with_columns(completion=blank)
    rows = rows.with_columns(completion=pl.when(pl.col("row_id") == "r_2").then(pl.lit(trace)).otherwise("completion"))
    chat = chat_of(tiny)
    refusing, leaving_out = training_of("sft"), training_of("sft", unshown="leave_out")
    with pytest.raises(UserError, match="^r.yaml:9: train.one: the chat template of 'student' prints no reasoning"):
        training_examples(rows, refusing, "sft", chat, WHERE)
    examples = training_examples(rows, leaving_out, "sft", chat, WHERE)
    no_trace = "the model's chat template prints no reasoning"
    assert examples.dropped == {"r_1": "completion is empty", "r_2": no_trace}
    assert examples.counts["rows"] == examples.counts["turns"] == 2
    samples = preview(rows, leaving_out, "sft", chat, examples.dropped)
    assert [(s.row_id, s.reason) for s in samples] == [
        ("r_0", None), ("r_1", "completion is empty"), ("r_2", no_trace), ("r_3", None)
    ]  # fmt: skip
    with pytest.raises(UserError, match="row r_0, column completion: not JSON"):
        training_examples(rows.with_columns(completion=pl.lit("{")), refusing, "sft", chat, WHERE)


def test_pairs_too_long_and_prompts_without_room_are_left_out(tiny: Path):
    chat, rows = chat_of(tiny), preference_rows(2)
    long = pl.when(pl.col("row_id") == "r_1").then(pl.lit(turns("user", "answer " * 90))).otherwise("prompt")
    rows = rows.with_columns(prompt=long)
    for trainer, reason in (
        ("dpo", "longer than max_length: none of the answer is left"),
        ("reward", "longer than max_length, in one of its answers"),
    ):
        training = Training(trainer=trainer, dataset="d", model="student", max_length=50)
        assert training_examples(rows, training, "preference", chat, WHERE).dropped == {"r_1": reason}
    prompts = rl_rows(2).with_columns(prompt=long)
    examples = training_examples(prompts, training_of("prompt"), "prompt", chat, WHERE, max_prompt=50)
    assert list(examples.dropped) == ["r_1"] and "leaves no room for an answer" in examples.dropped["r_1"]
