"""export-model --push, --data and --force, against the stub of the hub; the card says the data, and tells no secret."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.sources.remote import hub_connection
from tests.command import ROOT, call, mistake
from tests.export.test_hostile import LIMITED
from tests.exporting import of_kind
from tests.optional import needs
from tests.stub_hub import TOKEN, Hub
from tests.train.arms.test_differences import ARMS, SHARES, cells
from tests.train.arms.test_differences import trained as arms_trained
from tests.train.export.test_export_model import FACTS, PLAIN, add_adapter
from tests.train.reports.test_card import without_code
from tests.trainings import trained
from train.arms.differences import Compared, compare_arms

pytestmark = [needs("torch", "transformers", "peft", "huggingface_hub"), pytest.mark.slow]

HOSTILE = "<img src=x onerror=y> [a](javascript:b) `c`\n---\nlicense: mit\n# e"


@pytest.fixture
def hub(monkeypatch):
    found = Hub(large=(".safetensors",))
    monkeypatch.setenv("HF_ENDPOINT", found.url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    hub_connection.unreachable.cache_clear()
    yield found
    found.server.shutdown()


@pytest.fixture
def folder(tmp_path, lively):
    """A folder with a store, whose training ``tuned`` learnt the dataset ``d``, and the model ``lively``."""
    from curate.models.model_ref import ModelRef

    store = of_kind(tmp_path / "kept", "sft")
    stage = trained(store, "r", "tuned", "d")
    add_adapter(ModelRef("base", "base@0", str(lively)), stage.folder("model"), PLAIN, 1)
    shutil.copytree(lively, tmp_path / "lively")
    told(store, stage)
    return tmp_path


def told(store: Any, stage: Any, **more: Any) -> None:
    """Write the facts of a training as it keeps them."""
    data = next(one for one in store.whole_stages() if one.rows("sft"))
    kept = {"content": data.content("sft"), "licences": [["rows.jsonl", "unknown"]]}
    facts = FACTS | {"name": "tuned", "recipe": "r", "dataset": "d", "training_id": stage.stage_id, "data": kept}
    (stage.path / "card.json").write_text(json.dumps(facts | more))


def pass_on(folder: Path, *more: str) -> Any:
    return call(folder, "export-model", "tuned", "out", "--store", "kept/store", "--check", "0", *more)


def stage_of(folder: Path) -> Any:
    from curate.storage.store import Store

    store = Store(folder / "kept/store")
    return store, store.stages_labelled("train-")[0]


def test_a_model_is_pushed_with_its_weights_as_objects(folder, hub):
    done = pass_on(folder, "--push", "me/model", "--private")
    assert done.code == 0 and done.out.endswith("pushed: me/model\n"), done
    assert hub.private and "model.safetensors" in hub.pointers and hub.commits[-1][-1] == "README.md"
    assert {name: (folder / "out" / name).read_bytes() for name in hub.files} == hub.files
    whole = done.out + done.err + "".join(text.decode("latin-1") for text in hub.files.values())
    assert TOKEN not in whole and str(folder) not in whole
    assert "POST /api/models/me/model/commit/main" in hub.asked


def test_a_push_of_a_model_goes_on_where_it_was(folder, hub):
    hub.fail_at = 1
    failed = pass_on(folder, "--push", "me/model")
    assert failed.code == 1 and TOKEN not in failed.err and "the commit failed for" in failed.err
    done = pass_on(folder, "--push", "me/model")
    assert done.code == 0 and set(hub.puts.values()) == {1} and "README.md" in hub.files
    (folder / "out/config.json").write_text("{}")
    assert "'config.json' is not as gristmill wrote it" in mistake(pass_on(folder, "--push", "me/model"))


def test_an_adapter_whose_base_is_here_alone_is_not_pushed(folder, hub):
    told_so = mistake(pass_on(folder, "--format", "adapter", "--push", "me/model"))
    assert "take --format merged" in told_so and not hub.made and not (folder / "out").exists()


def test_an_earlier_export_is_replaced_with_force_alone(folder):
    assert pass_on(folder).code == 0
    assert "--force replaces it" in mistake(pass_on(folder))
    assert pass_on(folder, "--force", "--dtype", "float16").code == 0
    (folder / "out/thesis.txt").write_text("mine")
    assert "'thesis.txt'" in mistake(pass_on(folder, "--force"))
    assert "--private is of" in mistake(pass_on(folder, "--private"))
    assert "is in the store" in mistake(call(folder, "export-model", "tuned", "kept/store/x", "--store", "kept/store"))


def test_the_card_names_the_data_with_its_checksums(folder):
    call(folder, "export", "d", "data", "--store", "kept/store")
    done = pass_on(folder, "--data", "data", "--data-address", "me/rivers")
    assert done.code == 0, done.err
    card = (folder / "out/README.md").read_text()
    record = json.loads((folder / "data/.gristmill.json").read_text())
    assert all(one["sha256"] in card for name, one in record["files"].items() if name != "README.md")
    assert "datasets:\n- me/rivers\n" in card and "huggingface.co/datasets/me/rivers" in card
    assert "## Limits" in card and "- licence of `rows.jsonl`: unknown" in card


def test_the_card_has_the_comparison_of_arms(folder):
    store, stage = stage_of(folder)
    rows = compare_arms(Compared(ARMS, "student", cells(SHARES), arms_trained(seeds=5)))
    ours = pl.when(pl.col("training_id").is_not_null()).then(pl.lit(stage.stage_id)).alias("training_id")
    with store.new_stage("c" * 12, "compare", what={}) as writer:
        writer.write("comparisons", rows.with_columns(ours))
    assert pass_on(folder).code == 0
    card = (folder / "out/README.md").read_text()
    found = card.partition("## Compared on several seeds\n")[2].partition("## Limits\n")
    assert "t over 5 seeds" in found[0] and "## To load it" in found[2]


def test_data_of_other_rows_is_not_named(folder):
    of_kind(folder / "other", "unpaired")
    call(folder, "export", "d", "data", "--store", "other/store")
    assert "is of other rows" in mistake(pass_on(folder, "--data", "data"))
    assert "is no folder that 'gristmill export' wrote" in mistake(pass_on(folder, "--data", "lively"))
    assert "--data-address 'me'" in mistake(pass_on(folder, "--data-address", "me"))
    assert not (folder / "out").exists()


def test_names_and_licences_are_no_markup(folder):
    store, stage = stage_of(folder)
    kept = {"content": HOSTILE, "licences": [[HOSTILE, HOSTILE]]}
    told(
        store, stage, dataset=HOSTILE, data=kept, recipe_text="name: demo\nmodels:\n  a:\n    base_url: http://i.x/v1\n"
    )
    assert pass_on(folder).code == 0
    card = (folder / "out/README.md").read_text()
    outside = without_code(card.split("---\n", 2)[2])
    assert not [mark for mark in ("<img", "](java", "\n# e", "\n---\n") if mark in outside], outside
    assert card.count("javascript:b") == 4 and "i.x" not in card


@pytest.mark.parametrize("facts", ('{"recipe_text": 5}', '{"recipe_text": "a", "figures": []}', "[[", "5"))
def test_facts_that_are_not_ours_are_left_out(folder, facts):
    _, stage = stage_of(folder)
    (stage.path / "card.json").write_text(facts)
    assert pass_on(folder).code == 0 and "## To load it" in (folder / "out/README.md").read_text()


def test_a_full_disk_is_one_line_and_leaves_nothing(folder):
    arguments = ["export-model", "tuned", "out", "--store", "kept/store", "--check", "0", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, "20000", *arguments], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1 and "nothing is kept of the export" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and {path.name for path in folder.iterdir()} == {"kept", "lively"}
