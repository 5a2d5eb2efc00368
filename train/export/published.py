"""The data of a training as others find it: an export of the same rows, and its address on the hub."""

from pathlib import Path
from typing import Any

from curate.export.facts import find_dataset
from curate.export.names import check_repository
from curate.export.written import CARD, read_record
from curate.storage.store import Store
from schemas.errors import UserError, short_repr


def published_data(folder: Path | None, address: str | None, held: str | None) -> dict[str, Any]:
    """Return what a card says of data that is passed on.

    Args:
        folder: The folder of an export of the training's data, or None.
        address: The data set's ``owner/name`` on the hub, or None.
        held: The content of the rows that the training was given, as the store names it; None where it is not known.

    Raises:
        UserError: The folder is no export, or is one of other rows; the address is none.
    """
    found: dict[str, Any] = {}
    if address is not None:
        check_repository(address, "--data-address")
        found["address"] = address
    if folder is None:
        return found
    record = read_record(folder)
    if record is None or "content" not in record:
        raise UserError(f"--data {folder}: is no folder that 'gristmill export' wrote")
    if held is None:
        raise UserError(f"--data {folder}: of this model it is not known on which rows it was trained")
    if record["content"] != held:
        raise UserError(
            f"--data {folder}: is of other rows ({short_repr(record.get('dataset'))}, {short_repr(record['content'])}) "
            f"than those that the model was trained on ({short_repr(held)})"
        )
    files = record.get("files")
    items = files.items() if isinstance(files, dict) else ()
    sums = [[str(name), str(one.get("sha256"))] for name, one in items if isinstance(one, dict) and name != CARD]
    return found | {"name": folder.absolute().name, "format": record.get("format"), "files": sums}


def data_now(facts: dict[str, Any], store: Store | None) -> dict[str, Any]:
    """Return the facts of the data of a training: those that it kept, with the licences that its recipe names by now.

    Args:
        facts: The facts that the training keeps.
        store: The store, or None.
    """
    kept = facts.get("data")
    kept = kept if isinstance(kept, dict) else {}
    if store is None or not kept.get("content"):
        return kept
    try:
        found = find_dataset(store, str(facts.get("dataset")), str(facts.get("recipe")))
    except UserError:
        return kept
    if found.stage.content(found.table) != kept["content"]:  # the recipe has other rows by now
        return kept
    return kept | {"licences": [list(one) for one in found.sources]}
