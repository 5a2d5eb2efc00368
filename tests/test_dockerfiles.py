"""The Dockerfiles, as far as they can be checked without Docker; `make lint` runs hadolint on them."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = ("Dockerfile", "Dockerfile.gpu")
Lines = list[tuple[str, str]]


def lines_of(name: str) -> Lines:
    """Return the instructions of a Dockerfile, each with its arguments on one line."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE)
    split = [line.partition(" ") for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(word, rest.strip()) for word, _, rest in split]


def arguments(name: str, word: str) -> list[str]:
    return [rest for instruction, rest in lines_of(name) if instruction == word]


@pytest.mark.parametrize("name", FILES)
def test_what_an_image_copies_is_there_and_not_ignored(name):
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [source for rest in arguments(name, "COPY") if "--from" not in rest for source in rest.split()[:-1]]
    assert {"pyproject.toml", "schemas", "curate", "train", "cli"} <= set(copied)
    assert "*" in ignored and [one for one in copied if f"!{one}" not in ignored or not (ROOT / one).exists()] == []


@pytest.mark.parametrize("name", FILES)
def test_every_image_is_built_from_a_version_that_is_named(name):
    stages = [rest.partition(" AS ") for rest in arguments(name, "FROM")]
    made = [stage for _, _, stage in stages]
    named = [image for image, _, _ in stages if image not in made]
    assert named and [image for image in named if not re.fullmatch(r"[\w./-]+:v?\d[\w.-]*", image)] == []


@pytest.mark.parametrize("name", FILES)
def test_the_last_stage_runs_gristmill_as_no_root(name):
    words = lines_of(name)
    last = words[max(place for place, (word, _) in enumerate(words) if word == "FROM") :]
    found = dict(last)  # of an instruction that stands twice, the last counts
    assert found["USER"].isdigit() and int(found["USER"]) > 0 and found["ENTRYPOINT"] == '["gristmill"]'
    assert "gristmill --version" in found["HEALTHCHECK"] and found["WORKDIR"] == "/work"


@pytest.mark.parametrize("name", FILES)
def test_the_extras_of_an_image_are_gristmills(name):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (given,) = [rest.partition("=")[2] for rest in arguments(name, "ARG") if rest.startswith("EXTRAS")]
    assert set(given.split(",")) <= set(extras)
