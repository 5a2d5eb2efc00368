"""What changed in a recipe: steps that came and went, settings of those that stayed."""

from typing import Any

from curate.storage.recipe_changes import recipe_changes


def step(verb, use=None, **settings):
    return {"verb": verb, "use": use, "settings": settings, "line": len(settings)}


def changes(old, new):
    runs: list[Any] = [{"resolved": old}, {"resolved": new}]
    return recipe_changes(*runs).rows()


def test_a_step_that_came_or_went_is_shown_alone():
    first, dedup = step("source", path="a"), step("dedup", "exact")
    score = step("score", "length", unit="words")
    assert changes({"prompts": [first, score]}, {"prompts": [first, dedup, score]}) == [
        ("prompts[1]", None, '{"dedup": {"use": "exact"}}')
    ]
    assert changes({"prompts": [first, dedup]}, {"prompts": [first]}) == [
        ("prompts[1]", '{"dedup": {"use": "exact"}}', None)
    ]
    assert changes({"completions": []}, {"completions": [score]}) == [
        ("completions[0]", None, '{"score": {"use": "length", "unit": "words"}}')
    ]


def test_a_setting_is_shown_where_its_step_is_now():
    old = [step("score", "math"), step("score", "length", unit="words")]
    new = [step("filter", bad="x"), *old[:1], step("score", "length", unit="characters")]
    assert changes({"completions": old}, {"completions": new}) == [
        ("completions[0]", None, '{"filter": {"bad": "x"}}'),
        ("completions[2].settings.unit", '"words"', '"characters"'),
    ]
    assert changes({"completions": old}, {"completions": [dict(one, line=9) for one in old]}) == []


def test_what_is_not_set_is_left_out():
    assert changes({"datasets": {}}, {"datasets": {"d": {"type": "sft", "by": None, "control": []}}}) == [
        ("datasets.d", None, '{"type": "sft"}')
    ]
    assert changes({"split": {"a": [1, 2]}}, {"split": {"a": [1]}}) == [("split.a", "[1, 2]", "[1]")]
