from pathlib import Path

import pytest

from train.benchmarks.environment import PROXIES, no_hub, variables


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(("address", "missing"), [("http://hub.invalid", True), ("http://127.0.0.1:9", False)])
def test_a_hub_without_an_address_is_not_asked(monkeypatch, address, missing):
    monkeypatch.setenv("HF_ENDPOINT", address)
    assert no_hub() is missing
    assert ("HF_DATASETS_OFFLINE" in variables("k", Path("/tmp"))) is missing
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert variables("k", Path("/tmp"))["HF_HUB_OFFLINE"] == "0", "what the user sets holds"
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert no_hub() is False


def test_the_harness_gets_the_key_and_none_of_our_python(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("OPENAI_API_KEY", "the user's own")
    found = variables("secret", Path("/t"))
    assert found["OPENAI_API_KEY"] == "secret" and "PYTHONPATH" not in found and found["TMPDIR"] == "/t"
