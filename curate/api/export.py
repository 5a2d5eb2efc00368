"""The way in from Python to an export: a dataset of a store in a folder that other programs read."""

from collections.abc import Callable
from pathlib import Path

from curate.api.run import AnyStore
from curate.export import export
from curate.export.export import Exported
from curate.export.push import check_push, push_folder
from curate.storage.store import Store


def export_dataset(
    dataset: str,
    folder: str | Path,
    *,
    store: AnyStore,
    format: str = "hub",
    recipe: str | None = None,
    license_check: bool = False,
    force: bool = False,
    refused: bool = True,
    push: str | None = None,
    private: bool = False,
    say: Callable[[str], None] | None = None,
) -> Exported:
    """Write a dataset into a folder that other programs read, whole or not at all, as ``gristmill export`` does.

    Args:
        dataset: Its name in its recipe.
        folder: The folder, which must not be there, or be empty.
        store: The store, or its folder. Nothing is written into it.
        format: ``hub``, ``jsonl``, ``datasets``, ``csv``, ``trl``, ``openai``, ``llamafactory``, ``axolotl``,
            ``ms-swift`` or ``verl``.
        recipe: The name of the recipe, where several have a dataset of this name.
        license_check: Whether a source without a known licence is an error.
        force: Whether an earlier export in the folder is replaced.
        refused: Of the format ``hub``: whether the refused rows are beside the others.
        push: ``owner/name`` of a data set on the hub, to push the folder to. An earlier export of the same rows in the
            folder is then taken as it is.
        private: Whether the data set that ``push`` makes is private.
        say: Is given a line for each commit.

    Returns:
        What was written: ``folder``, ``about.splits`` (rows by split), ``about.lost`` and ``about.left_out`` (what the
        format has no place for, with the number of rows), ``refused``.

    Raises:
        UserError: There is no such dataset or format, the format cannot hold it, the folder holds something else, or a
            licence is not known.
        Failed: The hub did not take what is pushed.
    """
    check_push(push, private=private)
    done = export.export_dataset(
        store if isinstance(store, Store) else Store(store, create=False, look=True),
        dataset,
        Path(folder),
        format=format,
        recipe=recipe,
        license_check=license_check,
        force=force,
        refused=refused,
        reuse=push is not None,
    )
    if push is not None:
        push_folder(done.folder, push, private=private, say=say or (lambda line: None))
    return done
