"""``chat_template:`` of a model: read, checked, part of what depends on it, and used in place of the model's own."""

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from curate.models.chat.chat import chat_for, template_for, template_of
from curate.models.chat.fit_messages import SYSTEM_FIRST
from curate.models.clients.vllm_server.launch import arguments
from curate.models.engine_settings import check_model, resolve_model
from curate.models.model_ref import ModelRef
from curate.models.weights import load, local_folder
from schemas.errors import UserError
from schemas.progress import Progress
from schemas.recipe import Model
from schemas.requests import Request, Sampling, make_request
from tests.asking import Asked, groups
from tests.models.chat.styles import CHATML, GEMMA, QWEN
from tests.optional import needs

if TYPE_CHECKING:
    from curate.models.clients.vllm_server.chat import VllmChatEngine

pytestmark = needs("jinja2")
SYSTEM = {"role": "system", "content": "Be brief."}
ASK = {"role": "user", "content": "Name a river."}
TOOLS = [{"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"}}}]
SAID_GEMMA = f"student: its chat template does not take the messages as they are: {SYSTEM_FIRST}"


class Lines(Progress):
    """Keeps what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)


def model_folder(folder: Path, config: dict[str, Any] | None = None) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    if config is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def resolved(folder: Path, template: str | None = None, engine: str = "transformers", model: str = "model") -> ModelRef:
    given = {} if template is None else {"chat_template": template}
    entry = Model.model_validate({"model": model, "engine": engine, **given})
    check_model("student", entry, "job.yaml:3")
    return resolve_model("student", entry, folder)


@pytest.mark.parametrize("engine", ["transformers", "vllm"])
def test_a_file_and_its_text_are_the_same_template(tmp_path: Path, engine: str):
    model_folder(tmp_path / "model", {"chat_template": CHATML, "eos_token": "</s>"})
    (tmp_path / "chat.jinja").write_text(GEMMA, encoding="utf-8-sig")
    by_file, by_text = (resolved(tmp_path, given, engine) for given in ("chat.jinja", GEMMA))
    assert by_file == by_text and by_file.setting("chat_template") == GEMMA
    template = template_for(by_file)
    assert template is not None and template.source == GEMMA and ("eos_token", "</s>") in template.special


def test_the_template_is_part_of_what_depends_on_the_model(tmp_path: Path):
    model_folder(tmp_path / "model")
    plain, one, other = (resolved(tmp_path, given) for given in (None, CHATML, GEMMA))
    assert re.fullmatch(r"model@[0-9a-f]{16}", plain.identity)
    assert len({plain.identity, one.identity, other.identity}) == 3
    assert one.identity.startswith(plain.identity) and one.short_name == plain.short_name == "model"
    assert local_folder(one) == local_folder(plain)
    (tmp_path / "chat.jinja").write_text(CHATML)
    before = resolved(tmp_path, "chat.jinja")
    (tmp_path / "chat.jinja").write_text(GEMMA)
    assert before.identity == one.identity and resolved(tmp_path, "chat.jinja").identity == other.identity


def test_a_trained_model_keeps_the_template(tmp_path: Path):
    model_folder(tmp_path / "model")
    ref = resolved(tmp_path, GEMMA)
    for adapter in (True, False):
        trained = ref.trained("sft", "0123", model_folder(tmp_path / f"trained-{adapter}"), adapter=adapter)
        template = template_for(trained)
        assert template is not None and template.source == GEMMA
        assert trained.identity == f"{ref.identity}>0123"


def test_a_hub_model_and_a_built_in_keep_their_own_folders(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    commit = tmp_path / "models--owner--name" / "snapshots" / "c0ffee"
    commit.mkdir(parents=True)
    (commit / "config.json").write_text("{}")
    (tmp_path / "models--owner--name" / "refs").mkdir()
    (tmp_path / "models--owner--name" / "refs" / "main").write_text("c0ffee")
    assert local_folder(resolved(tmp_path, GEMMA, model="owner/name")) == commit
    monkeypatch.setenv("GRISTMILL_CACHE", str(tmp_path / "cache"))
    ref = ModelRef("a", "tiny@package-1+0123abcd>0456", "tiny", package="package")
    model_folder_ = tmp_path / "cache" / "models" / "tiny@package-1"
    model_folder_.mkdir(parents=True)
    (model_folder_ / "config.json").write_text("{}")
    assert local_folder(ref) == model_folder_


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("chat.jnja", r"chat.jnja does not exist; expected a file such as chat_template.jinja, .*mean 'chat.jinja'"),
        ("model", "model is a folder; expected a file such as chat_template.jinja"),
        ("empty.jinja", "empty.jinja is empty; expected a chat template"),
        ("words.txt", r"words.txt holds no Jinja \({{ or {%\); expected a chat template"),
        ("latin.jinja", r"latin.jinja is not UTF-8 text \(byte 3\)"),
        ("long.jinja", "long.jinja has over 1,048,576 bytes, too many for a chat template"),
        ("broken.jinja", "broken.jinja: is no Jinja template: line 2: "),
        ("{% for m in messages %}", r"models.student.chat_template: is no Jinja template: line 1: "),
        ("{{ messages | nosuchfilter }}", "is no Jinja template: .*nosuchfilter"),
        ("{{" + "(" * 5000, "is no Jinja template: "),
    ],
)
def test_what_is_no_template_is_one_line(tmp_path: Path, given: str, said: str):
    model_folder(tmp_path / "model")
    files = {
        "chat.jinja": CHATML.encode(),
        "empty.jinja": b" \n",
        "words.txt": b"A text.",
        "latin.jinja": b"{{ \xfc }}",
        "long.jinja": b"{{ 1 }}" + b" " * (1 << 20),
        "broken.jinja": b"{% for m in messages %}\n{{ m. }}{% endfor %}",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"models.student.chat_template: .*{said}|{said}") as error:
        resolved(tmp_path, given)
    assert "\n" not in str(error.value) and str(error.value).startswith("models.student.chat_template: ")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            {"engine": "openai", "base_url": "http://h/v1", "chat_template": "chat.jinja"},
            "job.yaml:3: student.chat_template: the server of the engine 'openai' prints the messages by a template of "
            "its own; it is a setting of the engines 'transformers' or 'vllm'",
        ),
        ({"chat_template": ""}, "job.yaml:3: student.chat_template: is empty"),
        ({"chat_template": 3}, "job.yaml:3: student.chat_template: expected a text, found 3"),
        (
            {"engine": "vllm", "chat_template": "a.jinja", "args": ["--chat_template=b"]},
            "job.yaml:3: student.args: --chat-template is set by student.chat_template already",
        ),
    ],
)
def test_where_the_setting_makes_no_sense_the_error_says_so(entry: dict[str, Any], said: str):
    with pytest.raises(UserError) as error:
        check_model("student", Model.model_validate({"model": "m", **entry}), "job.yaml:3")
    assert str(error.value) == said


def test_an_adapter_has_the_template_that_it_was_saved_with(tmp_path: Path):
    base = model_folder(tmp_path / "base", {"chat_template": CHATML})
    adapter = tmp_path / "model"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(base)}))
    own = template_for(resolved(tmp_path))
    assert own is not None and own.source == CHATML
    (adapter / "chat_template.jinja").write_text(QWEN)
    saved, given = template_for(resolved(tmp_path)), template_for(resolved(tmp_path, GEMMA))
    assert saved is not None and saved.source == QWEN and given is not None and given.source == GEMMA


NAMED = [{"name": "default", "template": CHATML}, {"name": "tool_use", "template": QWEN}]


def write_both(folder: Path) -> None:
    """Write a template for tools beside the default one, as transformers does."""
    (folder / "chat_template.jinja").write_text(CHATML)
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tool_use.jinja").write_text(QWEN)


def test_of_several_templates_the_one_for_tools_prints_them(tmp_path: Path):
    model_folder(tmp_path / "model", {"chat_template": NAMED})
    write_both(model_folder(tmp_path / "new"))
    base = model_folder(tmp_path / "base", {"chat_template": GEMMA})
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(base)}))
    write_both(tmp_path / "adapter")
    for name in ("model", "new", "adapter"):
        template = template_for(resolved(tmp_path, model=name))
        assert template is not None and (template.source, template.with_tools) == (CHATML, QWEN)
        assert "Adds." in template.render([ASK], TOOLS) and "Adds." not in template.render([ASK])


def test_a_template_for_tools_is_part_of_the_models_identity(tmp_path: Path):
    before = resolved(model_folder(tmp_path / "model").parent).identity
    write_both(tmp_path / "model")
    both = resolved(tmp_path).identity
    (tmp_path / "model" / "additional_chat_templates" / "tool_use.jinja").write_text(GEMMA)
    changed = resolved(tmp_path).identity
    shutil.rmtree(tmp_path / "model" / "additional_chat_templates")
    assert len({before, both, changed, resolved(tmp_path).identity}) == 4


def test_a_model_without_a_template_or_not_here_has_none(tmp_path: Path):
    model_folder(tmp_path / "model", {})
    assert template_for(resolved(tmp_path)) is None and chat_for(resolved(tmp_path, GEMMA)) is None
    planned = resolved(tmp_path, GEMMA).trained("sft", "0123", Path(), adapter=False)
    assert template_for(planned) is None
    assert template_for(ModelRef("a", "owner/name", "owner/name", settings=(("chat_template", GEMMA),))) is None


def test_vllm_is_given_a_file_with_the_template(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("GRISTMILL_CACHE", str(tmp_path / "cache"))
    model_folder(tmp_path / "model")
    given = arguments(resolved(tmp_path, GEMMA, "vllm"), "/m", on_cpu=False)
    assert Path(given[given.index("--chat-template") + 1]).read_text(encoding="utf-8") == GEMMA
    assert "--chat-template" not in arguments(resolved(tmp_path, None, "vllm"), "/m", on_cpu=False)


def vllm_engine(ref: ModelRef, progress: Progress) -> "VllmChatEngine":
    """The engine without a server."""
    from curate.models.clients.http.chat import ChatEngine
    from curate.models.clients.vllm_server.chat import VllmChatEngine

    class Served(VllmChatEngine):
        def __init__(self) -> None:
            ChatEngine.__init__(self, ref, progress, base_url="http://127.0.0.1:9/v1")
            self.ref, self.folder, self._said = ref, ref.location, frozenset()

    return Served()


def request(messages: list[Any], tools: list[Any] | None = None) -> Request:
    text = None if tools is None else json.dumps(tools)
    return make_request("tiny@0", json.dumps(messages), text, Sampling(temperature=0, max_tokens=2), 0)


def test_vllm_is_sent_system_texts_where_they_are_printed(tmp_path: Path):
    pytest.importorskip("aiohttp")
    model_folder(tmp_path / "model")
    progress = Lines()
    engine = vllm_engine(resolved(tmp_path, GEMMA, "vllm"), progress)
    for _ in range(2):
        sent = json.loads(engine.request_of([request([SYSTEM, ASK])])[1])["messages"]
        assert sent == [{"role": "user", "content": "Be brief.\n\nName a river."}]
    assert progress.lines == [SAID_GEMMA]
    for template in (CHATML, None):
        plain = vllm_engine(resolved(tmp_path, template, "vllm"), progress)
        assert json.loads(plain.request_of([request([SYSTEM, ASK])])[1])["messages"] == [SYSTEM, ASK]
    assert len(progress.lines) == 1


# With a tiny model ----------------------------------------------------------------------------------------------------


def replies(ref: ModelRef, requests: list[Request], progress: Progress) -> tuple[list[Any], Any]:
    """The replies of the engine that writes, and its tokenizer."""
    from curate.models.clients.local.generate import GenerateEngine

    engine = GenerateEngine(ref, progress)
    found = Asked(groups(requests)).by(engine)
    return [found[one.key] for one in requests], engine.tokenizer


@pytest.mark.slow
@needs("torch", "transformers")
def test_loading_sets_the_template_and_saving_keeps_it(tiny: Path, tmp_path: Path):
    from transformers import AutoTokenizer

    ref = resolved(tmp_path, GEMMA, model=str(tiny))
    tokenizer = load(ref)[1]
    assert tokenizer.chat_template == GEMMA
    tokenizer.save_pretrained(tmp_path / "saved")
    saved: Any = AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert saved.chat_template == GEMMA
    chat = chat_for(ref)
    assert chat is not None and chat.template.render([ASK]) == tokenizer.apply_chat_template([ASK], tokenize=False)


@pytest.mark.slow
@needs("torch", "transformers")
@pytest.mark.parametrize("given", [None, GEMMA])
def test_an_adapter_keeps_the_template_for_tools(tiny: Path, tmp_path: Path, given: str | None):
    peft = pytest.importorskip("peft")
    shutil.copytree(tiny, tmp_path / "model")
    (tmp_path / "model" / "chat_template.jinja").unlink(missing_ok=True)
    config = json.loads((tiny / "tokenizer_config.json").read_text()) | {"chat_template": NAMED}
    (tmp_path / "model" / "tokenizer_config.json").write_text(json.dumps(config))
    ref, adapter = resolved(tmp_path, given), tmp_path / "adapter"
    model, tokenizer = load(ref)
    peft.get_peft_model(model, peft.LoraConfig(target_modules="all-linear", r=2)).save_pretrained(adapter)
    tokenizer.save_pretrained(adapter)
    trained = ref.trained("one", "0123", adapter, adapter=True)
    assert template_of(load(trained)[1]) == template_for(trained) == template_for(ref)
    assert template_for(trained) == template_of(tokenizer)


@pytest.mark.slow
@needs("torch", "transformers")
def test_a_system_text_reaches_a_model_without_a_system_role(tiny: Path, tmp_path: Path):
    progress, ref = Lines(), resolved(tmp_path, GEMMA, model=str(tiny))
    later = [ASK, {"role": "assistant", "content": "The Rhine."}, ASK]
    found, tokenizer = replies(ref, [request([SYSTEM, ASK]), request([SYSTEM, *later]), request([ASK, ASK])], progress)
    text = "<start_of_turn>user\nBe brief.\n\nName a river.<end_of_turn>\n<start_of_turn>model\n"
    assert found[0].error is None and found[0].prompt_tokens == len(tokenizer(text)["input_ids"])
    assert found[1].error is None and progress.lines == [SAID_GEMMA]
    assert found[2].error == "the chat template refuses the messages: Roles must alternate user/assistant"


@pytest.mark.slow
@needs("torch", "transformers")
def test_what_a_template_does_not_show_is_one_rows_error(tiny: Path, tmp_path: Path):
    call = {"id": "1", "type": "function", "function": {"name": "add", "arguments": {"a": 1}}}
    called = [ASK, {"role": "assistant", "content": "", "tool_calls": [call]}, {"role": "tool", "content": "1"}]
    asks = [request([ASK], TOOLS), request(called), request([ASK])]
    refused, unseen, fine = replies(resolved(tmp_path, model=str(tiny)), asks, Progress())[0]
    assert refused.error == "the model's chat template prints no tools" and not refused.transient
    assert unseen.error == "the model's chat template prints no tool calls" and fine.error is None
    shown = replies(resolved(tmp_path, QWEN, model=str(tiny)), asks, Progress())[0]
    assert [reply.error for reply in shown] == [None, None, None]


@pytest.mark.slow
@needs("torch", "transformers")
def test_without_a_template_the_remedy_is_said_once(tiny: Path, tmp_path: Path):
    from curate.models.clients.local.loss import LossEngine

    folder = tmp_path / "bare"
    folder.mkdir()
    for file in tiny.iterdir():
        if file.name != "chat_template.jinja":
            (folder / file.name).write_bytes(file.read_bytes())
    progress, ref = Lines(), resolved(tmp_path, model="bare")
    found, tokenizer = replies(ref, [request([SYSTEM, ASK]), request([ASK]), request([ASK], TOOLS)], progress)
    assert found[0].prompt_tokens == len(tokenizer("Be brief.\nName a river.\n")["input_ids"])
    assert found[2].error == "the model has no chat template, which would print tools and tool calls"
    (line,) = progress.lines
    assert line.startswith("student has no chat template: ") and "models.student.chat_template" in line
    losses = Lines()
    ask = {"messages": [SYSTEM, ASK], "completion": "The Rhine."}
    asked = make_request("tiny@0", json.dumps(ask), None, Sampling(), 0, "loss")
    for given, said in ((None, [line]), (GEMMA, [SAID_GEMMA])):
        losses.lines.clear()
        reply = Asked([[asked]]).by(LossEngine(resolved(tmp_path, given, model="bare"), losses))[asked.key]
        assert reply.error is None and losses.lines == said
