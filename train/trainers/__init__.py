"""The trainers, one thin file per trainer of TRL.

To add a trainer, add ``train/trainers/NAME.py`` with ``CONFIG`` (the name of TRL's config class), ``DATA`` (the type of
dataset that it trains on), ``NEEDS`` (the keys of a training that only some trainers have: ``rewards``, ``teacher``)
and ``train(job, folder)``. A recipe names it as ``trainer: NAME``. A trainer whose batches are dataset rows calls
``train.row_training.train_on_rows``, and says how its row losses are read.
"""
