"""Secrets that are found, texts that only look like one, and masking in ``detail``.

The secrets are put together here, so that nobody's scanner takes this file for a leak.
"""

import base64
import json
import random
import string

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.algorithms.text.secret_items import FORMS, MARKS, PATTERNS
from curate.score.secrets import score
from schemas.errors import UserError

WORD = string.ascii_letters + string.digits


def chars(size, of=WORD, seed=3):
    """Letters that look random and are the same each time."""
    return "".join(random.Random(seed).choices(of, k=size))


def token(header):
    """A JSON web token with this header."""
    parts = [base64.urlsafe_b64encode(text.encode()).decode().rstrip("=") for text in (header, '{"sub": "7"}')]
    return f"{parts[0]}.{parts[1]}.{chars(43)}"


HEADERS = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0011\n\n"
SECRETS = [
    ("aws", "AKIA" + chars(16, string.ascii_uppercase + "234567")),
    ("github", "ghp_" + chars(36)),
    ("github", "github_pat_" + chars(22) + "_" + chars(59)),
    ("gitlab", "glpat-" + chars(20)),
    ("anthropic", "sk-ant-api03-" + chars(93) + "AA"),
    ("openai", "sk-proj-" + chars(120)),
    ("openai", "sk-" + chars(20) + "T3BlbkFJ" + chars(20)),
    ("huggingface", "hf_" + chars(34, string.ascii_letters)),
    ("slack", "xoxb-" + chars(12, string.digits) + "-" + chars(24)),
    ("google", "AIza" + chars(35)),
    ("slack", f"hooks.slack.com/services/T{chars(9)}/B{chars(9)}/{chars(24)}"),
    ("stripe", "sk_" + "live_" + chars(24)),
    ("npm", "npm_" + chars(36)),
    ("pypi", "pypi-AgE" + chars(100)),
    ("sendgrid", f"SG.{chars(22)}.{chars(43)}"),
    ("jwt", token('{"alg": "HS256", "typ": "JWT"}')),
]
NONE = [
    "",
    "The sky-high task-list: sk-learn, hf_hub_download, xoxo.",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_" + "x" * 36,
    "sk-your-api-key-goes-here-please",
    "sk-proj-" + "your_key" * 5,
    "AIza" + "A" * 35,
    "ghp_short",
    "x" + "AKIA" + chars(16, string.ascii_uppercase + "234567"),
    "AKIA" + chars(30, string.ascii_uppercase),
    "-----BEGIN PUBLIC KEY-----\n" + chars(64),
    "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
    "eyJhIjoxfQ.eyJhIjoxfQ.c2ln",
    "eyJub3Q.eyJub3Q.anything",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c",
]


def found(text, **settings):
    """The value and detail of one text."""
    value, detail, error = score(pl.Series([text], dtype=pl.String), **settings).row(0)
    assert error is None
    return value, json.loads(detail or "[]")


@pytest.mark.parametrize(("kind", "secret"), SECRETS, ids=[f"{kind}{n}" for n, (kind, _) in enumerate(SECRETS)])
def test_a_secret_is_found_where_it_stands_and_not_repeated(kind, secret):
    for before, after in (("", ""), ('schlüssel = "', '"'), ("https://", ""), ("it is ", ". Then")):
        value, (detail,) = found(before + secret + after)
        assert (value, detail["kind"], detail["at"]) == (1.0, kind, len(before))
        shown = detail["masked"].replace("*", "").replace("...", "")
        assert sum(letter.isalnum() for letter in shown) <= 2


@pytest.mark.parametrize("name", ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "])
@pytest.mark.parametrize("headers", ["", HEADERS])
def test_private_keys(name, headers):
    body = chars(64) + "\n" + chars(64, seed=4)
    text = f"-----BEGIN {name}PRIVATE KEY-----\n{headers}{body}\n-----END {name}PRIVATE KEY-----"
    for written in (text, text.replace("\n", "\r\n"), text.replace("\n", "\\n") if not headers else text):
        value, (detail,) = found(f"Here:\n{written}")
        assert (value, detail["kind"], detail["at"]) == (1.0, "private_key", 6)
        assert chars(12) not in detail["masked"]


@pytest.mark.parametrize("text", NONE)
def test_texts_that_are_none(text):
    assert found(text) == (0.0, [])


def test_only_the_kinds_asked_for():
    text = f"{SECRETS[0][1]} {SECRETS[1][1]} {SECRETS[1][1]}"
    assert found(text)[0] == 3.0
    assert found(text, kinds=["aws"])[0] == 1.0
    with pytest.raises(UserError, match="no kind of secret 'gitub'; did you mean 'github'"):
        found(text, kinds=["gitub"])


def test_null_is_null():
    assert score(pl.Series([None, ""], dtype=pl.String)).rows() == [(None, None, "no response"), (0.0, None, None)]


@given(st.lists(st.sampled_from([*(secret for _, secret in SECRETS), *NONE, *MARKS, " ", "-", "."])))
def test_nothing_is_passed_over_by_the_quick_look(parts):
    text = "".join(parts)
    if any(PATTERNS[kind].search(text) for kind in FORMS):
        assert pl.Series([text]).str.contains_any(MARKS)[0]
    value, detail = found(text)
    assert len(detail) == min(value, 20)
