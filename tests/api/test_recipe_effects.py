"""What a recipe runs, reads, fetches and sends, told from the recipe alone."""

import pytest

from curate import load_recipe
from curate.api.recipe_code import code_of
from curate.api.recipe_effects import effects_of

TEXT = """
name: r
models:
  student: smollm2-135m
  hub: {model: org/name, chat_template: chat.jinja}
  local: {engine: openai, base_url: "http://127.0.0.1:8000/v1", model: m}
  plain: {engine: openai, base_url: "http://host.example:8000/v1", model: m}
  paid: {engine: openai, base_url: "https://api.openai.com/v1", model: m, api_key_env: OPENAI_API_KEY}
  several: {engine: openai, base_url: ["http://127.0.0.1:8000/v1", "https://host.example/v1"], model: m}
  served: {engine: vllm, model: smollm2-135m}
  four: {engine: vllm, model: smollm2-135m, servers: 4}
prompts:
  - source: rows.jsonl
  - source: ../../private.jsonl
  - source: {sql: "SELECT * FROM '/etc/passwd.csv'"}
  - source: org/dataset
  - source: "https://user:pass@host.example/rows.jsonl?token=secret"
  - decontaminate: [gsm8k, {path: eval.jsonl}]
completions:
  - score: code
datasets:
  sft: {type: sft, select: best_of_n, by: code}
train:
  t: {trainer: sft, dataset: sft, model: student, report_to: [wandb], push_to_hub: true,
      launch: {machines: 2, processes: 2}}
  quiet: {trainer: sft, dataset: sft, model: student, report_to: none}
evaluate: {models: [student], dataset: sft, by: [code], retention: {texts: /data/texts.jsonl}, benchmark: [gsm8k]}
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Work in an empty folder: a ``.venv-vllm`` in the current one is a program that is run."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def found(tmp_path):
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "r.yaml").write_text(TEXT)
    kinds = {}
    for kind, what in effects_of(load_recipe(folder / "r.yaml")):
        kinds.setdefault(kind, []).append(what.replace(f"{tmp_path}", "TOP"))
    return kinds


def test_what_runs(found):
    assert found["runs"] == [
        "a vLLM server on this machine, for models.served",
        "4 vLLM servers on this machine, for models.four",
        "programs that models write, in the sandbox (score: code)",
        "train.t in several processes (accelerate)",
    ]


def test_what_is_read(found):
    assert found["reads"] == [
        "TOP/a/b/rows.jsonl",
        "TOP/private.jsonl, outside of the recipe's folder",
        "what this query reads, any file or address: SELECT * FROM '/etc/passwd.csv'",
        "TOP/a/b/eval.jsonl",
        "TOP/a/b/chat.jinja",
        "/data/texts.jsonl, outside of the recipe's folder",
    ]


def test_what_is_fetched_without_secrets(found):
    assert found["fetches"] == [
        "the data set org/dataset of the hub",
        "https://host.example/rows.jsonl?...",
        "the data set openai/gsm8k of the hub (gsm8k)",
        "the model org/name of the hub, where it is not here yet",
        "the data of the benchmark gsm8k, from where lm-evaluation-harness has it",
    ]


def test_what_is_sent_and_to_whom(found):
    assert found["sends"] == [
        "the prompts of models.local to 127.0.0.1:8000, which is this machine",
        "the prompts of models.plain to host.example:8000 over plain http",
        "the prompts of models.paid to api.openai.com, with the key in OPENAI_API_KEY",
        "the prompts of models.several to 127.0.0.1:8000, which is this machine",
        "the prompts of models.several to host.example",
        "the figures of train.t to wandb",
        "the model of train.t to the hub (refused)",
        "the answers and gradients of train.t to another machine that you start, not encrypted",
    ]


def test_a_link_out_of_the_folder_is_outside(tmp_path):
    folder = tmp_path / "job"
    folder.mkdir()
    (folder / "rows.jsonl").symlink_to("/etc/hostname")
    recipe = {"name": "r", "prompts": [{"source": str(folder / "rows.jsonl")}]}
    (effect,) = effects_of(load_recipe(recipe).model_copy(update={"path": folder / "r.yaml"}))
    assert effect.what == "/etc/hostname, outside of the recipe's folder"


@pytest.mark.parametrize(
    ("args", "odd"),
    [
        ("[--max-model-len, '2048']", False),
        ("[--max_model_len=2048, --dtype, bfloat16]", False),
        ("[--trust-remote-code]", True),
        ("[--tool-parser-plugin, evil.py, --dtype=float32]", True),
        ("[--conf, evil.yaml]", True),
    ],
)
def test_arguments_of_vllm_that_may_load_code_are_code(args, odd, tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(f"name: r\nmodels: {{m: {{engine: vllm, model: a/b, args: {args}}}}}\nprompts: [{{source: x}}]\n")
    assert [one.name.startswith("vLLM with the arguments --") for one in code_of(load_recipe(path))] == [True] * odd


def test_task_files_and_model_folders_are_code(tmp_path):
    (tmp_path / "tasks").mkdir()
    (tmp_path / "model").mkdir()
    for name in ("tasks/mine.yaml", "tasks/utils.py", "model/modeling.py", "model/config.json"):
        (tmp_path / name).write_text("{}")
    path = tmp_path / "r.yaml"
    path.write_text(
        "name: r\nmodels: {m: {model: ./model, trust_remote_code: true}}\nprompts: [{source: x}]\n"
        "datasets: {d: {type: prompt}}\n"
        "evaluate: {models: [m], dataset: d, by: [length], benchmark: [tasks/mine.yaml]}\n"
    )
    before = code_of(load_recipe(path))
    assert [str(one).partition(" (sha256")[0] for one in before] == [
        "the code in the model's folder ./model", f"{tmp_path}/tasks/mine.yaml and 1 file beside it",
    ]  # fmt: skip
    (tmp_path / "tasks" / "utils.py").write_text("changed")
    (tmp_path / "model" / "config.json").write_text('{"auto_map": {"AutoModel": "other/repo--m.C"}}')
    assert not {one.digest for one in before} & {one.digest for one in code_of(load_recipe(path))}
