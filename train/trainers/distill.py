"""On-policy distillation with ``trl.DistillationTrainer``: a teacher's probabilities on its own answers."""

from pathlib import Path

from train.job import Outcome, TrainingJob

CONFIG = "DistillationConfig"
DATA = "prompt"
NEEDS = ("teacher",)


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
    from train.examples.prompt_examples import prompt_dataset
    from train.fit import fit
    from train.online.distilled_answers import DistilledAnswers, as_rollouts, as_row_losses
    from train.online.sampled_prompts import checked_prompts, sampled_prompts
    from train.reports.before.given_rows import given_rows
    from train.rows.training_rows import check_one_batch
    from train.same_vocabulary import check_same_tokens
    from train.trl_setup import load_model, lora_config, model_chat, trl_config, trl_errors

    assert job.teacher is not None  # ``train.plan`` checks it
    rows = checked_prompts(job)
    config = trl_config(job, DistillationConfig)
    check_one_batch(job, config, rows.train.height)
    model, tokenizer = load_model(job)
    teacher, its_tokenizer = load(job.teacher)
    check_same_tokens(job, (model, tokenizer), (teacher, its_tokenizer))
    prompts = sampled_prompts(job, rows, model_chat(job, tokenizer), config, model, teacher)
    check_one_batch(job, config, prompts.rows.train.height)
    with trl_errors(job):
        trainer = new_class("Recorded", (DistilledAnswers, DistillationTrainer))(
            model=model,
            teacher_model=teacher.requires_grad_(False),
            args=config,
            processing_class=tokenizer,
            peft_config=lora_config(job),
            train_dataset=prompt_dataset(prompts.examples),
            eval_dataset=prompt_dataset(prompts.held_out),
        )
    trainer.start_recording(prompts.known.row_ids)
    steps, metrics = fit(trainer, job, trainer, folder, given_rows(prompts.rows, prompts.examples))
    answers = trainer.recorded()
    trained = set(answers.filter(phase="train")["row_id"])
    return Outcome(
        steps,
        metrics,
        prompts.rows.fates(trained),
        row_losses=as_row_losses(answers),
        rollouts=as_rollouts(answers, [prompts.known.train, prompts.known.held_out]),
        learnt=prompts.examples.counts,
    )
