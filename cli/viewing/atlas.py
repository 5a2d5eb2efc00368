"""Hands candidates over to embedding-atlas, a map of texts, where it is installed: a file, and its command."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from cli.results.write import write_answer
from cli.terminal import say
from curate.storage.sql_views import connect
from curate.storage.store import Store
from schemas.errors import Failed, UserError

PROGRAM = "embedding-atlas"
MISSING = (
    f"{PROGRAM} is not on the PATH; it is 24 MB beside much else, so give it an environment of its own: python -m venv "
    f"atlas && atlas/bin/pip install {PROGRAM}, then put atlas/bin on the PATH"
)
# With the embeddings that a step of a recipe stored, where there are any: else embedding-atlas makes its own.
WITH_VECTORS = """
    SELECT c.*, e.value AS vector
    FROM candidates AS c JOIN embeddings AS e ON e.text_hash = left(sha256(c.response), 32)
    WHERE e.model = (SELECT model FROM embeddings GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1)"""


def hand_over(store: Store, port: int) -> None:
    """Write the candidates into a file, and run embedding-atlas on it until Ctrl-C.

    Raises:
        UserError: It is not installed, or there is no candidate.
        Failed: It ended with an error.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise UserError(MISSING)
    with tempfile.TemporaryDirectory(prefix="gristmill-atlas-") as folder:
        file = Path(folder) / "candidates.parquet"
        vectors = write_candidates(store, file)
        asked = ["--host", "127.0.0.1", *(["--port", str(port)] if port else [])]
        asked += ["--vector", "vector"] if vectors else []
        say(
            f"{PROGRAM} shows {store.path}; its map needs a browser with WebGPU; labels given there stay there",
            err=True,
        )
        done = subprocess.run([program, str(file), "--text", "response", *asked], check=False)  # noqa: S603 - the user's own program
    if done.returncode:
        raise Failed(f"{PROGRAM} ended with the code {done.returncode}")


def write_candidates(store: Store, file: Path) -> bool:
    """Write the candidates as Parquet, and return whether they have stored embeddings, in a column ``vector``.

    Raises:
        UserError: There is no candidate.
    """
    with connect(store, None, "FROM candidates, embeddings") as con:
        if not con.execute("SELECT count(*) FROM candidates").fetchall()[0][0]:
            raise UserError(f"{store.path}: no candidate is in this store")
        vectors = bool(con.execute(f"SELECT count(*) FROM ({WITH_VECTORS})").fetchall()[0][0])
        write_answer(con, WITH_VECTORS if vectors else "SELECT * FROM candidates", "parquet", file, 0)
    return vectors
