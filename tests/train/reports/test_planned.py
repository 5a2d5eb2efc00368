"""The lines of ``check`` on a training's size and steps, before anything is loaded."""

from dataclasses import replace

import pytest

from curate.models.chat.chat import chat_for
from schemas.recipe import Training
from tests.command import call
from tests.optional import needs
from tests.train.tables import rl_rows, sft_rows

pytestmark = [needs("trl"), pytest.mark.slow]


def lines(ref, rows, kind, total, start=None, processes=1, **options):
    """Return the lines of a training on rows of a tiny model; ``start`` is the model that is looked up."""
    from train.preview import training_examples
    from train.reports.before.planned import planned_lines

    chat = chat_for(ref)
    assert chat is not None
    training = Training.model_validate({"dataset": "d", "model": "student", **options})
    examples = training_examples(rows, training, kind, chat, "t")
    return planned_lines(training, start or ref, kind, examples, total, 0, processes)


def test_sizes_and_steps_of_lora_and_full_weights(ref):
    size, memory, steps = lines(ref, sft_rows(20), "sft", 20, trainer="sft", lora=True, num_train_epochs=2)
    assert size == "45,760 parameters, 16,384 trained (36%): LoRA of rank 16 on 14 modules"
    assert memory.startswith("memory: about ") and memory.index("with LoRA") < memory.index("with full weights")
    assert steps == "3 steps of 8 rows an epoch, 6 in all"
    size, memory, _ = lines(ref, sft_rows(20), "sft", 20, trainer="sft")
    assert size == "29,376 parameters, 29,376 trained"
    assert memory.index("with full weights") < memory.index("with LoRA")


def test_steps_are_about_so_many_where_not_all_is_known(ref):
    assert lines(ref, sft_rows(20), "sft", 200, trainer="sft")[-1] == "about 25 steps of 8 rows an epoch, 75 in all"
    packed = lines(ref, sft_rows(20), "sft", 20, trainer="sft", packing=True, max_length=64)[-1]
    assert packed.startswith("about ") and "packed sequences an epoch" in packed


def test_processes_share_the_rows(ref):
    launched = lines(ref, sft_rows(20), "sft", 20, trainer="sft", processes=2, max_steps=7)
    assert launched[-1] == "2 steps of 16 rows an epoch, 7 in all"


def test_check_knows_the_processes_of_a_configuration(tmp_path, tiny):
    (tmp_path / "rows.jsonl").write_text("".join(f'{{"prompt": "answer the {i}"}}\n' for i in range(8)))
    (tmp_path / "two.yaml").write_text("{distributed_type: MULTI_CPU, num_processes: 2, use_cpu: true}")
    (tmp_path / "r.yaml").write_text(
        f"name: r\nmodels: {{student: {tiny}}}\nprompts:\n  - source: rows.jsonl\ndatasets: {{rl: {{type: prompt}}}}\n"
        "train:\n  g: {trainer: grpo, dataset: rl, model: student, rewards: [length], launch: {config: two.yaml}, "
        "per_device_train_batch_size: 2, num_generations: 4, max_completion_length: 8}\n"
    )
    done = call(tmp_path, "check", "r.yaml")
    assert done.code == 0, "a batch of both processes holds a group"
    assert "train g: 8 steps of 4 answers to 1 prompt an epoch, 24 in all" in done.out


def test_answers_of_online_rl_fill_the_steps(ref):
    options = {"trainer": "grpo", "rewards": ["length"], "num_generations": 4, "per_device_train_batch_size": 8}
    said = lines(ref, rl_rows(9), "prompt", 9, **options)
    assert said[-1] == "4 steps of 8 answers to 2 prompts an epoch, 12 in all"


def test_a_model_that_is_not_here_has_no_lines(ref, tmp_path):
    elsewhere = replace(ref, location=str(tmp_path / "none"))
    assert lines(ref, sft_rows(3), "sft", 3, elsewhere, trainer="sft") == []
