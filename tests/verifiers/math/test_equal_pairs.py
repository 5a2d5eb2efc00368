"""Pairs of answers with the verdicts of someone who had not seen the code: 2,978 of 60 kinds."""

import json
from pathlib import Path

from curate.verifiers.math.equal import compare

PAIRS = [json.loads(line) for line in (Path(__file__).parent / "equal_pairs.jsonl").open(encoding="utf-8")]


def test_verdicts_on_pairs_of_answers():
    verdicts = compare([(pair["truth"], pair["answer"]) for pair in PAIRS])
    wrong = [(pair, verdict) for pair, verdict in zip(PAIRS, verdicts, strict=True) if verdict[0] not in pair["want"]]
    assert wrong == []


def test_every_answer_equals_itself():
    texts = sorted({text for pair in PAIRS for text in (pair["truth"], pair["answer"]) if text.strip()})
    verdicts = compare([(text, text) for text in texts])
    assert [text for text, (value, _) in zip(texts, verdicts, strict=True) if value != 1.0] == []
