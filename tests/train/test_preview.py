import json
from pathlib import Path
from typing import Any, cast

import polars as pl
import pytest

from schemas.errors import UserError
from tests.train.tables import preference_rows, prompt, rl_rows, sft_rows, turns

pytest.importorskip("tokenizers")
pytest.importorskip("jinja2")
from train.preview import Sample, preview  # noqa: E402

pytestmark = pytest.mark.slow  # they need the tiny model


def samples_of(rows: pl.DataFrame, dataset_type: str, folder: Path, max_length: int | None = 1024) -> list[Sample]:
    """The preview with a tokenizer that is there."""
    found = preview(rows, dataset_type, folder, max_length=max_length)
    assert found is not None
    return found


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
    (whole,) = samples_of(sft_rows(1), "sft", tiny, max_length=None)
    (sample,) = samples_of(sft_rows(1), "sft", tiny, max_length=5)
    assert sample.tokens == whole.tokens[:5] and sample.length == whole.length


def test_without_tokenizer_or_template_there_is_no_preview(tmp_path: Path, tiny: Path):
    assert preview(sft_rows(1), "sft", tmp_path) is None
    assert preview(sft_rows(1), "sft", None) is None
    (tmp_path / "tokenizer.json").write_bytes((tiny / "tokenizer.json").read_bytes())
    assert preview(sft_rows(1), "sft", tmp_path) is None


def test_a_template_is_hostile_and_its_refusal_names_the_row(tmp_path: Path, tiny: Path):
    (tmp_path / "tokenizer.json").write_bytes((tiny / "tokenizer.json").read_bytes())
    for template in ("{{ raise_exception('no system turns') }}", "{{ messages.append(1) }}{{ ''.__class__() }}"):
        (tmp_path / "chat_template.jinja").write_text(template)
        with pytest.raises(UserError, match="row r_0: the model's chat template refuses it"):
            preview(sft_rows(1), "sft", tmp_path)


TEMPLATES = {
    "chatml": None,
    # Renders an earlier assistant turn without its reasoning, reads tools, and uses a special token and loop controls.
    "reasoning": (
        "{{ bos_token or '' }}{% if tools %}{{ tools | tojson(indent=2) }}\n{% endif %}"
        "{% for m in messages %}\n{% if m.role == 'system' %}{% continue %}{% endif %}\n"
        "<|im_start|>{{ m.role }}\n{% generation %}{% if m.reasoning_content is defined and loop.last %}<think>"
        "{{ m.reasoning_content }}</think>{% endif %}{{ m.content | trim }}{% endgeneration %}{{ eos_token }}\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n<think>{% endif %}"
    ),
}


@pytest.mark.parametrize("template", list(TEMPLATES))
def test_the_preview_is_what_sft_trainer_makes_of_the_same_rows(tmp_path: Path, tiny: Path, template: str):
    pytest.importorskip("trl")
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    from curate.models.model_ref import ModelRef
    from curate.models.weights import load
    from train.data import to_dataset

    tokenizer: Any = AutoTokenizer.from_pretrained(tiny)
    tokenizer.chat_template = TEMPLATES[template] or tokenizer.chat_template
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    old = {"role": "assistant", "content": " old ", "reasoning_content": "why"}
    several = json.dumps([{"role": "system", "content": "s"}, *json.loads(prompt(1)), old, *json.loads(prompt(2))])
    thought = json.dumps([{"role": "assistant", "content": "naïve 漢字 🙂 ", "reasoning_content": "because\n"}])
    rows = sft_rows(6).with_columns(
        prompt=pl.when(pl.col("row_id") == "r_3").then(pl.lit(several)).otherwise("prompt"),
        completion=pl.when(pl.col("row_id") == "r_3").then(pl.lit(thought)).otherwise("completion"),
        tools=pl.when(pl.col("row_id") == "r_2").then(pl.lit('[{"type": "function", "function": {"name": "f<é"}}]')),
    )
    config = SFTConfig(str(tmp_path), max_length=48, use_cpu=True, bf16=False, disable_tqdm=True)
    trainer = SFTTrainer(
        load(ModelRef("student", "tiny@0", str(tiny)))[0],
        config,
        processing_class=tokenizer,
        train_dataset=to_dataset(rows, "sft"),
    )
    samples = samples_of(rows, "sft", tmp_path / "tokenizer", max_length=48)
    tokenised = cast(Dataset, trainer.train_dataset)
    assert len(tokenised) >= 4
    for row in tokenised.to_list():
        sample = samples[row["row_index"]]
        assert sample.learnt == [label != -100 for label in row["labels"]]
        if sample.length <= 48:
            assert "".join(sample.tokens) == tokenizer.decode(row["input_ids"])
