"""Direct preference optimisation with ``trl.DPOTrainer``: the model learns to prefer chosen answers to rejected."""

from pathlib import Path

from train.job import Job, Outcome

CONFIG = "DPOConfig"
DATA = "preference"


def train(job: Job, folder: Path) -> Outcome:
    """Train on the job's pairs and save the adapter or the weights, with the tokenizer, into ``folder``.

    The reference is the model the training starts from: under LoRA that is the model with its new adapter switched
    off, since adapters of earlier trainings are merged; else a second copy.
    """
    from trl import DPOConfig, DPOTrainer

    from train import common
    from train.signal import PreferenceSignal

    class RowDPO(PreferenceSignal, DPOTrainer):
        pass

    rows, held_out, dropped = common.usable(job, DATA)
    args = common.configure(job, DPOConfig)
    model, tokenizer = common.load_model(job)
    # TRL would load the reference from the model's place on disk, where the merged adapters are not.
    needs_reference = job.lora is None and not args.precompute_ref_log_probs
    reference = common.load_model(job)[0].eval() if needs_reference else None
    with common.building(job):
        trainer = RowDPO(
            model,
            reference,
            args,
            processing_class=tokenizer,
            peft_config=common.lora_config(job),
            **common.datasets(rows, held_out, DATA),
        )
    row_ids = [*rows["row_id"], *held_out["row_id"]]
    too_long = set(rows["row_id"]) - {row_ids[index] for index in trainer.train_dataset["row_index"]}
    if not len(trainer.train_dataset):
        raise common.nothing_left(job, common.fates(rows, dropped, too_long, None))
    trainer.watch(row_ids)
    steps, metrics = common.fit(trainer, job, trainer, folder)
    losses = trainer.recorded()
    return Outcome(steps, metrics, common.fates(rows, dropped, too_long, set(losses["row_id"])), row_losses=losses)
