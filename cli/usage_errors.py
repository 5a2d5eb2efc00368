"""The mistakes in a command line that Typer finds, in the form of the other errors, with the help to look at."""

from cli.program import COMMANDS


def usage_error(text: str, arguments: list[str]) -> str:
    """Return the line for a usage error: ``gristmill worker: missing argument STORE; see 'gristmill worker --help'``.

    Args:
        text: What Typer says, on one line: ``Missing argument 'STORE'.``
        arguments: The arguments of the command line.
    """
    said = text[:1].lower() + text[1:].removesuffix(".").replace(". Did you mean", "; did you mean")
    if said.startswith("missing "):
        said = said.replace("'", "")
    first = next((one for one in arguments if not one.startswith("-")), "")
    command = f"gristmill {first}" if first in COMMANDS else "gristmill"
    return f"{command}: {said}" + ("" if said.endswith("?") else f"; see '{command} --help'")
