"""The engine transformers where its libraries are not installed: one line that says which extra has them."""

import sys

import pytest

from curate.models.clients.transformers import SPEC
from curate.models.model_ref import ModelRef
from schemas.errors import UserError
from schemas.progress import Progress


@pytest.mark.parametrize("task", SPEC.tasks)
def test_missing_libraries_are_an_error_that_names_the_extra(task, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # import torch fails, as where it is not installed
    with pytest.raises(UserError, match=r"model 'student' .* install it with: pip install 'gristmill\[local\]'"):
        SPEC.tasks[task](ModelRef("student", "tiny@0", "nowhere"), Progress())
