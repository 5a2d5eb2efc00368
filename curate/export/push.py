"""Push an exported folder to the hub, in several commits; those that are there are not made again.

Files that the hub has with the same content are not sent, so a push that failed half-way goes on where it was. The
card goes last. A token is huggingface_hub's affair; it is in no message.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.export.names import check_repository
from curate.export.push_errors import push_errors
from curate.export.written import CARD, NAME
from curate.sources.remote.hub_connection import endpoint, quiet
from schemas.errors import UserError, needs_extra

if TYPE_CHECKING:
    from huggingface_hub import HfApi

FILES, BYTES = 25, 2_000_000_000  # of a commit
WORDS = {"dataset": "data set", "model": "model"}


def check_push(repository: str | None, *, private: bool) -> None:
    """Raise ``UserError`` unless this can be pushed to, before anything is written.

    Args:
        repository: What ``--push`` names, or None where nothing is pushed.
        private: Whether ``--private`` is given.
    """
    if repository is not None:
        check_repository(repository)
    elif private:
        raise UserError("--private is of what --push OWNER/NAME makes; without --push nothing is pushed")


def push_folder(
    folder: Path, repository: str, *, private: bool, say: Callable[[str], None], kind: str = "dataset"
) -> None:
    """Push an export.

    Args:
        folder: The folder, which has its record (``curate.export.written``).
        repository: ``owner/name``; it is made where there is none.
        private: Whether it is to be private.
        say: Called with a line for each commit.
        kind: What it is on the hub: ``dataset`` or ``model``.

    Raises:
        UserError: The repository holds what gristmill did not push, or is public where a private one is asked for; the
            hub does not know the user.
        Failed: The hub did not take a commit.
    """
    check_repository(repository)
    try:
        from huggingface_hub import HfApi, get_token
    except ImportError:
        raise needs_extra("--push", "hub") from None
    api = HfApi(endpoint=endpoint())
    with push_errors(repository, get_token()), quiet():
        api.create_repo(repository, repo_type=kind, private=private or None, exist_ok=True)
        if private and not api.repo_info(repository, repo_type=kind).private:
            raise UserError(f"--push {repository}: is public already, and --private is given; nothing was pushed")
        remote = _remote_files(api, repository, kind)
        if remote.keys() - {".gitattributes"} and NAME not in remote:
            raise UserError(f"--push {repository}: holds files that gristmill did not push; name another {WORDS[kind]}")
        local = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
        changed = [name for name in local if remote.get(name) not in _hashes(folder / name)]
        stale = [name for name in remote if name not in local and name != ".gitattributes"]
        _commit_all(api, folder, repository, kind, changed, stale, say)


def _commit_all(
    api: "HfApi",
    folder: Path,
    repository: str,
    kind: str,
    changed: list[str],
    stale: list[str],
    say: Callable[[str], None],
) -> None:
    """Commit the files that changed, the record first and the card last, and remove those that are no more."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    command = "export" if kind == "dataset" else "export-model"
    ordered = sorted(changed, key=lambda name: (name == CARD, name != NAME))
    groups = list(_groups(folder, ordered)) or ([[]] if stale else [])
    for number, names in enumerate(groups, 1):
        operations: list[Any] = [CommitOperationAdd(name, folder / name) for name in names]
        if number == len(groups):
            operations += [CommitOperationDelete(name) for name in stale]
        message = f"gristmill {command}: part {number} of {len(groups)}"
        api.create_commit(repository, operations, commit_message=message, repo_type=kind)
        say(f"commit {number} of {len(groups)}: {len(operations)} files")
    if not groups:
        say("the hub has all files already")


def _groups(folder: Path, names: list[str]) -> Iterator[list[str]]:
    """Yield the files of one commit each, in their order."""
    group: list[str] = []
    size = 0
    for name in names:
        own = (folder / name).stat().st_size
        if group and (len(group) == FILES or size + own > BYTES):
            yield group
            group, size = [], 0
        group.append(name)
        size += own
    if group:
        yield group


def _remote_files(api: "HfApi", repository: str, kind: str) -> dict[str, str]:
    """Return a repository's files with what the hub knows them by: SHA-256 of large ones, Git's hash of others."""
    from huggingface_hub.hf_api import RepoFile

    found = {}
    for entry in api.list_repo_tree(repository, recursive=True, repo_type=kind):
        if isinstance(entry, RepoFile):
            found[entry.path] = entry.lfs.sha256 if entry.lfs else entry.blob_id
    return found


def _hashes(file: Path) -> tuple[str, str]:
    """Return both hashes that the hub may know a file by."""
    git = hashlib.sha1(f"blob {file.stat().st_size}\0".encode(), usedforsecurity=False)
    whole = hashlib.sha256()
    with file.open("rb") as content:
        while part := content.read(1 << 20):
            git.update(part)
            whole.update(part)
    return whole.hexdigest(), git.hexdigest()
