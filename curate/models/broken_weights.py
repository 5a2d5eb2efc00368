"""Says why the weights of a model can't be read: which file is torn, or holds more than tensors."""

from pathlib import Path
from pickle import UnpicklingError  # noqa: S403 - the name of an error; nothing is unpickled here


def reading_errors() -> tuple[type[Exception], ...]:
    """Return the errors of libraries that read weights. None of them is a mistake in the code that asks."""
    from safetensors import SafetensorError

    return OSError, ValueError, RuntimeError, EOFError, KeyError, UnpicklingError, SafetensorError


def why_unreadable(folders: list[str], error: Exception) -> str:
    """Return why the weights in a model's folder, and in those of its adapters, can't be read, and what helps.

    Args:
        folders: The folders; hub ids are passed over.
        error: What the reader of the weights raised.
    """
    for folder in folders:
        for file in sorted(Path(folder).glob("*.safetensors")):
            if why := _torn(file):
                return f"{file} is torn ({why}); copy or download it again"
    if isinstance(error, UnpicklingError):
        return f"{folders[0]}: its weights are a pickle of more than tensors, which may run code; take safetensors"
    lines = str(error).strip().splitlines()
    return f"{folders[0]}: {lines[0] if lines else type(error).__name__}"


def _torn(file: Path) -> str | None:
    """Return why a file of safetensors can't be opened, or None if it can."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt"):
            return None
    except (SafetensorError, OSError) as error:
        return " ".join(str(error).split())[:120]
