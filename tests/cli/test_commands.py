"""The commands, on a small recipe whose candidates are recorded, so that no model is needed."""

import csv
import io
import json
import re
from typing import Any

import duckdb
import polars as pl
import pytest

from cli.main import app
from cli.shipped_recipes import RECIPES
from tests.command import call, mistake, process

pytestmark = pytest.mark.slow  # whole runs or many processes: seconds for the file

COMMANDS = sorted(
    getattr(command.callback, "__name__", "no name").replace("_", "-") for command in app.registered_commands
)
HOSTILE = "fine\x1b]0;owned\x07 \x1b[31mred\x1b[2J \x9b31m\r\x08end"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
RECIPE = """\
name: small
seed: 7
models:
  student: smollm2-135m
prompts:
  - source: rows.jsonl
  - dedup: exact
completions:
  - score: constraints
  - score: {use: length, as: words}
  - filter: {empty: "words = 0"}
datasets:
  sft: {type: sft, select: best_of_n, by: constraints, where: "constraints >= 0.5"}
  dpo: {type: preference, select: best_vs_worst, by: constraints, margin: 0.5}
  rl: {type: prompt, by: constraints, where: "pass_rate between 0.1 and 0.9"}
split: {test: "metadata ->> 'side' = 'test'"}
train:
  one: {trainer: sft, dataset: sft, model: student, learning_rate: 2e-4}
"""


def rows():
    """Return eight prompts with a good, a middling and a bad answer each; one is repeated, one has an empty answer."""
    truth = [{"kind": "lowercase"}, {"kind": "max_words", "n": 4}]
    made: list[dict[str, Any]] = [
        {
            "prompt": f"Name thing {i}.",
            "ground_truth": truth,
            "metadata": {"side": "test" if i > 5 else "train"},
            "completions": [f"thing {i}", f"Thing {i}", f"Here is a long Answer about thing {i}"],
        }
        for i in range(8)
    ]
    made[3]["completions"][2] = ""
    made[4]["completions"].append(HOSTILE)
    return [*made, {**made[0], "prompt": "name  THING 0."}]


def write(folder, recipe=RECIPE):
    folder.mkdir(exist_ok=True)
    (folder / "r.yaml").write_text(recipe)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()))
    return folder


def rows_of(folder, query):
    """Return the rows of a query."""
    result = call(folder, "sql", query, "--format", "jsonl")
    assert result.code == 0, result.err
    return [json.loads(line) for line in result.out.splitlines()]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder where the recipe was run, by a real process."""
    folder = write(tmp_path_factory.mktemp("built"))
    done = process(folder, "run", "r.yaml")
    assert done.code == 0, done.err
    assert "next: gristmill show" in done.out
    return folder


# Help -----------------------------------------------------------------------------------------------------------------


def test_the_commands_of_the_design_are_there():
    assert {"demo", "init", "check", "run", "train", "evaluate", "sql", "show", "why", "steps"} <= set(COMMANDS)


@pytest.mark.parametrize("command", ["", *COMMANDS])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_has_help(tmp_path, command, flag):
    done = call(tmp_path, *([command] if command else []), flag)
    assert done.code == 0 and done.err == "" and len(done.out.split()) > 10
    names = [command] if command else COMMANDS
    assert all(name in done.out for name in names)


def test_help_imports_nothing_heavy(tmp_path):
    code = """if True:
        import sys
        import cli.main
        heavy = {"polars", "duckdb", "torch", "numpy", "pyarrow", "transformers", "trl", "ruamel.yaml", "pydantic"}
        assert not heavy & set(sys.modules), sorted(heavy & set(sys.modules))
        for arguments in (["--help"], ["run", "--help"], ["train", "-h"], ["--version"]):
            sys.argv = ["gristmill", *arguments]
            try:
                cli.main.main()
            except SystemExit as end:
                assert end.code in (0, None), end.code
        heavy -= {"pydantic"}  # Typer's own, where it reads the arguments
        assert not heavy & set(sys.modules), sorted(heavy & set(sys.modules))
    """
    done = process(tmp_path, code=code)
    assert done.code == 0, done.err


def test_version_and_no_command(tmp_path):
    assert re.fullmatch(r"gristmill \d+\.\d+\.\d+\n", call(tmp_path, "--version").out)
    bare = call(tmp_path)
    assert "Usage" in bare.out + bare.err


# Building -------------------------------------------------------------------------------------------------------------


def test_a_run_makes_the_tables_of_the_design(built):
    tables = ("prompts", "completions", "scores", "decisions", "sft", "preferences", "rl_prompts", "stages", "runs")
    counts = {t: rows_of(built, f"SELECT count(*) AS n FROM {t}")[0]["n"] for t in tables}
    assert counts["prompts"] == 9 and counts["completions"] == 28 and counts["runs"] == 1
    assert counts["sft"] == 8 and counts["preferences"] == 8 and counts["rl_prompts"] == 8
    sides = rows_of(built, "SELECT DISTINCT split, prompt LIKE '%thing 6%' OR prompt LIKE '%thing 7%' AS late FROM sft")
    assert sorted(list(s.values()) for s in sides) == [["test", True], ["train", False]]
    best = rows_of(built, "SELECT completion, score FROM sft ORDER BY completion")
    assert [b["completion"][0]["content"] for b in best] == [f"thing {i}" for i in range(8)]
    assert all(b["score"] == 1.0 for b in best)
    pairs = rows_of(built, "SELECT chosen_score - rejected_score AS gap FROM preferences")
    assert all(p["gap"] >= 0.5 for p in pairs)
    dropped = rows_of(
        built,
        "SELECT stage, reason, count(*) AS n FROM decisions WHERE NOT kept "
        "AND stage NOT LIKE 'datasets%' GROUP BY ALL ORDER BY stage",
    )
    assert dropped == [
        {"stage": "completions.filter", "reason": "empty", "n": 1},
        {"stage": "prompts.dedup.exact", "reason": "duplicate (exact)", "n": 1},
    ]


def test_a_run_without_a_training_names_the_export(tmp_path):
    folder = write(tmp_path, RECIPE.split("train:\n")[0])
    said = call(folder, "run", "r.yaml", "--limit", "4").out
    named = re.search(r"or: gristmill (export .+)\n", said)
    assert named and call(folder, *named[1].split(), "--format", "jsonl").code == 0


def test_a_second_run_reuses_every_stage_and_changes_nothing(built):
    stages = {p: p.stat().st_mtime_ns for p in (built / "store" / "stages").rglob("*")}
    done = call(built, "run", "r.yaml")
    assert done.code == 0 and done.err.count("reused") == len(done.err.splitlines()) == 8
    assert {p: p.stat().st_mtime_ns for p in (built / "store" / "stages").rglob("*")} == stages
    last = rows_of(
        built,
        "SELECT bool_and(reused) AS reused, count(*) AS n FROM stages WHERE run_id = (SELECT max(run_id) FROM runs)",
    )
    assert last == [{"reused": True, "n": 8}]


@pytest.mark.slow
def test_an_edited_threshold_makes_only_later_stages_again(tmp_path):
    write(tmp_path)
    assert call(tmp_path, "run", "r.yaml").code == 0
    before = rows_of(tmp_path, "SELECT row_id FROM sft ORDER BY 1")
    done = call(
        tmp_path, "run", "r.yaml", "--set", "datasets.dpo.margin=0.9", "--set", "completions.2.filter.long=words > 4"
    )
    assert done.code == 0
    stages, warned = done.err.splitlines()[:-1], done.err.splitlines()[-1]
    assert warned.startswith("warning: datasets.dpo: 0 pairs: select left out "), "no pair has the margin"
    reused = {line.split()[1]: line.startswith("=") for line in stages}
    assert reused == {
        "prompts.source.rows": True,
        "prompts.dedup.exact": True,
        "completions.score.constraints": True,
        "completions.score.words": True,
        "completions.filter": False,
        "datasets.sft": False,
        "datasets.dpo": False,
        "datasets.rl": False,
    }
    assert rows_of(tmp_path, "SELECT row_id FROM sft ORDER BY 1") == before, "the same rows have the same ids"
    back = call(tmp_path, "run", "r.yaml", "--set", "datasets.dpo.margin=0.9")
    reused = {line.split()[1]: line.startswith("=") for line in back.err.splitlines() if line[0] in "=+"}
    assert [stage for stage, was in reused.items() if not was] == ["datasets.dpo"], (
        "what was made before is still there"
    )


def test_editing_comments_or_the_order_of_keys_remakes_nothing(built):
    text = RECIPE.replace("{use: length, as: words}", "{as: words, use: length}  # words").replace("seed: 7\n", "")
    (built / "same.yaml").write_text(text.replace("models:", "seed: 7\nmodels:"))
    done = call(built, "run", "same.yaml")
    assert done.code == 0 and done.err.count("reused") == 8


def test_check_says_what_will_run_and_writes_nothing(tmp_path, built):
    write(tmp_path)
    done = call(tmp_path, "check", "r.yaml", "--rows", "0")
    assert done.code == 0, done.err
    assert "r.yaml: a valid recipe" in done.out and "0 requests" in done.out and "cached" not in done.out
    for label in (
        "prompts.source.rows",
        "prompts.dedup.exact",
        "completions.score.constraints",
        "datasets.dpo",
        "train.one",
    ):
        assert re.search(rf"{re.escape(label)}.*to run", done.out), label
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.yaml", "rows.jsonl"]
    done = call(built, "check", "r.yaml", "--rows", "0")
    assert re.search(r"datasets.dpo.*cached", done.out) and re.search(r"train.one.*to run", done.out)


def test_check_counts_the_requests_a_model_would_be_sent(tmp_path):
    step = "  - generate: {use: sample, model: student, n: 3, max_tokens: 10, where: split = 'train'}\n"
    write(tmp_path, RECIPE.replace("  - score: constraints", step + "  - score: constraints"))
    done = call(tmp_path, "check", "r.yaml", "--rows", "0")
    assert done.code == 0, done.err  # the two that are held out are not asked; the copy counts until it is found out
    assert "9 prompts" in done.out and "21 requests left to make" in done.out and "at most 210 new tokens" in done.out


@pytest.mark.slow
def test_the_store_can_be_named_by_flag_and_by_environment(tmp_path):
    write(tmp_path, RECIPE[: RECIPE.index("split:")].replace("  - dedup: exact\n", ""))
    code = """if True:
        import os, sys
        from cli.main import main
        os.environ["GRISTMILL_STORE"] = "elsewhere"
        sys.argv = ["gristmill", *sys.argv[1:], "run", "r.yaml"]
        main()
    """
    assert process(tmp_path, code=code).code == 0
    assert (tmp_path / "elsewhere" / "gristmill.duckdb").exists() and not (tmp_path / "store").exists()
    assert (
        json.loads(
            call(tmp_path, "sql", "SELECT count(*) AS n FROM prompts", "--format", "json", "--store", "elsewhere").out
        )[0]["n"]
        == 9
    )


# Asking ---------------------------------------------------------------------------------------------------------------

QUERY = "SELECT prompt_id, prompt, line, NULL AS nothing, 0.25 AS quarter FROM prompts ORDER BY line"


def test_every_format_says_the_same(built, tmp_path):
    wanted = [(r["prompt"], r["line"]) for r in rows_of(built, QUERY)]
    assert wanted[0] == ("Name thing 0.", 1) and len(wanted) == 9
    assert [(r["prompt"], r["line"]) for r in json.loads(call(built, "sql", QUERY, "--format", "json").out)] == wanted
    table = list(csv.DictReader(io.StringIO(call(built, "sql", QUERY, "--format", "csv").out)))
    assert [(r["prompt"], int(r["line"])) for r in table] == wanted
    assert (table[0]["nothing"], table[0]["quarter"]) == ("", "0.25")
    shown = call(built, "sql", QUERY).out
    assert all(text in shown for text, _ in wanted) and "0.25" in shown
    done = process(built, "sql", QUERY, "--format", "parquet")
    assert done.code == 0
    assert pl.read_parquet(io.BytesIO(done.raw)).select("prompt", "line").rows() == wanted
    for name in ("jsonl", "json", "csv", "parquet", "table"):
        done = call(built, "sql", QUERY, "--format", name, "--output", tmp_path / f"out.{name}")
        assert (done.code, done.out) == (0, "")
    assert pl.read_parquet(tmp_path / "out.parquet").select("prompt", "line").rows() == wanted
    assert pl.read_ndjson(tmp_path / "out.jsonl").select("prompt", "line").rows() == wanted
    assert pl.read_csv(tmp_path / "out.csv").select("prompt", "line").rows() == wanted
    assert len(list(tmp_path.iterdir())) == 5, "no leftovers"


def test_an_empty_result_is_well_formed(built):
    for name, text in (("json", []), ("csv", "prompt_id\n"), ("jsonl", "")):
        out = call(built, "sql", "SELECT prompt_id FROM prompts WHERE false", "--format", name).out
        assert (json.loads(out) if name == "json" else out) == text


def test_a_table_says_when_there_is_more(built):
    shown = call(built, "sql", "SELECT completion_id FROM completions", "--limit", "3").out
    assert shown.count("c_") == 3 and "the first 3 rows" in shown
    assert "the first" not in call(built, "sql", "SELECT 1").out


def test_any_duckdb_client_reads_the_same(built):
    with duckdb.connect(str(built / "store" / "gristmill.duckdb"), read_only=True) as con:
        assert con.execute("SELECT count(*) FROM completions").fetchall() == [(28,)]
    files = built / "store" / "stages" / "*" / "scores-*.parquet"
    with duckdb.connect() as con:
        assert con.execute(f"SELECT count(DISTINCT scorer) FROM '{files}'").fetchall() == [(2,)]


def test_show_gives_an_overview_and_a_table(built):
    overview = call(built, "show")
    assert overview.code == 0
    for line in (r"prompts\W+9\b", r"completions\W+28\b", r"trainings\W+0\b", r"\brun\b.*finished"):
        assert re.search(line, overview.out), line
    one = call(built, "show", "sft", "--rows", "2").out
    assert one.count("r_") == 2


def test_why_tells_the_story_of_a_prompt_a_candidate_and_a_row(built):
    prompt = rows_of(built, "SELECT prompt_id FROM prompts WHERE line = 1")[0]["prompt_id"]
    told = call(built, "why", prompt).out
    assert told.startswith(f"prompt {prompt}\n")
    for text in (
        "Name thing 0.",
        "from rows.jsonl, line 1",
        "3 completions",
        "kept    by prompts.dedup.exact",
        "sft row in sft (train)",
        "pair in dpo (train)",
        "RL prompt in rl (train)",
    ):
        assert text in told, text
    double = rows_of(built, "SELECT prompt_id FROM prompts WHERE line = 9")[0]["prompt_id"]
    told = call(built, "why", double).out
    assert "dropped by prompts.dedup.exact: duplicate (exact)" in told and prompt in told, "names what it duplicates"
    row = rows_of(built, "SELECT chosen_id, rejected_id, row_id FROM preferences ORDER BY row_id")[0]
    told = call(built, "why", row["chosen_id"]).out
    assert "chosen of a pair in dpo" in told and "constraints 1.0" in told and row["row_id"] in told
    told = call(built, "why", row["rejected_id"]).out
    assert "rejected of a pair in dpo" in told and "dropped by datasets.sft" in told
    told = call(built, "why", row["row_id"]).out
    assert told.startswith(f"dataset row {row['row_id']}\n") and row["chosen_id"] in told and row["rejected_id"] in told
    empty = rows_of(built, "SELECT completion_id FROM completions WHERE response = ''")[0]["completion_id"]
    assert "dropped by completions.filter: empty" in call(built, "why", empty).out


def test_why_takes_the_start_of_an_id(built):
    row = rows_of(built, "SELECT row_id FROM sft ORDER BY 1")[0]["row_id"]
    assert call(built, "why", row[:12]).out == call(built, "why", row).out
    line = mistake(call(built, "why", "r_"))
    assert row[:2] in line and "several ids" in line


def test_what_a_model_wrote_does_not_steer_the_terminal(built):
    (row,) = rows_of(
        built, "SELECT completion_id, prompt_id, response FROM completions WHERE contains(response, 'owned')"
    )
    assert row["response"] == HOSTILE, "the data are kept as they are"
    shown = [
        call(built, "why", row["completion_id"]),
        call(built, "why", row["prompt_id"]),
        call(built, "show", "completions", "-n", "99"),
        call(built, "sql", "SELECT response FROM completions WHERE contains(response, 'owned')"),
        call(built, "sql", f'SELECT 1 AS "{HOSTILE[:12]}"'),
    ]
    for done in shown:
        assert done.code == 0 and not CONTROL.search(done.out), CONTROL.search(done.out)
    assert "owned" in shown[0].out and "owned" in shown[3].out
    failed = call(built, "sql", "SELECT response::INT FROM completions WHERE contains(response, 'owned')")
    assert failed.code == 2 and not CONTROL.search(failed.err)


def test_steps_lists_what_a_recipe_can_name(tmp_path):
    every = call(tmp_path, "steps")
    for kind in ("generate:", "score:", "dedup:", "select:", "train:"):
        assert kind in every.out
    score = call(tmp_path, "steps", "score").out
    assert "constraints" in score and "length" in score and "minhash" not in score
    assert all(len(line.split()) > 2 for line in score.splitlines()[1:]), "every step has a line on what it is"
    assert "training" in [line.split()[0] for line in score.splitlines()], "the losses of a training are scores too"
    trainers = call(tmp_path, "steps", "train").out.splitlines()[1:]
    assert all("Dataset: type " in line for line in trainers[:-1]) and "trl.experimental.orpo" in trainers[-1]
    named = {line.split()[0]: line for line in trainers}
    assert named["grpo"].endswith("Dataset: type prompt; needs rewards.")


def test_init_lists_every_shipped_recipe_with_what_it_does(tmp_path):
    shown = call(tmp_path, "init", "--help").out
    for file in RECIPES.glob("*.yaml"):
        first = file.read_text(encoding="utf-8").splitlines()[0]
        assert re.search(rf"  {file.stem} +{re.escape(first.removeprefix('# '))}", shown), file.stem


def test_init_copies_a_recipe_and_never_overwrites_changes(tmp_path):
    done = call(tmp_path, "init", "constraints")
    assert done.code == 0 and sorted(p.name for p in tmp_path.iterdir()) == [
        "chat.jinja",
        "constraints.yaml",
        "seeds.jsonl",
        "topics.jsonl",
    ]
    assert "next: gristmill check constraints.yaml" in done.out
    assert call(tmp_path, "init", "constraints").code == 0, "the same file again does no harm"
    seeds = tmp_path / "seeds.jsonl"
    seeds.write_text('{"prompt": "mine"}\n')
    (tmp_path / "constraints.yaml").unlink()
    line = mistake(call(tmp_path, "init", "constraints"))
    assert "seeds.jsonl exists and differs" in line
    assert seeds.read_text() == '{"prompt": "mine"}\n' and not (tmp_path / "constraints.yaml").exists()
    assert call(tmp_path, "init", "constraints", "--folder", "new/place").code == 0
    assert (tmp_path / "new" / "place" / "constraints.yaml").exists()


def test_debug_shows_where(built):
    done = process(built, "sql", "SELEKT", "--debug")
    assert done.code != 0 and "Traceback" in done.err and "UserError" in done.err
