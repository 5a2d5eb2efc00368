"""A reward model with ``trl.RewardTrainer``: it learns to reward chosen answers more than rejected ones."""

from pathlib import Path

from train.job import Job, Outcome

CONFIG = "RewardConfig"
DATA = "preference"
TOO_LONG = "longer than max_length, in one of its answers"  # TRL leaves such pairs out, and cuts none


def train(job: Job, folder: Path) -> Outcome:
    """Train on the job's pairs and save the adapter (with the head) or the weights, with the tokenizer, in ``folder``.

    The loss is Bradley-Terry's. The model is the one the training starts from, earlier adapters merged, with a single
    output in the place of the next token's; a reward model keeps the head it has. In another recipe's ``models`` the
    folder is a reward model like any other.
    """
    from trl import RewardConfig, RewardTrainer

    from train import common
    from train.signal import RewardSignal

    class RowReward(RewardSignal, RewardTrainer):
        pass

    rows, held_out, dropped = common.usable(job, DATA)
    args = common.configure(job, RewardConfig)
    model, tokenizer = common.load_reward_model(job)
    with common.building(job):
        trainer = RowReward(
            model,
            args,
            processing_class=tokenizer,
            peft_config=common.lora_config(job, "SEQ_CLS"),
            **common.datasets(rows, held_out, DATA),
        )
    row_ids = [*rows["row_id"], *held_out["row_id"]]
    too_long = set(rows["row_id"]) - {row_ids[index] for index in trainer.train_dataset["row_index"]}
    if not len(trainer.train_dataset):
        raise common.nothing_left(job, common.fates(rows, dropped, too_long, None, why=TOO_LONG))
    trainer.watch(row_ids)
    steps, metrics = common.fit(trainer, job, trainer, folder)
    losses = trainer.recorded()
    seen = set(losses["row_id"])
    return Outcome(steps, metrics, common.fates(rows, dropped, too_long, seen, why=TOO_LONG), row_losses=losses)
