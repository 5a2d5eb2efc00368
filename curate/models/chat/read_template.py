"""Reads the setting ``chat_template`` of a model in a recipe: a file of Jinja, or the Jinja itself."""

from dataclasses import replace
from pathlib import Path

from curate.models.chat.chat_template import syntax_error
from curate.models.model_ref import ModelRef
from schemas.errors import UserError, nearest
from schemas.ids import fingerprint

MARKS = ("{{", "{%", "{#")  # one of them is in every template, and in no path
MOST = 1 << 20  # bytes; the longest templates of known models have about 30,000


def with_template(ref: ModelRef, folder: Path) -> ModelRef:
    """Return a model whose setting ``chat_template`` is the template's text, with its hash in the identity.

    Args:
        ref: The model; one without the setting is returned as it is.
        folder: The folder that the file's path is relative to.

    Raises:
        UserError: There is no such file, or it is no template.
    """
    given = ref.setting("chat_template")
    if given is None:
        return ref
    text = _read(given, folder, f"models.{ref.name}.chat_template")
    settings = tuple((key, text if key == "chat_template" else value) for key, value in ref.settings)
    return replace(ref, identity=f"{ref.identity}+{fingerprint(text)[:8]}", settings=settings)


def _read(given: str, folder: Path, where: str) -> str:
    """Return the text of a template, which compiles."""
    if any(mark in given for mark in MARKS):
        text, place = given, where
    else:
        path = folder / Path(given).expanduser()
        text, place = _read_file(path, where), f"{where}: {path}"
    if len(text.encode("utf-8", "replace")) > MOST:
        raise UserError(f"{place}: has over {MOST:,} bytes, too many for a chat template")
    wrong = syntax_error(text)
    if wrong:
        raise UserError(f"{place}: is no Jinja template: {wrong}")
    return text


def _read_file(path: Path, where: str) -> str:
    """Return the text of a template's file."""
    if not path.is_file():
        near = path if path.is_dir() else path.parent
        others = sorted(one.name for one in near.glob("*.jinja")) if near.is_dir() else []
        found = "is a folder" if path.is_dir() else "does not exist"
        known = nearest(path.name, others) if others else ""
        raise UserError(
            f"{where}: {path} {found}; expected a file such as chat_template.jinja, or the template itself{known}"
        )
    if path.stat().st_size > MOST:
        raise UserError(f"{where}: {path} has over {MOST:,} bytes, too many for a chat template")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{where}: {path} is not UTF-8 text (byte {error.start})") from None
    if not any(mark in text for mark in MARKS):
        found = "holds no Jinja ({{ or {%)" if text.strip() else "is empty"
        raise UserError(f"{where}: {path} {found}; expected a chat template")
    return text
