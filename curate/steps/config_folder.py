"""The user's own settings of gristmill, in ``$XDG_CONFIG_HOME/gristmill`` (else ``~/.config/gristmill``).

They are small JSON files, each a mapping of texts to texts. A recipe never says where they are.
"""

import json
import os
from pathlib import Path

from schemas.errors import UserError

LARGEST = 1 << 20  # bytes of a file
PRIVATE = 0o700  # of the folder


def config_folder() -> Path:
    """Return the folder, whether it is there or not."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".config") / "gristmill"


def read_config(name: str) -> dict[str, str]:
    """Return the mapping in a file of the folder; an empty one where there is no such file.

    Raises:
        UserError: The file can't be read, or is no mapping of texts to texts.
    """
    path = config_folder() / name
    try:
        if path.stat().st_size > LARGEST:
            raise UserError(f"{path}: has over {LARGEST:,} bytes; expected a small mapping; correct or remove the file")
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UserError(f"{path}: can't be read: {error.strerror}; correct or remove the file") from None
    except (ValueError, RecursionError):
        raise UserError(f"{path}: is no JSON; correct or remove the file") from None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise UserError(f"{path}: expected a mapping of texts to texts; correct or remove the file")
    return found


def write_config(name: str, values: dict[str, str]) -> None:
    """Replace a file of the folder, whole, so that only its user may read it.

    Raises:
        UserError: It can't be written.
    """
    import tempfile  # here, as every command imports this module

    folder = config_folder()
    try:
        folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=folder, prefix=f".{name}.", delete=False) as made:  # of mode 0600
            json.dump(values, made, indent=1, sort_keys=True)
            made.flush()
            os.fsync(made.fileno())
        os.replace(made.name, folder / name)
    except OSError as error:
        raise UserError(f"{folder / name}: can't be written: {error.strerror}; set XDG_CONFIG_HOME") from None
