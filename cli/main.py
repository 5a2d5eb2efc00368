"""The command ``gristmill``: its commands, and the one place where every error ends, as one line and an exit code."""

import os
import select
import sys
import warnings
from contextlib import nullcontext
from typing import Annotated, NoReturn

import typer

from cli import agree, compare, completion, diff, doctor, export, export_model, node, query, run, train, worker
from cli.chat import command as chat
from cli.missing_package import missing_package
from cli.program import program, with_program
from cli.ray_option import WithRay
from cli.reporting import command as report
from cli.shipped_recipes import recipe_epilog
from cli.sigterm import sigterm_raises
from cli.system_errors import system_error
from cli.terminal import say, terminal_text
from cli.topics import Topics
from cli.usage_errors import usage_error
from cli.viewing import command as view
from curate.steps.current_folder import current_folder
from curate.steps.own_code import only_allowed
from schemas.disk_full import disk_is_full
from schemas.errors import OneLine, Stopped, UserError, printable
from schemas.version import VERSION

# The modules of the commands.
MODULES = (
    run,
    worker,
    train,
    node,
    compare,
    chat,
    export_model,
    query,
    report,
    view,
    diff,
    agree,
    export,
    doctor,
    completion,
)
EXPORTS = (["export"], ["export-model"])  # what they write is whole, or not there
# Text at the end of a command's help; "\b" keeps its lines as they are.
EPILOGS = {"init": recipe_epilog()}

app = typer.Typer(
    name="gristmill",
    cls=Topics,
    invoke_without_command=True,
    add_completion=False,  # its --install-completion writes into a person's files: 'completion' prints
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # help in colour would take twice the time, and 0.3 s is promised
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Turn prompts into training data, and training data into a better model, with every row accounted for.",
)
for module in MODULES:
    for command in module.COMMANDS:
        app.command(epilog=EPILOGS.get(command.__name__), cls=WithRay if command is run.run else None)(command)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"gristmill {VERSION}")
        raise typer.Exit()


@app.callback()
def options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback when something fails.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Turn prompts into training data, and training data into a better model, with every row accounted for."""
    if context.invoked_subcommand is None:
        say(context.get_help())


def main() -> None:
    """Run the command line.

    Exits 0 on success, 2 on a mistake of the user's, 1 on a failure, 3 where a budget is used up, 130 on Ctrl-C, 143 on
    SIGTERM.
    """
    debug = "--debug" in sys.argv or bool(os.environ.get("GRISTMILL_DEBUG"))
    arguments = ["--debug"] * debug + [a for a in sys.argv[1:] if a != "--debug"]  # it may be anywhere
    os.environ.setdefault("PYTHONSAFEPATH", "1")  # no process that is started imports from the current folder
    if not debug:  # a user can do nothing about other libraries' deprecations
        warnings.simplefilter("ignore")
    # A chat has no run to close, and Ctrl-C does not end it.
    with nullcontext([]) if "chat" in arguments[:2] else sigterm_raises() as terminated, only_allowed():
        _run(arguments, terminated, debug)


def _run(arguments: list[str], terminated: list[int], debug: bool) -> NoReturn:
    """Run a command, and exit; ``terminated`` has something in it once SIGTERM has come."""
    completion.complete_if_asked()
    try:
        code = app(args=arguments, prog_name=program(), complete_var=completion.VARIABLE, standalone_mode=False)
        if code == 130:  # Typer returns it for Ctrl-C, and prints nothing
            raise KeyboardInterrupt
        sys.exit(code if isinstance(code, int) else 0)
    except OneLine as error:
        fail(str(error), 2 if isinstance(error, UserError) else 3 if isinstance(error, Stopped) else 1, debug)
    except KeyboardInterrupt:
        fail(_stopped(arguments), 143 if terminated else 130, debug)
    except BrokenPipeError as error:
        _end_unread(error, arguments, debug)
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # Typer ends on it itself, with 1
            _end_unread(end.__context__, arguments, debug)
        raise
    except Exception as error:
        _end_unexpected(error, arguments, debug)


def _end_unread(error: BrokenPipeError, arguments: list[str], debug: bool) -> NoReturn:
    """End quietly where the reader of our output, as in ``gristmill ... | head``, has read enough.

    Another pipe or connection that broke is an error as any other.
    """
    poll = select.poll() if hasattr(select, "poll") else None
    if poll is not None:
        for number in (1, 2):
            poll.register(number, 0)
        if not poll.poll(0):
            _end_unexpected(error, arguments, debug)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # print nothing more
    sys.exit(0)


def _stopped(arguments: list[str]) -> str:
    """Return the message on Ctrl-C; ``check`` and ``chat`` keep nothing: what they find and say is of the moment."""
    if arguments[:1] == ["check"]:
        return "stopped; check keeps nothing: run it again, with --references 0 to leave the references out"
    if arguments[:1] in (["chat"], ["view"]):
        return "stopped"
    if arguments[:1] == ["node"]:
        return "stopped; 'gristmill train', run again on the first machine, goes on with the training"
    if arguments[:1] == ["init"]:
        return "stopped; nothing was written: run the same command again"
    if arguments[:1] in EXPORTS:
        if any(one.split("=")[0] == "--push" for one in arguments):
            return "stopped; run the same command again: a whole folder is kept, and only what the hub has not is sent"
        return "stopped; nothing is kept of the export"
    return "stopped; finished work is kept: run the same command again to continue"


def _end_unexpected(error: Exception, arguments: list[str], debug: bool) -> NoReturn:
    """End on an error that is not one of ours: Typer's, DuckDB's, the disk's, or a bug in gristmill."""
    from curate.storage.damage import damage_in  # here, as a command that succeeds needs none of it

    usage = getattr(error, "format_message", None)  # Typer's own usage error
    if usage is not None:
        fail(usage_error(_one_line(usage()), arguments), 2, debug)
    if type(error).__name__ == "Abort" or str(error) == "Query interrupted":  # DuckDB raises it on Ctrl-C
        fail(_stopped(arguments), 130, debug)
    damage = damage_in(error)  # of a view over a damaged table (curate.storage.sql_views)
    if damage is not None:
        fail(printable(damage), 2, debug)
    if disk_is_full(error):
        kept = "nothing is kept of the export" if arguments[:1] in EXPORTS else "finished work is kept"
        fail(f"nothing more can be written: {_one_line(str(error))}; {kept}", 1, debug)
    if isinstance(error, FileNotFoundError):
        try:
            current_folder()
        except UserError as gone:
            fail(str(gone), 2, debug)
    package = missing_package(error)
    if package is not None:
        fail(printable(package), 2, debug)
    outside = system_error(error)
    if outside is not None:
        fail(printable(outside), 1, debug)
    fail(f"{type(error).__name__}: {_one_line(str(error))} (this is a bug in gristmill; --debug shows where)", 1, debug)


def fail(message: str, code: int, debug: bool) -> NoReturn:
    """Print one line to stderr and exit; with ``--debug`` raise the exception that is being handled instead."""
    if debug:
        raise  # noqa: PLE0704 - called while an exception is handled
    colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    word = "stopped:" if code == 3 else "error:"
    print(f"\033[31m{word}\033[0m" if colour else word, terminal_text(with_program(message)), file=sys.stderr)  # noqa: T201
    sys.exit(code)


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    main()
