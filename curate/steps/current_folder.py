"""The current folder, which somebody may have removed."""

from pathlib import Path

from schemas.errors import UserError


def current_folder() -> Path:
    """Return the current folder. Raises ``UserError`` where it is gone, or cannot be looked at."""
    try:
        return Path.cwd()
    except OSError:
        raise UserError("the current folder is not there any more; go to another one, as with cd") from None
