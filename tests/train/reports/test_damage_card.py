from train.record import collapse_lines
from train.reports.card.damage import damage_lines, training_warnings

FOUND = {
    "start": "student",
    "answers": [
        {"split": "test", "model": "grpo", "words": 1.0, "tokens": None, "cut": None, "one_word": 0.96, "distinct": 1.0}
        | {"common": 0.05, "perplexity": 4321.0}
    ],
    "kept": [
        {"on": "general texts", "model": "grpo", "n": 32, "perplexity": 80.0, "change": 0.12, "low": 0.1, "high": 0.15}
        | {"why": None},
        {"on": "general texts", "model": "a|b", "n": 0, "perplexity": None, "change": None, "low": None, "high": None}
        | {"why": "no text was read by both"},
    ],
    "warnings": ["grpo, test: 96% of its answers are <b>a single word</b>"],
}


def test_a_card_has_the_warnings_and_the_tables():
    lines = damage_lines(FOUND)
    assert lines[0] == "- **warning**: grpo, test: 96% of its answers are \\<b\\>a single word\\</b\\>"
    assert "| `test` | `grpo` | 1.00 |  |  | 96% | 100% | 5% | 4,321 |" in lines
    assert "| `general texts` | `grpo` | 32 | 80.00 | +12.0% (+10.0% to +15.0%) |" in lines
    assert "| `general texts` | `a\\|b` | 0 |  | no text was read by both |" in lines
    assert damage_lines({"start": None, "answers": [], "kept": [], "warnings": []}) == []


def test_a_training_says_what_it_was_warned_of():
    told = [{"step": 11, "kind": "one_word", "short": "one-word answers", "text": "at step 11, 67% *of* its answers"}]
    assert training_warnings(told) == ["- **warning**: at step 11, 67% \\*of\\* its answers"]
    assert collapse_lines({"damage": told}) == ["warned of one-word answers at step 11"]
    assert training_warnings([]) == [] == collapse_lines({})
