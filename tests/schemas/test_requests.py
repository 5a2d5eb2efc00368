"""Requests: which messages ask for a user's turn."""

import pytest

from schemas.requests import writes_user_turn


@pytest.mark.parametrize(
    "messages",
    [
        '[{"role": "user", "content": null}]',
        '[{"role":"system","content":"null"},{"role":"user","content":null}]',
        '[{"content": null, "role": "user"} ]\n',
    ],
)
def test_a_last_user_turn_without_content_is_to_be_written(messages):
    assert writes_user_turn(messages)


@pytest.mark.parametrize(
    "messages",
    [
        "",
        "null",
        "[null]",
        "[]",
        "{}",
        '"content": null}]',
        '{"role": "user", "content": null}',
        '["a", {"role": "assistant", "content": null}]',
        '[{"role": "user", "content": "the value is null"}]',
        '[{"role": "user", "content": null}, {"role": "assistant", "content": "a"}]',
        '[{"role": "user", "content": null}, null]',
        '[[{"role": "user", "content": null}]]',
        '[[{"role": "user", "content": null}]',
        '[{"role": ["user"], "content": null}]',
        '[3, "x", "content": null}]',
        "[" * 100_000 + '{"content": null}]',
    ],
)
def test_all_else_is_not_and_never_raises(messages):
    assert writes_user_turn(messages) is False
