"""The command: what it writes, replaces and refuses; the card; licences; nothing half-written."""

import json
import re
import shutil

import polars as pl
import pytest
from ruamel.yaml import YAML

from curate.export import export as exporting
from curate.export.new_folder import new_folder
from curate.export.sinks import jsonl, parquet
from curate.sources.read_source import read_source
from schemas.errors import UserError
from tests.command import call, mistake
from tests.exporting import KINDS, UNPAIRED, exported, of_kind, stored

pytestmark = pytest.mark.slow  # makes stores: seconds for the file


def export(folder, *more):
    return call(folder, "export", "d", *more, "--store", "kept/store")


def head(card):
    found = re.match(r"---\n(.*?)\n---\n", card, re.DOTALL)
    assert found is not None
    return YAML(typ="safe", pure=True).load(found[1])


def test_the_card_says_what_it_is_and_where_it_is_from(tmp_path):
    of_kind(tmp_path / "kept", "sft")
    done = export(tmp_path, "out")
    assert done.code == 0 and done.out == "hub: out: 4 rows (4 train)\n"
    card = (tmp_path / "out/README.md").read_text()
    assert head(card)["configs"][0]["data_files"] == [{"split": "train", "path": "data/train-*.parquet"}]
    assert head(card)["license"] == "unknown" and head(card)["size_categories"] == ["n<1K"]
    for part in ("prompts.source.rows", "| `rows.jsonl` | unknown |", "Name a river.", "type: sft", "SHA-256"):
        assert part in card, part
    record = json.loads((tmp_path / "out/.gristmill.json").read_text())
    assert all(one["sha256"] in card for name, one in record["files"].items() if name != "README.md")


def test_refused_rows_are_beside_the_others(tmp_path):
    stored(tmp_path / "kept", [*UNPAIRED, UNPAIRED[0]], KINDS["unpaired"][1])
    done = export(tmp_path, "out")
    assert "1 refused row is beside them" in done.err
    refused = read_refused(tmp_path / "out/refused/data/train-00000-of-00001.parquet")
    assert refused[0]["stage"].startswith("prompts.source") and "exact" in refused[0]["reason"]
    assert export(tmp_path, "bare", "--no-refused").code == 0 and not (tmp_path / "bare/refused").exists()


def read_refused(path):
    return pl.read_parquet(path).to_dicts()


def test_what_we_did_not_write_is_not_replaced(tmp_path):
    of_kind(tmp_path / "kept", "sft")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("all my work")
    assert "no export of gristmill's" in mistake(export(tmp_path, "mine", "--force"))
    assert export(tmp_path, "out").code == 0
    assert "--force replaces it" in mistake(export(tmp_path, "out"))
    assert export(tmp_path, "out", "--force", "--format", "jsonl").code == 0
    assert not (tmp_path / "out/refused").exists() and (tmp_path / "out/data/train.jsonl").exists()
    (tmp_path / "out/notes.txt").write_text("mine")
    assert "'notes.txt'" in mistake(export(tmp_path, "out", "--force"))
    assert {path.name for path in tmp_path.iterdir()} == {"kept", "mine", "out"}


def test_a_link_in_an_export_is_not_replaced(tmp_path):
    of_kind(tmp_path / "kept", "sft")
    export(tmp_path, "out")
    (tmp_path / "out/mine").symlink_to(tmp_path / "kept", target_is_directory=True)
    assert "'mine'" in mistake(export(tmp_path, "out", "--force")) and (tmp_path / "out/mine").is_symlink()


@pytest.mark.parametrize("there", (True, False))
def test_what_is_made_meanwhile_is_not_replaced(tmp_path, there):
    target = tmp_path / "out"
    if there:
        target.mkdir()
    with pytest.raises(UserError, match="is there and not empty"), new_folder(target) as partial:
        (partial / "a").write_text("ours")
        target.mkdir(exist_ok=True)
        (target / "thesis.txt").write_text("all my work")
    assert [path.name for path in target.iterdir()] == ["thesis.txt"]


def test_links_in_a_circle_are_a_mistake(tmp_path):
    of_kind(tmp_path / "kept", "sft")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert mistake(export(tmp_path, "a"))


def test_a_dataset_without_training_rows_is_said(tmp_path):
    stored(tmp_path / "kept", [{"prompt": "a", "completion": "b"}], "{type: sft}\nsplit: {test: '1 = 1'}")
    assert "trains on 'test'" in export(tmp_path, "out", "--format", "trl").err


def test_private_is_of_a_push(tmp_path):
    of_kind(tmp_path / "kept", "sft")
    assert "--private is of" in mistake(export(tmp_path, "out", "--private")) and not (tmp_path / "out").exists()


def test_a_language_of_few_rows_is_not_the_card_s(tmp_path):
    short = [{"prompt": f"{n}?", "completion": "a"} for n in range(19)]
    chinese = [{"prompt": "你好，请问长江是世界上第几长的河流？", "completion": "b"}]
    stored(tmp_path / "kept", [*short, *chinese], "{type: sft}")
    export(tmp_path, "out")
    assert "language" not in head((tmp_path / "out/README.md").read_text())


def test_renamed_splits_are_one_line(tmp_path):
    rows = [{"prompt": f"{n}?", "completion": "a", "metadata": {"n": n}} for n in range(9)]
    stored(
        tmp_path / "kept", rows, "{type: sft}\nsplit: {a-b: \"metadata->>'n' = '1'\", c-d: \"metadata->>'n' = '2'\"}"
    )
    said = export(tmp_path, "out").err.splitlines()
    assert said == ["  the split 'a-b' is called 'a_b', 'c-d' is called 'c_d'"]


def test_a_folder_in_a_store_or_with_an_odd_name_is_refused(tmp_path):
    of_kind(tmp_path / "kept", "sft")
    (tmp_path / "link").symlink_to(tmp_path / "kept/store")
    for name in ("kept/store/out", "link/out", "kept"):
        assert "is in the store" in mistake(export(tmp_path, name))
    assert "control characters" in mistake(export(tmp_path, "a\x1b[2Jb"))


def test_names_that_do_not_exist_are_mistakes(tmp_path):
    of_kind(tmp_path / "kept", "sft")
    assert "did you mean 'jsonl'" in mistake(export(tmp_path, "out", "--format", "jsonnl"))
    assert "no dataset 'dd'" in mistake(call(tmp_path, "export", "dd", "out", "--store", "kept/store"))
    assert "has no place for a dataset of the type sft" not in export(tmp_path, "out").err
    of_kind(tmp_path / "prompts", "prompt")
    told = call(tmp_path, "export", "d", "p", "--store", "prompts/store", "--format", "openai")
    assert "has no place for a dataset of the type prompt" in mistake(told)


def test_losses_are_said_with_their_counts(tmp_path):
    of_kind(tmp_path / "kept", "sft")
    done = export(tmp_path, "out", "--format", "openai")
    assert "1 of 4 rows loses reasoning traces" in done.err and "all rows are without row_id" in done.err
    card = (tmp_path / "out/README.md").read_text()
    assert "1 row is without reasoning traces" in card


def test_a_dataset_of_which_no_row_fits_is_refused(tmp_path):
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    stored(tmp_path / "kept", [{"prompt": turns, "completion": "d", "label": True}], KINDS["unpaired"][1])
    told = mistake(export(tmp_path, "out", "--format", "axolotl"))
    assert "can hold no row" in told and not (tmp_path / "out").exists()


@pytest.mark.parametrize("error", (KeyboardInterrupt, OSError(28, "No space left on device")))
def test_nothing_is_left_of_an_export_that_ends_early(tmp_path, monkeypatch, error):
    of_kind(tmp_path / "kept", "sft")
    export(tmp_path, "out", "--format", "jsonl")
    before = (tmp_path / "out/.gristmill.json").read_bytes()

    class Full(jsonl.Sink):
        def write(self, rows):
            super().write(rows)
            raise error

    monkeypatch.setattr(jsonl, "Sink", Full)
    for name in ("out", "new"):
        done = export(tmp_path, name, "--format", "jsonl", "--force")
        assert done.code in (1, 130) and "nothing is kept of the export" in done.err
    assert (tmp_path / "out/.gristmill.json").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"kept", "out"}


def test_shards_are_numbered_and_batches_are_small(tmp_path):
    sink = parquet.Sink(tmp_path, "train", {"text": "string"}, shard=1)
    for number in range(3):
        sink.write([{"text": str(number)}])
    sink.close()
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [
        f"train-{number:05d}-of-00003.parquet" for number in range(3)
    ]


def test_a_thousand_rows_go_through_in_batches(tmp_path, monkeypatch):
    sizes = []
    write = exporting._write_batch
    monkeypatch.setattr("curate.storage.dataset_rows.BATCH", 100)
    monkeypatch.setattr(
        exporting, "_write_batch", lambda writing, frame: (sizes.append(frame.height), write(writing, frame))
    )
    rows = [{"prompt": f"Name river {number}.", "completion": f"River {number}."} for number in range(250)]
    folder = exported(tmp_path, "sft", "jsonl", rows)
    assert sizes == [100, 100, 50]
    lines = [
        json.loads(line)["prompt"][0]["content"] for line in (folder / "data/train.jsonl").read_text().splitlines()
    ]
    assert lines == [row["prompt"] for row in rows]


LICENSED = "{path: rows.jsonl, license: %s}"


def test_a_licence_goes_onto_the_card_and_remakes_nothing(tmp_path):
    dataset = KINDS["unpaired"][1]
    first = stored(tmp_path / "kept", UNPAIRED, dataset)
    stages = set(first.stages())
    assert "licence is known of the source 'rows.jsonl'" in mistake(export(tmp_path, "out", "--license-check"))
    stored(tmp_path / "kept", [], dataset, LICENSED % "CC-BY-4.0")
    assert set(first.stages()) == stages
    assert export(tmp_path, "out", "--license-check").code == 0
    card = (tmp_path / "out/README.md").read_text()
    assert head(card)["license"] == "cc-by-4.0" and "| `rows.jsonl` | CC-BY-4.0 |" in card
    stored(tmp_path / "kept", [], dataset, LICENSED % "'Only ours'")
    assert export(tmp_path, "own").code == 0
    said = head((tmp_path / "own/README.md").read_text())
    assert said["license"] == "other" and said["license_name"] == "Only ours"


@pytest.mark.parametrize("licence", ("7", "''", "[mit]", "'a\\tb'".replace("'", '"')))
def test_a_licence_is_a_name(tmp_path, licence):
    with pytest.raises(UserError, match="license: expected a name on one line"):
        stored(tmp_path / "kept", UNPAIRED, KINDS["unpaired"][1], LICENSED % licence)


def test_text_of_rows_stays_text_in_the_card(tmp_path):
    evil = "```\n# <script>alert(1)</script>\n---\nlicense: mit"
    stored(tmp_path / "kept", [{"prompt": evil, "completion": evil, "label": True}], KINDS["unpaired"][1])
    assert export(tmp_path, "out").code == 0
    card = (tmp_path / "out/README.md").read_text()
    assert head(card)["license"] == "unknown" and card.count("\n---\n") == 1 and "\n# <script>" not in card


def test_the_card_tells_of_no_folder_of_a_person(tmp_path):
    rows = tmp_path / "home/rows.jsonl"
    rows.parent.mkdir()
    rows.write_text('{"prompt": "a", "completion": "b"}\n')
    model = f"{{engine: openai, base_url: 'http://127.0.0.1:9/v1', model: {tmp_path}/home/m}}"
    stored(tmp_path / "kept", [], f"{{type: sft}}\nmodels: {{m: {model}}}", f"{{path: '{rows}'}}")
    assert export(tmp_path, "out").code == 0
    card = (tmp_path / "out/README.md").read_text()
    assert str(tmp_path) not in card and "path: rows.jsonl" in card and "`m` (`m`)" in card


def test_an_exported_folder_is_a_source(tmp_path):
    """Also where it was moved, and with the refused rows beside the others."""
    stored(tmp_path / "kept", [*UNPAIRED, UNPAIRED[0]], KINDS["unpaired"][1])
    export(tmp_path, "out")
    shutil.move(tmp_path / "out", tmp_path / "moved")
    source = read_source(tmp_path / "moved")
    assert source.prompts.height == 2 and source.facts.row_formats == {"gristmill unpaired": 2}
