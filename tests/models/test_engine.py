"""An engine is one file: its declaration is all that a recipe, a plan and the gateway need."""

import subprocess
import sys

import pytest

from curate.models import clients
from curate.models.engine import engine_names, engine_of, find_engine, recipe_engines
from curate.models.engine_settings import check_model, check_task, resolve_model
from curate.models.failures import Failures
from curate.models.gateway import Gateway
from schemas.errors import UserError
from schemas.progress import Progress
from schemas.recipe import Model
from schemas.requests import Sampling, make_request

PARROT = '''
"""The engine ``parrot``: repeats the last turn, a number of times."""

from curate.models.engine import EngineSpec, Setting
from curate.models.model_ref import ModelRef
from schemas.requests import Reply, Spent

TIMES = Setting("times", int, "how often the turn is repeated", 1, above_zero=True)


class ParrotEngine:
    def __init__(self, times):
        self.times = times

    def answer(self, take, give):
        while group := take():
            give([Reply(r.key, " ".join([r.turns[-1]["content"]] * self.times)) for r in group], Spent(len(group)))

    def close(self):
        pass


def resolve(name, model, folder):
    return ModelRef(name, f"parrot:{model.model}", model.model, "parrot", settings=tuple(model.settings.items()))


SPEC = EngineSpec(
    tasks={"generate": lambda ref, progress: ParrotEngine(TIMES.of(ref))},
    resolve=resolve,
    settings=(TIMES,),
    response_format=True,
)
'''


@pytest.fixture
def parrot(tmp_path, monkeypatch):
    """A further file beside the engines, and nothing else."""
    (tmp_path / "parrot.py").write_text(PARROT)
    monkeypatch.setattr(clients, "__path__", [*clients.__path__, str(tmp_path)])
    yield
    sys.modules.pop(f"{clients.__name__}.parrot", None)


def test_an_engine_is_added_by_one_file(parrot, store):
    assert "parrot" in engine_names() and "parrot" in recipe_engines()
    entry = Model(model="polly", engine="parrot", times=2)
    check_model("bird", entry, "r.yaml:3")
    ref = resolve_model("bird", entry)
    check_task(ref, "generate", "r.yaml:3")
    request = make_request(ref.identity, '[{"role":"user","content":"hello"}]', None, Sampling(), 0)
    with Gateway(store, Progress(), "run1", "job") as gateway:
        assert gateway.answer_all(ref, [[request]], Failures("stage", 0)) is True
        assert gateway.read([request.key])[request.key].text == "hello hello"
        assert [*gateway.engines] == [("bird", "generate")]


def test_its_settings_and_tasks_are_held_to_its_declaration(parrot):
    with pytest.raises(UserError, match=r"^r:3: bird.times: expected a whole number, found 'x'$"):
        check_model("bird", Model(model="polly", engine="parrot", times="x"), "r:3")
    with pytest.raises(UserError, match=r"no setting of the engine 'parrot' called 'tims'; did you mean 'times'\?"):
        check_model("bird", Model(model="polly", engine="parrot", tims=2), "r:3")
    ref = resolve_model("bird", Model(model="polly", engine="parrot"))
    with pytest.raises(UserError, match=r"can't do this \(task 'loss'\); these can: transformers$"):
        check_task(ref, "loss", "r:3")
    spec = engine_of(ref)
    assert not spec.remote and spec.embedder is None and spec.writes_user_turn(ref)


def test_every_engine_declares_what_it_is():
    assert engine_names() == ["openai", "sandbox", "transformers", "vllm"]
    assert recipe_engines() == ["openai", "transformers", "vllm"]
    for name in engine_names():
        spec = find_engine(name)
        assert spec.tasks and all(setting.meaning for setting in spec.settings)
        assert len({setting.name for setting in spec.settings}) == len(spec.settings)


def test_a_plan_imports_engines_without_their_libraries():
    code = (
        "import sys; from curate.models.engine import engine_names, find_engine; "
        "[find_engine(name) for name in engine_names()]; "
        "print([name for name in ('torch', 'transformers', 'aiohttp', 'vllm') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
