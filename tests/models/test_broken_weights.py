"""Weights that are torn or hostile: one line with the file and what helps, and no code of theirs runs."""

import pickle
import shutil
from pathlib import Path

import pytest

from schemas.errors import UserError
from schemas.recipe import Model
from tests.optional import needs

pytestmark = [needs("transformers"), pytest.mark.slow]


class Hostile:
    """Makes a folder where it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return Path.mkdir, (self.folder,)


def refused(folder):
    """Load the model in a folder; return the line that it is refused with."""
    from curate.models.weight_files import resolve_weights
    from curate.models.weights import load

    with pytest.raises(UserError) as found:
        load(resolve_weights("m", Model(model=str(folder), engine="transformers"), Path("/")))
    return str(found.value)


@pytest.mark.parametrize("kept", [0, 4, 0.5])
def test_a_torn_file_of_safetensors_is_named(tiny, tmp_path, kept):
    folder = tmp_path / "model"
    shutil.copytree(tiny, folder)
    file = folder / "model.safetensors"
    raw = file.read_bytes()
    file.write_bytes(raw[: int(kept * len(raw)) if isinstance(kept, float) else kept])
    line = refused(folder)
    assert line.startswith(f"model 'm': cannot load {file} is torn") and line.endswith("copy or download it again")


def test_a_hostile_pickle_is_not_run(tiny, tmp_path):
    folder, made = tmp_path / "model", tmp_path / "made"
    shutil.copytree(tiny, folder)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Hostile(made)))
    line = refused(folder)
    assert "cannot load" in line and str(folder) in line and not made.exists()
