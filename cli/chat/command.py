"""The command that talks to a model: chat."""

import io
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import STORE, AllowCode, AllowKey, Quiet, StoreFolder, open_store, read_recipe
from cli.terminal import say

if TYPE_CHECKING:
    from curate.models.model_ref import ModelRef
    from curate.storage.store import Store

MOST_MODELS = 4
LARGEST_SYSTEM = 1 << 20  # bytes of a system prompt's file


Models = Annotated[
    list[str],
    typer.Argument(
        metavar="MODEL",
        help="A training of the store, a built-in model, a model's folder, a hub id, or a model of --recipe. "
        "Several (up to 4) answer side by side.",
    ),
]
System = Annotated[str, typer.Option("--system", metavar="TEXT", help="The system prompt; @FILE reads it from a file.")]
Temperature = Annotated[
    float | None,
    typer.Option("--temperature", min=0, max=100, help="0 is greedy. By default the model's own, else 0.7."),
]
TopP = Annotated[float | None, typer.Option("--top-p", help="By default the model's own, else 1.")]
MaxTokens = Annotated[
    int | None, typer.Option("--max-tokens", min=1, help="Tokens of an answer; 1024, or a server's own limit.")
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="The same seed gives the same answers.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print each answer as a line of JSON.")]
RecipeOption = Annotated[
    Path | None, typer.Option("--recipe", metavar="FILE", help="A recipe, whose models can be named.")
]
EngineSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="A setting of the model's engine, as in engine=openai base_url=http://127.0.0.1:8000/v1. Repeatable.",
    ),
]


def chat(
    models: Models,
    system: System = "",
    temperature: Temperature = None,
    top_p: TopP = None,
    max_tokens: MaxTokens = None,
    seed: Seed = None,
    as_json: AsJson = False,
    recipe: RecipeOption = None,
    overrides: EngineSettings = None,
    store: StoreFolder = STORE,
    allow_code: AllowCode = False,
    allow_key: AllowKey = None,
    quiet: Quiet = False,
) -> None:
    """Talk to a model: a turn a line, answers as they are written. /help lists the commands.

    In a pipe each line of the input is a turn, and the answers alone are printed. Nothing is written to the store.
    """
    from cli.chat.answers import Printer
    from cli.chat.input import is_terminal
    from cli.chat.loop import Conversation
    from cli.progress import Bars
    from curate.api.chat import ChatSession
    from curate.api.chat_model import chat_model
    from curate.api.find_model import which_training

    _read_any_text()
    _check_names(models)
    opened, settings, text = _store(store), _settings(overrides or []), _system_text(system)
    _name_hosts(settings, allow_key or [])
    loaded = read_recipe(recipe, None, allow_code=allow_code) if recipe else None
    refs = {name: chat_model(name, opened, loaded, settings) for name in models}
    for which in filter(None, (which_training(name, opened, loaded) for name in models if "engine" not in settings)):
        say(which, err=True)
    terminal = is_terminal() and not as_json
    how: dict[str, Any] = {"system": text, "temperature": temperature, "top_p": top_p, "max_tokens": max_tokens}
    with ExitStack() as stack:
        sessions = {}
        for name, ref in refs.items():
            with Bars(quiet=quiet) as bars:
                bars.begin(f"load {name}", unit="")
                made = ChatSession(ref, **how, seed=seed, progress=bars)
                sessions[name] = stack.enter_context(made)
                seed = made.asked.seed
                bars.end(name, "; ".join(filter(None, (_described(name, ref), made.how))))
        printer = Printer(terminal=terminal, as_json=as_json)
        if terminal:
            printer.note("(/help lists the commands; Ctrl-C stops an answer, Ctrl-D ends)")
        Conversation(sessions, printer, terminal=terminal).run()


def _check_names(models: list[str]) -> None:
    """Raise ``UserError`` for too many models, or one that is named twice."""
    from schemas.errors import UserError

    if len(models) > MOST_MODELS:
        raise UserError(f"{len(models)} models are named; expected at most {MOST_MODELS}")
    twice = next((name for name in models if models.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"the model {twice!r} is named twice: with one seed both would answer alike")


def _store(path: Path) -> "Store | None":
    """Return the store, None where there is none in the default folder."""
    return None if path == STORE and not path.exists() else open_store(path)


def _settings(overrides: list[str]) -> dict[str, Any]:
    """Return the values of ``--set``. Raises ``UserError`` where one is no KEY=VALUE."""
    from schemas.yaml_file import override

    found: dict[str, Any] = {}
    for one in overrides:
        override(found, one)
    return found


def _name_hosts(settings: dict[str, Any], pairs: list[str]) -> None:
    """Name hosts for keys: those of ``--allow-key``, and those of servers that ``--set`` names with their key."""
    variable = settings.get("api_key_env")
    if not pairs and variable is None:
        return
    from curate.models.clients.http.settings import base_urls
    from curate.models.key_hosts import host_pair, name_hosts

    name_hosts([*pairs, *(pair for url in base_urls(settings) for pair in host_pair(variable, url))])


def _system_text(system: str) -> str:
    """Return the system prompt, from a file where it begins with ``@``."""
    from schemas.errors import UserError

    if not system.startswith("@"):
        return system
    path = Path(system[1:]).expanduser()
    try:
        if path.stat().st_size > LARGEST_SYSTEM:
            raise UserError(f"--system {system}: has over {LARGEST_SYSTEM:,} bytes")
        return path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise UserError(f"--system {system}: is not UTF-8 text") from None
    except OSError as error:
        raise UserError(f"--system {system}: can't be read: {error.strerror}") from None


def _described(name: str, ref: "ModelRef") -> str:
    """Return where a model comes from, in a few words; empty where its name says it."""
    from curate.models.clients.http.settings import base_urls

    at = "".join(base_urls(dict(ref.settings))[:1])  # of several servers, the first is asked
    base = ref.short_name.split(">")[0].rsplit("/", 1)[-1]
    described = f"{ref.location} at {at}" if at else f"{base} with an adapter" if ref.adapters else base
    return "" if described == name else described


def _read_any_text() -> None:
    """Read and print text in UTF-8, with marks for what is none."""
    for stream in (sys.stdin, sys.stdout):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8" if stream is sys.stdin else None, errors="replace")


COMMANDS = (chat,)
