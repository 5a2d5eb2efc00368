"""On-policy distillation with ``trl.DistillationTrainer``: a teacher's probabilities on its own answers."""

from pathlib import Path

from train.job import Outcome, TrainingJob

CONFIG = "DistillationConfig"
DATA = "prompt"
NEEDS = ("teacher",)
NO_LIMIT = 1 << 30  # tokens


def train(job: TrainingJob, folder: Path) -> Outcome:
    """Train on the job's prompts and save the adapter or the weights, with the tokenizer, into ``folder``.

    The student samples one answer to each prompt of a batch, and every token of it is pulled towards the teacher's
    distribution there (Agarwal et al. 2023, arXiv 2306.13649). Every answer is kept in ``rollouts``, with its mean
    divergence from the teacher; ``row_losses`` has the same figure with the answer's tokens and the student's entropy.
    The teacher has the adapters of its own training merged, and is not trained.

    Raises:
        UserError: The teacher has another vocabulary, a prompt has tools, or fewer prompts are left than a step needs.
    """
    from types import new_class

    from trl import DistillationConfig, DistillationTrainer

    from curate.models.weights import load
    from train.data import refuse_tools
    from train.distilled_answers import DistilledAnswers, as_rollouts, as_row_losses
    from train.examples.loss_settings import loss_settings
    from train.examples.prompt_examples import prompt_dataset, prompt_examples
    from train.fit import fit
    from train.same_vocabulary import check_same_tokens
    from train.training_rows import check_held_out, check_one_batch, check_training_rows, nothing_left, rows_shown
    from train.trl_setup import load_model, lora_config, model_chat, say_changes, trl_config, trl_errors

    assert job.teacher is not None  # ``train.plan`` checks it
    rows = check_training_rows(job, DATA)
    refuse_tools(rows.train, f"train.{job.name}")
    config = trl_config(job, DistillationConfig)
    model, tokenizer = load_model(job)
    teacher, its_tokenizer = load(job.teacher)
    check_same_tokens(job, (model, tokenizer), (teacher, its_tokenizer))
    context = min(getattr(m.config, "max_position_embeddings", None) or NO_LIMIT for m in (model, teacher))
    chat, room = model_chat(job, tokenizer), context - (config.max_completion_length or 0)
    rows = rows_shown(job, rows, DATA, chat.template)
    how = loss_settings(job.trainer, job.settings, job.unshown)
    examples = prompt_examples(rows.train, chat, how, room)
    held_out = prompt_examples(rows.held_out, chat, how, room, first_index=rows.train.height)
    known = rows
    rows = rows.without(examples.dropped_rows())
    if not examples.columns:
        raise nothing_left(job, rows.dropped)
    check_one_batch(job, config, rows.train.height)
    say_changes(job, examples, chat.template)
    check_held_out(job, known, held_out)
    with trl_errors(job):
        trainer = new_class("Recorded", (DistilledAnswers, DistillationTrainer))(
            model=model,
            teacher_model=teacher.requires_grad_(False),
            args=config,
            processing_class=tokenizer,
            peft_config=lora_config(job),
            train_dataset=prompt_dataset(examples),
            eval_dataset=prompt_dataset(held_out),
        )
    trainer.start_recording(known.row_ids)
    steps, metrics = fit(trainer, job, trainer, folder)
    answers = trainer.recorded()
    trained = set(answers.filter(phase="train")["row_id"])
    return Outcome(
        steps,
        metrics,
        rows.fates(trained),
        row_losses=as_row_losses(answers),
        rollouts=as_rollouts(answers, [known.train, known.held_out]),
        learnt=examples.counts,
    )
