"""Build the wheel; install it in an empty environment away from the checkout; use it (``make test-wheel``).

The packages have generic names (``cli``, ``train``), so only a real wheel in an environment of its own shows that it
holds all it needs. Only the core is installed: no torch.
"""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("schemas", "curate", "train", "cli")
# From Python: the names that docs/python.md begins with, and the markers that tell type checkers of our types.
IMPORTS = f"""
from importlib.resources import files
from curate import load_recipe, open_store, plan, run
from curate.score import constraints
from train import evaluate, train
for package in {PACKAGES}:
    assert (files(package) / "py.typed").is_file(), package
import curate, sys
assert "site-packages" in curate.__file__, curate.__file__
assert "torch" not in sys.modules
"""


def main() -> None:
    """Fail with the first command that does not exit 0, or a check that shows nothing of what it should."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run([sys.executable, "-m", "build", "--wheel", "--outdir", folder / "dist", ROOT], folder)
        venv.create(folder / "env", with_pip=True)
        (wheel,) = (folder / "dist").glob("*.whl")
        run([folder / "env/bin/pip", "install", "--quiet", "--disable-pip-version-check", wheel], folder)
        assert list((folder / "env").rglob("curate/score/__init__.pyi")), "no stubs of the steps"
        away = folder / "away"
        away.mkdir()
        gristmill = folder / "env/bin/gristmill"
        run([gristmill, "init", "demo"], away)
        shown = run([gristmill, "check", "demo.yaml"], away)
        assert "completions.generate.sample" in shown and "requests left to make" in shown, shown
        assert not (away / "store").exists(), "check wrote a store"
        assert "minhash" in run([gristmill, "steps", "dedup"], away)
        run([folder / "env/bin/python", "-c", IMPORTS], away)
    print("1 passed, 0 failed")  # noqa: T201 - the wheel's own test


def run(command: list, folder: Path) -> str:
    """Run a command and return what it printed; the environment names no checkout."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} exited {done.returncode}:\n{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    main()
