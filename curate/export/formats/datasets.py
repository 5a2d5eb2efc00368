"""A folder for ``datasets.load_from_disk``, with the columns and types of the format ``hub``."""

import json

from curate.export.about import About
from curate.export.formats.hub import KINDS as KINDS
from curate.export.formats.hub import columns as columns
from curate.export.formats.hub import quoted
from curate.export.formats.hub import row as row

SINK = "saved"


def files(about: About) -> dict[str, str]:
    """Return the file that names the splits."""
    return {"dataset_dict.json": json.dumps({"splits": list(about.splits)})}


def train(about: About) -> str:
    """Return the line that loads the folder."""
    return f"python -c 'from datasets import load_from_disk; print(load_from_disk({quoted(about.folder.name)}))'"
