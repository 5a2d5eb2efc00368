"""``gristmill init train FILE``: reads the data, writes the recipe, says what was found and what is next."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.first_recipe.jobs import Job, jobs_of
from cli.first_recipe.look import MOST_ROWS, Looked, learnt_lines, look, written_path
from cli.first_recipe.recipe_text import BUILT_IN, Draft, file_name, recipe_name, recipe_text
from cli.options import command_line
from cli.output_file import output_file
from cli.shipped_recipes import RECIPES
from cli.terminal import say
from curate.sources.facts import TRACE
from curate.sources.open_source import source_path, stage_name
from curate.sources.rows.field_map import SEVERAL, check_fields
from curate.sources.source_summary import most_common, source_summary, source_warnings
from curate.sources.source_tables import Source
from schemas.counted import counted
from schemas.errors import UserError, printable, short_repr

TOOLS_TEMPLATE = "tools.jinja"
TRAINER_NAMES = {"sft": "SFT", "dpo": "DPO", "kto": "KTO", "grpo": "GRPO"}
SHOWN = 3  # warnings, and reasons for refused rows
KEYS = 12  # keys of rows that are named


@dataclass(frozen=True)
class Wanted:
    """The data that the command line names, and the choices of a user."""

    named: str
    folder: Path = Path()
    model: str | None = None
    trainer: str | None = None
    fields: tuple[str, ...] = ()
    force: bool = False


def init_train(wanted: Wanted) -> None:
    """Write the recipe that trains on data, and say what was found.

    Raises:
        UserError: The data can't be read or hold nothing to learn, a choice is none of those there are, or a file would
            be overwritten that is another.
    """
    fields = _fields(wanted.fields)
    if wanted.model is not None and not wanted.model.strip():
        raise UserError(f"--model '': expected a built-in model ({BUILT_IN}), a hub id or a folder")
    try:
        looked = look(wanted.named, fields)
    except UserError as error:
        raise UserError(_with_flag(str(error), fields)) from None
    job, others = _chosen(looked.source, fields, wanted)
    draft, template = _draft(looked, job, wanted, fields)
    counts, warnings = learnt_lines(draft, wanted.named, RECIPES / TOOLS_TEMPLATE if template else None, looked.files)
    file = _write(draft, wanted, template=template)
    summary = source_summary(looked.source.facts)
    say(f"found   {_rows(looked)}: {printable(summary)}")
    for line in (*_layouts(looked), *_unreadable(looked)):
        say(f"        {printable(line)}")
    say(f"learns  {printable(job.learns)}, by {TRAINER_NAMES[job.trainer]}: {counts[0]} of {_rows(looked)}")
    for line in (*counts[1:], *_refused(looked)):
        say(f"        {printable(line)}")
    notes = dict.fromkeys([*source_warnings(looked.source.facts, fields), *warnings])  # the plan's are of the data too
    for line in [*notes][:SHOWN]:
        say(f"note    {printable(line)}")
    for other in others:
        say(f"or      {printable(other.learns)}, by {TRAINER_NAMES[other.trainer]}: add --trainer {other.trainer}")
    say(f"wrote   {file}")
    say(f"next    {command_line('check', file)}")
    for command in ("run", "train", "evaluate"):
        say(f"        {command_line(command, file)}")
    say("        run, train and evaluate take --limit 20 for a first try of minutes")


def _fields(given: Iterable[str]) -> dict[str, Any] | None:
    """Return the values of ``--field``, such as ``prompt=question``, as a source's ``fields``."""
    found: dict[str, Any] = {}
    for text in given:
        name, sign, key = text.partition("=")
        if not sign or not key:
            raise UserError(f"--field {short_repr(text)}: expected NAME=KEY, such as prompt=question")
        if name in found and name not in SEVERAL:
            raise UserError(f"--field {name}: is given twice; expected one key")
        found[name] = (
            [*found[name], key]
            if isinstance(found.get(name), list)
            else key
            if name not in found
            else [found[name], key]
        )
    return check_fields(found) if found else None


def _with_flag(message: str, fields: dict[str, Any] | None) -> str:
    """Return the error of a reader with the flag of this command that names the keys."""
    if fields is None and "fields: {prompt: KEY}" in message:
        return message.replace(
            "fields: {prompt: KEY}", "--field prompt=KEY --field completion=KEY (fields: in a recipe)"
        )
    if fields is None and "fields: {prompt: text}" in message:
        return message.replace("fields: {prompt: text}", "--field prompt=text")
    return message.replace("; 'on_error: drop' leaves bad rows out", "")


def _chosen(source: Source, fields: dict[str, Any] | None, wanted: Wanted) -> tuple[Job, list[Job]]:
    """Return what is learnt, and the other ways to learn from the data."""
    jobs = jobs_of(source, fields)
    if not jobs:
        raise UserError(f"{wanted.named}: {_nothing_to_learn(source, fields)}")
    if wanted.trainer is None:
        return jobs[0], jobs[1:]
    names = [job.trainer for job in jobs]
    if wanted.trainer not in names:
        known = "" if wanted.trainer in TRAINER_NAMES else f"; trainers: {', '.join(TRAINER_NAMES)}"
        raise UserError(
            f"{wanted.named}: --trainer {wanted.trainer}: these data teach by {', '.join(names)} alone{known}"
        )
    job = jobs.pop(names.index(wanted.trainer))
    return job, jobs


def _nothing_to_learn(source: Source, fields: dict[str, Any] | None) -> str:
    """Return why prompts alone teach nothing, and what to do."""
    keys = dict.fromkeys(source.facts.prompt_keys)
    for text in source.prompts["metadata"].drop_nulls().head(MOST_ROWS):
        keys |= dict.fromkeys(json.loads(text))
    shown = ", ".join(short_repr(key) for key in [*keys][:KEYS]) + (
        f" and {len(keys) - KEYS} more" if len(keys) > KEYS else ""
    )
    prompt = most_common(source.facts.prompt_keys, "prompt") if fields is None else fields.get("prompt", "KEY")
    return (
        f"{counted(source.prompts.height, 'prompt')}, and neither an answer nor a ground truth; found the keys "
        f"{shown}; name the answer's with --field prompt={prompt} --field completion=KEY (fields: in a recipe), or "
        f"have a model write answers: 'gristmill init distill'"
    )


def _draft(looked: Looked, job: Job, wanted: Wanted, fields: dict[str, Any] | None) -> tuple[Draft, bool]:
    """Return what the recipe is written of, and whether a chat template for tools goes with it."""
    source = looked.source
    texts = [table["messages"] for table in (source.prompts, source.completions)]
    tools = bool(
        source.prompts["tools"].is_not_null().any() or any(one.str.contains('"tool_calls"').any() for one in texts)
    )
    traces = any(one.str.contains(TRACE, literal=True).any() for one in texts)
    named = wanted.model or BUILT_IN
    named = str(Path(named).expanduser().absolute()) if os.path.isdir(os.path.expanduser(named)) else named
    built_in = named == BUILT_IN
    paths = tuple(written_path(one, wanted.folder) for one in looked.files or (wanted.named,))
    settings: dict[str, Any] = {"fields": fields or job.fields} if fields or job.fields else {}
    settings |= {"on_error": "drop"} if looked.refused else {}
    model: str | dict[str, Any] = named
    notes = {"models": "built in; or a hub id, or a folder" if built_in else ""}
    if tools and built_in:
        model, notes["models"] = (
            {"model": named, "chat_template": TOOLS_TEMPLATE},
            "its own template prints no tools",
        )
    training = {"unshown": "in_text"} if traces and built_in and job.trainer != "grpo" else {}
    if training:
        notes["train"] = "traces are written as <think> ... </think>"
    if looked.refused:
        notes["prompts"] = f"{counted(looked.refused.total(), 'row')} can't be read: left out"
    path = source_path(wanted.named, Path())
    name, file = recipe_name(stage_name(path)), file_name(stage_name(path))
    file = file if _can_be(wanted.folder / f"{file}.yaml") else name
    title = f"{TRAINER_NAMES[job.trainer]} on {Path(wanted.named).name}: {job.learns}."
    return Draft(title, name, file, job, settings, paths, model, notes, training), tools and built_in


def _can_be(file: Path) -> bool:
    """Return whether the file system takes a name: its bytes, or its letters, may be none that it has."""
    try:
        file.lstat()
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return True


def _write(draft: Draft, wanted: Wanted, *, template: bool) -> Path:
    """Write the recipe, and the chat template that it names; return the recipe's file."""
    file = wanted.folder / f"{draft.file}.yaml"
    try:
        content = {file: recipe_text(draft).encode()}
    except UnicodeEncodeError:
        raise UserError(f"{wanted.named!r}: its name is no UTF-8, which a recipe can't hold; rename it") from None
    if template:
        content[wanted.folder / TOOLS_TEMPLATE] = (RECIPES / TOOLS_TEMPLATE).read_bytes()
    for path, data in content.items():
        if os.path.lexists(path) and not wanted.force and not (path.is_file() and path.read_bytes() == data):
            raise UserError(f"{path} exists and is another; --force overwrites it, --folder names another place")
    if wanted.folder.exists() and not wanted.folder.is_dir():
        raise UserError(f"{wanted.folder}: is no folder; --folder takes a folder")
    try:
        wanted.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{wanted.folder}: can't be made: {error.strerror}") from None
    for path, data in content.items():
        with output_file(path, "init train") as made:
            made.write_bytes(data)
    return file


def _rows(looked: Looked) -> str:
    return f"the first {looked.rows:,} rows" if looked.rows == MOST_ROWS else counted(looked.rows, "row")


def _layouts(looked: Looked) -> list[str]:
    """Return how many rows have which layout, where they have several."""
    counts = looked.source.facts.row_formats.most_common()
    shown = "; ".join(f"{counted(count, 'row')} {'is' if count == 1 else 'are'} {name}" for name, count in counts)
    return [f"several layouts: {shown}"] if len(counts) > 1 else []


def _unreadable(looked: Looked) -> list[str]:
    """Return the files that can't be read, which the recipe leaves out."""
    lines = [f"left out: {line}" for line in looked.unreadable[:SHOWN]]
    more = len(looked.unreadable) - SHOWN
    return [*lines, f"{counted(more, 'more file')} can't be read"] if more > 0 else lines


def _refused(looked: Looked) -> list[str]:
    """Return why rows can't be read, the most frequent reasons first."""
    reasons = looked.refused.most_common()
    lines = [f"{count:,} of {counted(looked.rows, 'row')} can't be read: {reason}" for reason, count in reasons[:SHOWN]]
    more = sum(count for _, count in reasons[SHOWN:])
    return [*lines, f"{more:,} more can't be read"] if more else lines
