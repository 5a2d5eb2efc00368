"""Run by ``test_two_processes`` in each of two processes: does several trainings in turn, each as a worker does one.

So that all of them cost one start of torch and TRL.
"""

import json
import sys
from pathlib import Path
from unittest import mock

import torch

from tests.train.launch.sampling import at_quantiles
from train.launch.worker import train_job

with mock.patch.object(torch, "multinomial", at_quantiles):
    for folder, model, address in json.loads(sys.argv[1]):
        train_job(Path(folder), Path(model), address)
