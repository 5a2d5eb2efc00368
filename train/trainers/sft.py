"""Supervised fine-tuning with ``trl.SFTTrainer``: the model learns the answers of an ``sft`` dataset by heart."""

import copy
from pathlib import Path
from typing import Any

from train.job import Job, Outcome

CONFIG = "SFTConfig"
DATA = "sft"


def train(job: Job, folder: Path) -> Outcome:
    """Train on the job's rows and save the adapter or the weights, with the tokenizer, into ``folder``.

    Only the answer's tokens are learnt. Rows whose prompt alone fills ``max_length`` are left out, also before
    packing (TRL itself would pack and train on them for nothing). With ``packing`` there are no row losses: rows can
    no longer be told apart.
    """
    from trl import SFTConfig, SFTTrainer

    from train import common
    from train.signal import LanguageSignal

    class RowSFT(LanguageSignal, SFTTrainer):
        def _prepare_dataset(self, dataset: Any, processing_class: Any, args: Any, packing: bool, *others: Any) -> Any:
            if packing:  # tokenise and drop first, as without packing; only bfd cuts rows off at max_length
                first = copy.copy(args)
                first.shuffle_dataset = False
                first.max_length = args.max_length if args.packing_strategy == "bfd" else None
                dataset = super()._prepare_dataset(dataset, processing_class, first, False, *others)
            else:
                dataset = super()._prepare_dataset(dataset, processing_class, args, False, *others)
            self.kept = [*getattr(self, "kept", []), *dataset["row_index"]]
            return super()._prepare_dataset(dataset, processing_class, args, True, *others) if packing else dataset

    rows, held_out, dropped = common.usable(job, DATA)
    args = common.configure(job, SFTConfig)
    model, tokenizer = common.load_model(job)
    with common.building(job):
        trainer = RowSFT(
            model,
            args,
            processing_class=tokenizer,
            peft_config=common.lora_config(job),
            **common.datasets(rows, held_out, DATA),
        )
    row_ids = [*rows["row_id"], *held_out["row_id"]]
    too_long = set(rows["row_id"]) - {row_ids[index] for index in trainer.kept}
    if not len(trainer.train_dataset):
        raise common.nothing_left(job, common.fates(rows, dropped, too_long, None))
    trainer.watch(row_ids, apart=not args.packing)
    steps, metrics = common.fit(trainer, job, trainer, folder)
    losses = trainer.recorded()
    seen = None if args.packing else set(losses["row_id"])
    return Outcome(steps, metrics, common.fates(rows, dropped, too_long, seen), row_losses=losses)
