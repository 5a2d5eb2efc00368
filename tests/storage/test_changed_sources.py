"""The sources of two runs whose content changed, also where a record was tampered with."""

from curate.storage.changed_sources import changed_sources

READ = {"verb": "source", "settings": {"path": "rows.jsonl"}}


def record(content, step=READ):
    stage = {"stage": "prompts.source.rows", "rows_out": 3}
    return {
        "resolved": {"prompts": [step]},
        "stages": [stage | ({} if content is None else {"settings": {"content": content}})],
    }


def test_a_source_of_other_content_is_named():
    assert changed_sources(record("a"), record("b")).rows() == [("rows.jsonl", 3, 3)]
    assert changed_sources(record("a"), record("a")).is_empty()


def test_a_record_without_its_parts_names_no_source():
    for other in (record(None), record("b", {}), record("b", {"verb": "source"}), record("b", "text")):
        assert changed_sources(record("a"), other).is_empty()
