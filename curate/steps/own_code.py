"""Code that a recipe brings along, and the user's yes to run it.

``only_allowed`` is a time in which such code runs only where the user has said yes to its content: the command line
works within it, and so may a program. A yes is remembered by the hash of the content, in ``allowed_code.json`` of
``curate.steps.config_folder``; other content is asked about anew. Outside of it all code runs: a Python program that
calls gristmill is itself code that its user chose to run.
"""

import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from curate.steps.config_folder import read_config, write_config
from schemas.errors import UserError, printable

VARIABLE, FILE = "GRISTMILL_ALLOW_CODE", "allowed_code.json"
YES = ("1", "true", "yes")
SHOWN = 12  # digits of a hash, in a line


class OwnCode(NamedTuple):
    """Something that a recipe has run: a module, a program, the code of a model.

    Attributes:
        name: What it is, as a user knows it: a file, or a few words.
        files: The files that are known of it.
        digest: The SHA-256 of their content; of the name, where no file is known.
        where: The place in the recipe.
    """

    name: str
    files: tuple[Path, ...]
    digest: str
    where: str = ""

    def __str__(self) -> str:
        """Return the name, the number of other files, and the beginning of the hash."""
        more = len(self.files) - 1
        beside = "" if more < 1 else " and 1 file beside it" if more == 1 else f" and {more} files beside it"
        return f"{self.name}{beside} (sha256 {self.digest[:SHOWN]})"


class CodeNotAllowed(UserError):
    """Code would be run that the user has not allowed."""


@dataclass
class _Guard:
    """The hashes of content that were allowed since ``only_allowed`` began, and the modules that were checked."""

    digests: set[str] = field(default_factory=set)
    modules: set[Path] = field(default_factory=set)


_guards: list[_Guard] = []  # the last one holds


@contextmanager
def only_allowed() -> Generator[None]:
    """Run code that a recipe brings along only if it is allowed, until this ends.

    Code is allowed that the user said yes to on the command line (``--allow-code``), whose content is still the same;
    all, where the variable ``GRISTMILL_ALLOW_CODE`` is 1. For other code the functions of gristmill raise
    ``UserError``.
    """
    _guards.append(_Guard())
    try:
        yield
    finally:
        _guards.pop()


def only_allowed_now() -> bool:
    """Return whether code runs only if it is allowed."""
    return bool(_guards)


def module_code(file: Path, where: str = "") -> OwnCode:
    """Return a module of the user's own, with all that it can import from the current folder. Nothing is imported."""
    from curate.steps.own_files import content_digest, module_files  # here, as every command imports this module

    files = module_files(file)
    shown = os.path.relpath(file.resolve())
    others = [one for one in files if one != file.resolve()]
    return OwnCode(shown, (file.resolve(), *others), content_digest(files, Path.cwd().resolve()), where)


def not_allowed(codes: Iterable[OwnCode]) -> list[OwnCode]:
    """Return the code that would not run, as the user has not allowed its content."""
    if not _guards or os.environ.get(VARIABLE, "").lower() in YES:
        return []
    known = _guards[-1].digests | {*read_config(FILE)}
    return [one for one in codes if one.digest not in known]


def allow(codes: Iterable[OwnCode]) -> None:
    """Allow code, and remember it by its content.

    Raises:
        UserError: It can't be remembered.
    """
    new = {one.digest: printable(f"{one.name} in {Path.cwd()}") for one in codes}
    if new:
        write_config(FILE, read_config(FILE) | new)
        for guard in _guards:
            guard.digests |= {*new}


def require(codes: Iterable[OwnCode]) -> None:
    """Raise ``CodeNotAllowed`` unless all this code may run; the message names the first that may not."""
    refused = not_allowed(codes)
    if not refused:
        return
    one, *others = refused
    more = f" and {len(others)} more" if others else ""
    prefix = f"{one.where}: " if one.where else ""
    raise CodeNotAllowed(
        f"{prefix}would run {one}{more}, which is not allowed yet; read it, then allow it with --allow-code (it is "
        f"remembered until the code changes; for programs: {VARIABLE}=1)"
    )


def require_module(file: Path) -> None:
    """Make sure that a module of the user's own may be imported, and that its source is what will run.

    Raises:
        CodeNotAllowed: It may not.
    """
    if not _guards or file.resolve() in _guards[-1].modules:
        return
    from curate.steps.own_files import drop_compiled

    code = module_code(file)
    require([code])
    drop_compiled([*code.files])
    _guards[-1].modules.update(code.files)
