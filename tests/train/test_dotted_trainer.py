"""Trainers of dotted paths are found in source files: nothing is imported, and nothing from elsewhere is read."""

import subprocess
import sys

import pytest

from schemas.errors import UserError
from tests.optional import needs
from train.finding.class_source import classes_in, init_parameters, module_file
from train.finding.dotted_trainer import find_dotted, is_dotted
from train.finding.find_trainer import config_class, find_trainer
from train.options import options

pytestmark = needs("trl")

CONFIG = "from trl import SFTConfig\n\nclass OwnConfig(SFTConfig):\n    louder: float = 2.0\n"
TRAINER = "from trl import SFTTrainer\n\nclass OwnTrainer(SFTTrainer):\n    pass\n"
TYPED = (
    "from trl import DPOTrainer, {0}\n\nclass OwnTrainer(DPOTrainer):\n"
    "    def __init__(self, args: '{0} | None' = None, **k): ...\n"
)


@pytest.mark.parametrize(
    ("name", "trainer", "config", "keys"),
    [
        ("trl.experimental.orpo", "ORPOTrainer", "ORPOConfig", ()),
        ("trl.experimental.cpo.CPOTrainer", "CPOTrainer", "CPOConfig", ()),
        ("trl.experimental.online_dpo", "OnlineDPOTrainer", "OnlineDPOConfig", ("rewards",)),
        ("trl.experimental.gmpo", "GMPOTrainer", "GMPOConfig", ("rewards",)),
        ("trl.experimental.gkd", "GKDTrainer", "GKDConfig", ("teacher",)),
        ("trl.experimental.bema_for_ref_model", "DPOTrainer", "DPOConfig", ()),
    ],
)
def test_trainers_of_trl(name, trainer, config, keys):
    found = find_dotted(name)
    assert (found.trainer.name, found.CONFIG, found.TAKES, found.DATA) == (trainer, config, keys, "")
    assert config_class(name) == config and is_dotted(name)
    assert "learning_rate" in options.fields(name) and options.default(name, "logging_steps") == 10


@pytest.mark.slow
@pytest.mark.parametrize("name", ["orpo", "online_dpo", "gmpo", "gkd", "bema_for_ref_model", "tpo"])
def test_source_says_what_the_classes_say(name, monkeypatch):
    import inspect

    found = find_dotted(f"trl.experimental.{name}")
    trainer, config = found.load()
    assert list(options.fields(found.name)) == [f.name for f in vars(config)["__dataclass_fields__"].values() if f.init]
    real = inspect.signature(trainer.__init__).parameters
    read = init_parameters(found.trainer)
    named = {n for n, p in real.items() if n != "self" and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    assert named <= set(read)
    for one in named:
        assert read[one].optional == (real[one].default is not inspect.Parameter.empty), one


@pytest.mark.parametrize(
    ("files", "name", "config"),
    [
        ({"own/loud.py": TRAINER}, "own.loud", "SFTConfig"),
        ({"loud.py": TRAINER}, "loud.OwnTrainer", "SFTConfig"),
        ({"own/loud.py": CONFIG + TRAINER}, "own.loud", "OwnConfig"),
        (
            {"own/loud.py": "from own.settings import OwnConfig\n" + TRAINER, "own/settings.py": CONFIG},
            "own.loud",
            "OwnConfig",
        ),
        ({"own/loud.py": TYPED.format("DPOConfig")}, "own.loud", "DPOConfig"),
        ({"own/loud.py": TYPED.format("SFTConfig")}, "own.loud.OwnTrainer", "SFTConfig"),
        ({"own/loud.py": TRAINER + "class _Hidden(OwnTrainer): pass\nclass Other: pass\n"}, "own.loud", "SFTConfig"),
        (
            {"own/loud.py": "import trl.trainer.dpo_trainer as d\nclass OwnTrainer(d.DPOTrainer): ..."},
            "own.loud",
            "DPOConfig",
        ),
        ({"own/loud.py": "import trl as t\nclass OwnTrainer(t.SFTTrainer): ..."}, "own.loud", "SFTConfig"),
        ({"own/loud.py": "import trl.trainer\nclass OwnTrainer(trl.trainer.SFTTrainer): ..."}, "own.loud", "SFTConfig"),
        (
            {"own/loud.py": "from trl.trainer import dpo_trainer\nclass OwnTrainer(dpo_trainer.DPOTrainer): ..."},
            "own.loud",
            "DPOConfig",
        ),
        ({"own/loud.py": "from trl import *\nclass OwnTrainer(DPOTrainer): ..."}, "own.loud", "DPOConfig"),
        (
            {"own/loud.py": "import trl\nBase = trl.DPOTrainer\nclass OwnTrainer(Base): ..."},
            "own.loud",
            "DPOConfig",
        ),
        (
            {
                "own/loud.py": "from . import two\nclass OwnTrainer(two.T): ...",
                "own/two.py": "from trl import DPOTrainer as T",
            },
            "own.loud",
            "DPOConfig",
        ),
        ({"own/loud.py": "import trl\nclass OwnTrainer(trl.KTOTrainer): pass\n"}, "own.loud", "KTOConfig"),
    ],
)
def test_trainers_of_the_users_own(tmp_path, monkeypatch, files, name, config):
    for place, text in files.items():
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text(text)
    monkeypatch.chdir(tmp_path)
    found = find_dotted(name)
    assert (found.trainer.name, found.CONFIG) == ("OwnTrainer", config)
    assert {one.file.parent for one in found.code} <= {tmp_path, tmp_path / "own"} and found.code
    assert ("louder" in options.fields(name)) == (config == "OwnConfig")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("os.path", "neither os/path.py nor os.py exists in"),
        ("numpy.testing", "neither numpy/testing.py nor numpy.py exists"),
        ("transformers.Trainer", "neither transformers"),
        ("trl.experimental.orpa", "did you mean 'trl.experimental.orpo'?"),
        ("trl.experimental.orpo.ORPOConfig", "the class ORPOConfig in "),
        ("trl.experimental.orpo.OrpoTrainer", "did you mean"),
        ("trl.experimental.utils", "has no class that is a trainer of TRL"),
        ("trl.trainer", "has several trainers; name one: trl.trainer."),
        ("..etc.passwd", "expected a dotted path, such as trl.experimental.orpo"),
        ("own.../x", "expected a dotted path"),
        ("own." + "a" * 5000, "expected a dotted path"),
        ("own.empty", "own/empty.py has no class that is a trainer"),
        ("own.nothing", "cannot be read: source code string cannot contain null bytes"),
        ("own.deep", "cannot be read"),
        ("own.minuses", "own/minuses.py:1: cannot be read: an expression in it is nested too deep"),
        ("own.long", "own/long.py:1: cannot be read: it has 2,000,0"),
        ("own.climbs", "own/climbs.py has no class that is a trainer"),
        ("own.climbs.OutTrainer", "the class OutTrainer in"),
        ("trl.KTOTrainer", "is KTOTrainer of TRL; use trainer: kto, which trains by it"),
        ("trl.trainer.sft_trainer", "use trainer: sft"),
        ("trl.experimental.kto", "is KTOTrainer of TRL; use trainer: kto"),
        ("trl.experimental.distillation", "is DistillationTrainer of TRL; use trainer: distill"),
        ("own.again.DPOTrainer", "is DPOTrainer of TRL; use trainer: dpo"),
        ("own.none", "neither own/none.py nor own.py exists in"),
        ("own.plain", "has no class that is a trainer of TRL"),
        ("own.plain.Plain", "the class Plain in"),
        ("own.two", "has several trainers; name one: own.two.ATrainer, own.two.BTrainer"),
        ("own.broken", "here/own/broken.py:2: cannot be read: invalid syntax"),
        ("own.linked", "neither own/linked.py nor own.py exists in"),
        ("own.bare", "BareTrainer has no config class: neither BareConfig beside it"),
    ],
)
def test_nothing_else_is_found(tmp_path, monkeypatch, name, message):
    (tmp_path / "outside.py").write_text(TRAINER)
    folder = tmp_path / "here"
    (folder / "own").mkdir(parents=True)
    mark = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    (folder / "own" / "plain.py").write_text(mark + "class Plain: pass\n")
    two = "from trl import SFTTrainer\nclass ATrainer(SFTTrainer): pass\nclass BTrainer(SFTTrainer): pass\n"
    (folder / "own" / "two.py").write_text(mark + two)
    (folder / "own" / "broken.py").write_text(mark + "class (\n")
    bare = "from transformers.trainer import Trainer\nclass BareTrainer(Trainer):\n    def __init__(self, x): ...\n"
    (folder / "own" / "bare.py").write_text(mark + bare)
    (folder / "own" / "empty.py").write_text("")
    (folder / "own" / "nothing.py").write_bytes(b"a = 1\0")
    (folder / "own" / "deep.py").write_text("(" * 5000)
    (folder / "own" / "minuses.py").write_text("x = " + "-" * 200_000 + "1")
    (folder / "own" / "long.py").write_text("#" * 2_000_001)
    (folder / "own" / "climbs.py").write_text("from ...outside import OwnTrainer\nclass OutTrainer(OwnTrainer): pass\n")
    (folder / "own" / "again.py").write_text("from trl import DPOTrainer\n")
    (folder / "own" / "linked.py").symlink_to(tmp_path / "outside.py")
    monkeypatch.chdir(folder)
    with pytest.raises(UserError) as error:
        find_trainer(name, "r.yaml:3")
    assert message in str(error.value) and str(error.value).startswith("r.yaml:3: ")
    assert not (tmp_path / "ran").exists(), "a file was run before a training began"


def test_classes_that_inherit_in_a_circle_are_no_trainers(tmp_path, monkeypatch):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "a.py").write_text("from own.b import BTrainer\nclass ATrainer(BTrainer): pass\n")
    (tmp_path / "own" / "b.py").write_text(
        "from own.a import ATrainer, ATrainer as CTrainer\nclass BTrainer(ATrainer): pass\n"
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="has no class that is a trainer"):
        find_dotted("own.a")


def test_a_file_is_read_only_below_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert module_file("json") is None and module_file("numpy.random") is None and module_file("a b.c") is None
    file = module_file("trl.experimental.orpo")
    assert file is not None and classes_in(file) == ["ORPOConfig", "ORPOTrainer"]


def test_finding_one_imports_no_library():
    code = (
        "import sys; from schemas.recipe import Training; from train.options import options;"
        "options.check(Training(trainer='trl.experimental.orpo', dataset='d', model='m', beta=0.2), 'x');"
        "print([m for m in ('torch', 'transformers', 'trl', 'peft', 'datasets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_configs_with_names_that_are_changed_or_shared(tmp_path, monkeypatch):
    renamed = "from trl import SFTConfig as Base, SFTTrainer\nclass OwnConfig(Base):\n    louder: int = 1\n"
    (tmp_path / "own.py").write_text(renamed + "class OwnTrainer(SFTTrainer): pass\n")
    shared = "import trl\nclass SFTConfig(trl.SFTConfig): pass\n"
    (tmp_path / "two.py").write_text(shared + "class SFTTrainer(trl.SFTTrainer): pass\n")
    monkeypatch.chdir(tmp_path)
    assert {"louder", "learning_rate"} <= set(options.fields("own.OwnTrainer"))
    with pytest.raises(UserError, match="two config classes are called SFTConfig; rename yours"):
        options.fields("two.SFTTrainer")


DEEP = "-" * 800 + "1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"class XTrainer(SFTTrainer):\n    def __init__(self, args: {DEEP} = None): ...", "it is nested too deep"),
        (f"class XConfig(SFTConfig):\n    z: {DEEP} = 3\nclass XTrainer(SFTTrainer): ...", "in XConfig is nested too"),
        ("".join(f"A{i} = A{i + 1}\n" for i in range(3000)) + "class XTrainer(A0): ...", "it is nested too deep"),
        (
            "class B0(SFTTrainer): ...\n"
            + "".join(f"class B{i + 1}(B{i}): ...\n" for i in range(2000))
            + "class XTrainer(B2000): ...",
            "XTrainer inherits from more than 100 classes",
        ),
        ("A = B\nB = A\nclass XTrainer(A): ...", "inherits from no trainer"),
    ],
)
def test_hostile_classes_end_in_one_line(tmp_path, monkeypatch, text, message):
    (tmp_path / "own.py").write_text(f"from trl import SFTConfig, SFTTrainer\n{text}\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message) as error:
        find_trainer("own.XTrainer", "r.yaml:3")
        options.fields("own.XTrainer")
    assert "\n" not in str(error.value)
