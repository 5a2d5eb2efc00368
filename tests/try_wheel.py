"""Build the wheel; install it in an empty environment away from the checkout; use it (``make test-wheel``).

The packages have generic names (``cli``, ``train``), so only a real wheel in an environment of its own shows that it
holds all it needs. Only the core is installed: no torch, no pyarrow, no Numba; its size is checked (docs/install.md).
"""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("schemas", "curate", "train", "cli")
LIMIT = 400_000_000  # bytes of all that is installed, as pip compiles it
RECIPE = """
name: small
prompts: [{source: rows.jsonl}, {dedup: {use: minhash, threshold: 0.8}}]
completions: [{score: math}, {score: words}]
datasets: {sft: {type: sft, select: best_of_n, by: math}}
"""
ROWS = "".join(
    f'{{"prompt": "What is {n} plus {n}?", "response": "Added up, it is {2 * n}.", "ground_truth": "{2 * n}"}}\n'
    for n in range(9)
)
# What the core lacks is one line that says which extra has it: commands, and what a recipe's line is replaced by.
LACKING = {
    "arrow": [["export", "sft", "hub"], ["check", "r.yaml", "--set", "prompts=[{source: x.parquet}]"]],
    "demo": [["demo"]],
    "local": [["chat", "smollm2-135m"]],
    "steps": [
        ["run", "r.yaml", "--set", "completions=[{score: math}, {score: pii}]"],
        ["run", "r.yaml", "--set", "completions=[{score: math}, {score: language}]"],
        ["run", "r.yaml", "--set", "completions=[{score: math}, {score: {use: json_schema, schema: {type: object}}}]"],
    ],
    "view": [["report"], ["view"]],
}
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
        try_core(gristmill, away)
        try_size(folder / "env/bin/python", folder)
    print("1 passed, 0 failed")  # noqa: T201 - the wheel's own test


def try_core(gristmill: Path, folder: Path) -> None:
    """Run a recipe without models, ask the store, export; then ask for what the core lacks."""
    (folder / "r.yaml").write_text(RECIPE)
    (folder / "rows.jsonl").write_text(ROWS)
    said = run([gristmill, "run", "r.yaml"], folder)
    assert "9 of 9 kept" in said and said.count("pip install 'gristmill[fast]'") == 1, said
    assert "9" in run([gristmill, "sql", "SELECT count(*) FROM scores WHERE scorer = 'math' AND value = 1"], folder)
    run([gristmill, "export", "sft", "rows", "--format", "jsonl"], folder)
    run([gristmill, "sql", "SELECT prompt FROM prompts", "--format", "parquet", "--output", "x.parquet"], folder)
    for extra, commands in LACKING.items():
        for command in commands:
            said = run([gristmill, *command], folder, code=2)
            assert f"'gristmill[{extra}]'" in said.splitlines()[-1] and "Traceback" not in said, said


def try_size(python: Path, folder: Path) -> None:
    """Add up the files of every distribution but pip's own; fail above the limit."""
    code = (
        "from importlib.metadata import distributions as d; print(sum(f.locate().stat().st_size for one in d() "
        "if one.name not in ('pip', 'setuptools') for f in one.files or [] if f.locate().is_file()))"
    )
    size = int(run([python, "-c", code], folder))
    assert LIMIT / 2 < size <= LIMIT, f"the core takes {size / 1e6:,.0f} MB; at most {LIMIT / 1e6:,.0f} are promised"
    print(f"the core takes {size / 1e6:,.0f} MB")  # noqa: T201


def run(command: list, folder: Path, code: int = 0) -> str:
    """Run a command that exits with ``code``; return what it printed. The environment names no checkout."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode != code:
        sys.exit(f"{' '.join(map(str, command))} exited {done.returncode}:\n{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    main()
