"""The engine `vllm`: a real server, started, asked, killed, stopped. Needs `make vllm` or GRISTMILL_VLLM_PYTHON."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curate.models.clients.vllm_server.chat import VllmChatEngine
from curate.models.clients.vllm_server.launch import arguments, environment, find_python, served_folder
from curate.models.clients.vllm_server.server import Server, telling
from curate.models.model_ref import ModelRef
from schemas.errors import UserError
from schemas.progress import Progress
from schemas.requests import Sampling, make_request
from tests.asking import Asked, groups
from tests.models.chat.styles import GEMMA
from tests.with_vllm import PYTHON, with_vllm

ROOT = Path(__file__).parents[3]
IDENTITY = "wide@0"
TEXTS = ["the cat sings", "a dog", "answer in lower case now please", "red blue seven", "lines", "the dog reads"]
# Holds a server until it is killed.
HOLDER = """
import sys
from curate.models.clients.vllm_server.chat import VllmChatEngine
from curate.models.model_ref import ModelRef
from schemas.progress import Progress
folder, python = sys.argv[1:]
engine = VllmChatEngine(ModelRef("tiny", "wide@0", folder, "vllm", settings=(("python", python),)), Progress())
print(engine.server.guard.pid, engine.server.folder, flush=True)
sys.stdin.read()
"""


def named(folder, **settings):
    return ModelRef("tiny", IDENTITY, str(folder), "vllm", settings=tuple({"python": PYTHON, **settings}.items()))


class Lines(Progress):
    """Keeps what was said."""

    def __init__(self):
        self.lines, self.notes = [], []

    def say(self, message):
        self.lines.append(message)

    def advance(self, done, note=""):
        assert done == 0, "whoever takes the replies moves the bar"
        self.notes.append(note)


@pytest.fixture(scope="module")
def progress():
    return Lines()


@pytest.fixture(scope="module")
def engine(wide, progress):
    """One server for all tests that do it no harm."""
    began = time.monotonic()
    engine = VllmChatEngine(named(wide, choices=4), progress)
    print(f"vLLM was ready after {time.monotonic() - began:.1f} s")  # noqa: T201
    yield engine
    engine.close()


def asked(texts, n=1, max_tokens=12, **sampling):
    how = Sampling(max_tokens=max_tokens, **sampling)
    messages = [json.dumps([{"role": "user", "content": text}]) for text in texts]
    return [make_request(IDENTITY, m, None, how, i) for m in messages for i in range(n)]


def replies(engine, requests):
    found = Asked(groups(requests)).by(engine)
    return [found[r.key] for r in requests]


def tree(pid):
    """A process and all that came of it."""
    children = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = stat.read_text(errors="replace").rpartition(")")[2].split()[1]
        except OSError:
            continue
        children.setdefault(int(parent), []).append(int(stat.parent.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def no_one_of(pids, seconds):
    latest = time.monotonic() + seconds
    while left := [pid for pid in pids if command(pid)]:
        assert time.monotonic() < latest, [command(pid) for pid in left]
        time.sleep(0.05)


@with_vllm
def test_greedy_text_is_what_transformers_writes(engine, wide):
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(wide)
    model = transformers.AutoModelForCausalLM.from_pretrained(wide)
    got = replies(engine, asked(TEXTS, temperature=0, max_tokens=24))
    for text, reply in zip(TEXTS, got, strict=True):
        ids = tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        out = model.generate(**ids, max_new_tokens=24, do_sample=False)[0, ids["input_ids"].shape[1] :]
        # vLLM keeps back the bytes of a character that the end has cut in two.
        assert reply.text.rstrip("\ufffd") == tokenizer.decode(out, skip_special_tokens=True).rstrip("\ufffd")
        assert (reply.prompt_tokens, reply.error) == (ids["input_ids"].shape[1], None)
        assert reply.finish_reason == ("stop" if out[-1] == tokenizer.eos_token_id else "length")
    assert len({reply.text for reply in got}) == len(TEXTS)


@with_vllm
def test_samples_of_a_prompt_come_together_differ_and_come_again(engine):
    wanted = asked(TEXTS[:2], n=6)
    asking = Asked(groups(wanted))
    first = asking.by(engine)
    assert sorted(len(gift) for gift, _ in asking.gifts) == [2, 2, 4, 4], "4 choices at most in one request"
    assert len({reply.text for reply in first.values()}) > 6
    again = Asked(groups(wanted)).by(engine)
    assert {k: r.text for k, r in again.items()} == {k: r.text for k, r in first.items()}


@with_vllm
def test_samples_share_their_prompts_prefill(engine):
    before = hits(engine)
    first = replies(engine, asked(["x" * 100], n=4, max_tokens=1))[0]
    assert 96 <= first.prompt_tokens < 128
    assert hits(engine) >= before + 3 * 96, "three of the four find three blocks of 32 tokens already read"


@with_vllm
def test_more_prompts_at_once_than_it_reads_in_one_go(engine):
    # Read in parts, a prompt with a seed is the death of vLLM 0.32 on a CPU.
    got = replies(engine, asked([f"{'x' * 150} {i}" for i in range(64)], n=2, max_tokens=2))
    assert len(got) == 128 and {reply.error for reply in got} == {None}
    assert all(reply.prompt_tokens > 150 for reply in got) and sum(reply.completion_tokens for reply in got) > 128


def hits(engine):
    """How many tokens the server has not had to read, as its metrics say."""
    lines = engine.server._get("/metrics").decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("vllm:prefix_cache_hits_total"))


@with_vllm
def test_logprobs_and_a_stop_text(engine):
    one = asked(["a dog"], temperature=0, logprobs=True)[0]
    (reply,) = replies(engine, [one])
    assert len(reply.logprobs) == reply.completion_tokens and all(p <= 0 for p in reply.logprobs)
    middle = reply.text[3:5]
    (cut,) = replies(engine, asked(["a dog"], temperature=0, stop=(middle,)))
    assert cut.text == reply.text[: reply.text.index(middle)] and cut.finish_reason == "stop"


@with_vllm
def test_the_likeliest_tokens_in_the_place_of_short_answers(engine):
    found = replies(engine, asked(TEXTS, n=4, temperature=1.7, max_tokens=80, top_logprobs=3))
    told = [one for reply in found for one in json.loads(reply.top_logprobs)]
    assert len(told) > 10 and all(re.fullmatch("[0-9]{1,3}|[A-Z]", one["token"].strip()) for one in told)
    assert all(one["token"] in one["top"] and 1 <= len(one["top"]) <= 4 for one in told)
    assert all(reply.logprobs is None for reply in found)


@with_vllm
def test_a_prompt_that_is_too_long_is_an_error_of_its_own(engine):
    long, short = replies(engine, asked(["x" * 2000, "a dog"]))
    assert long.text is None and re.search(r"\b256\b", long.error) and not long.transient
    assert short.text and short.error is None


@with_vllm
def test_a_users_turn_continues_the_chat_template(engine):
    earlier = [{"role": "system", "content": "the cat"}, {"role": "user", "content": None}]
    prefix = "<|im_start|>system\nthe cat<|im_end|>\n<|im_start|>user\n"
    assert engine.render_user_prefix(earlier) == prefix
    how = Sampling(max_tokens=8, temperature=0)
    (reply,) = replies(engine, [make_request(IDENTITY, json.dumps(earlier), None, how, 0)])
    transformers = pytest.importorskip("transformers")
    tokens = transformers.AutoTokenizer.from_pretrained(engine.folder)(prefix, add_special_tokens=False).input_ids
    assert reply.error is None and reply.prompt_tokens == len(tokens)


@with_vllm
def test_its_key_and_its_log_are_nobody_elses(engine, progress):
    key = engine.server.key
    assert not any(key in command(pid) for pid in tree(engine.server.guard.pid))
    assert engine.server.log.stat().st_mode & 0o777 == 0o600
    assert key not in engine.server.log.read_text()
    assert str(engine.server.log) in progress.lines[0] and progress.lines[0].startswith("starting vLLM for tiny")
    assert any(note.startswith("vLLM is starting") for note in progress.notes)


@with_vllm
def test_a_server_that_dies_is_told_of_and_close_leaves_nothing(wide):
    progress = Lines()
    engine = VllmChatEngine(named(wide, concurrency=2), progress)
    pids = tree(engine.server.guard.pid)
    cores = [pid for pid in pids if command(pid).startswith("VLLM::")]
    assert len(pids) >= 5 and cores, [command(pid) for pid in pids]
    asking = Asked(groups(asked([f"{text} {i}" for text in TEXTS for i in range(40)], max_tokens=150)))

    def give(replies, spent):
        asking.give(replies, spent)
        if len(asking.replies) == 3:
            for core in cores:
                os.kill(core, signal.SIGKILL)

    began = time.monotonic()
    with pytest.raises(UserError, match=r"models\.tiny: vLLM has stopped; the replies so far are kept: .*vllm\.log"):
        engine.answer(asking.take, give)
    assert time.monotonic() - began < 60
    assert 3 <= len(asking.replies) < 240 and all(r.text is not None for r in asking.replies.values())
    assert len(progress.lines) > 5 and engine.server.log.exists(), "the log's last lines are shown, and it is kept"
    engine.close()
    no_one_of(pids, 0)
    assert [p.name for p in engine.server.folder.iterdir()] == ["vllm.log"]
    shutil.rmtree(engine.server.folder)


@with_vllm
def test_a_killed_run_leaves_no_server_and_close_frees_all(wide):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(wide), PYTHON],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert holder.stdout
    guard, folder = holder.stdout.readline().split()
    pids = tree(int(guard))
    assert len(pids) >= 5, [command(pid) for pid in pids]
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    no_one_of(pids, 20)
    assert Path(folder, "vllm.log").exists()
    shutil.rmtree(folder)


@with_vllm
def test_a_server_that_does_not_start_says_why(wide):
    progress = Lines()
    with pytest.raises(UserError, match=r"models\.tiny: vLLM did not start: .*--no-such-thing.* \(its log: ") as error:
        VllmChatEngine(named(wide, args=["--no-such-thing"]), progress)
    shutil.rmtree(Path(str(error.value).rpartition("its log: ")[2].rstrip(")")).parent)
    assert any("--no-such-thing" in line for line in progress.lines)


def test_close_ends_a_starting_server_and_removes_its_folder(tmp_path):
    server = Server("tiny", [sys.executable, "-c", "import time; time.sleep(600)"], environment("k" * 20, True))
    pids = tree(server.guard.pid)
    server.close()
    server.close()
    no_one_of(pids, 0)
    assert not server.folder.exists() and not server.alive()


@pytest.mark.slow
def test_a_server_that_takes_too_long_is_ended_and_told_of():
    quiet = [sys.executable, "-c", "import time; print('loading', flush=True); time.sleep(600)"]
    server = Server("tiny", quiet, environment("k" * 20, True))
    with pytest.raises(UserError, match=r"vLLM was not ready after 1 s \(start_timeout\): loading \(its log: "):
        server.wait_until_ready(1, Progress())
    assert not server.alive()
    shutil.rmtree(server.folder)


def test_the_most_telling_line_of_a_log():
    lines = [
        "(EngineCore pid=7) INFO 11-24 06:57:05 [core.py:402] init engine took 4.63 s",
        "(EngineCore pid=7) ERROR 11-24 06:57:27 [core.py:1512] Traceback (most recent call last):",
        "(EngineCore pid=7) ERROR 11-24 06:57:27 [core.py:1512] RuntimeError: Worker failed with error 'head_dim=8'",
        "(APIServer pid=6) ERROR 11-24 06:57:27 [async_llm.py:906] vllm.v1.engine.exceptions.EngineDeadError: above",
        "(APIServer pid=6) RuntimeError: Engine core initialization failed. See root cause above.",
        "INFO:     Shutting down",
    ]
    assert telling(lines) == "RuntimeError: Worker failed with error 'head_dim=8'"
    assert telling(lines[3:]) == "RuntimeError: Engine core initialization failed. See root cause above."
    assert telling(["api_server.py: error: unrecognized arguments: --x", "bye"]).endswith("arguments: --x")
    assert telling(["loading"]) == "loading" and telling([]) == "its log is empty"


def test_arguments_on_a_cpu_give_way_to_the_recipes():
    ref = named("/m", trust_remote_code=True, args=["--dtype=bfloat16", "--max_model_len", 64, "--no-enforce-eager"])
    given = arguments(ref, "/m", True)
    assert "float32" not in given and "--enforce-eager" not in given and given[-1] == "--no-enforce-eager"
    assert given[:4] == ["--model", "/m", "--served-model-name", "tiny"] and "--trust-remote-code" in given
    plain = arguments(named("/m"), "/m", True)
    ours = ["--dtype", "float32", "--enforce-eager", "--no-enable-chunked-prefill", "--block-size", "32"]
    assert plain[-6:] == ours
    assert "--enable-prefix-caching" in plain
    assert "float32" not in arguments(named("/m"), "/m", False)


@with_vllm
def test_the_recipes_chat_template_is_the_servers(wide, tmp_path, monkeypatch):
    transformers = pytest.importorskip("transformers")
    monkeypatch.setenv("GRISTMILL_CACHE", str(tmp_path))
    progress, how = Lines(), Sampling(max_tokens=2)
    system, ask = {"role": "system", "content": "the cat"}, {"role": "user", "content": "a dog"}
    wanted = [make_request(IDENTITY, json.dumps(turns), None, how, 0) for turns in ([system, ask], [ask, ask])]
    served = VllmChatEngine(named(wide, chat_template=GEMMA), progress)
    try:
        fine, refused = replies(served, wanted)
    finally:
        served.close()
    text = "<start_of_turn>user\nthe cat\n\na dog<end_of_turn>\n<start_of_turn>model\n"
    assert fine.error is None
    assert fine.prompt_tokens == len(transformers.AutoTokenizer.from_pretrained(wide)(text)["input_ids"])
    assert "must alternate" in refused.error
    assert any("system text in the first user turn" in line for line in progress.lines)


def test_a_python_without_vllm_is_a_mistake_with_a_remedy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"models\.t: the engine 'vllm' needs an environment .* run 'make vllm'"):
        find_python("t")
    with pytest.raises(UserError, match=r"models\.t\.python: nowhere/python is not there"):
        find_python("t", "nowhere/python")
    made = tmp_path / ".venv-vllm" / "bin" / "python"
    made.parent.mkdir(parents=True)
    made.symlink_to(sys.executable)
    assert find_python("t") == find_python("t", ".venv-vllm/bin/python") == str(made), "the link, not what it leads to"
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.json").write_text("{}")
    empty = tmp_path / "empty"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(empty)], check=True)
    with pytest.raises(UserError, match=r"models\.tiny\.python: .* has no vLLM; run 'make vllm'"):
        VllmChatEngine(named(tmp_path / "m", python=str(empty / "bin" / "python")), Progress())


@pytest.mark.slow
def test_trained_adapters_are_merged_once_and_served(tiny, tmp_path, monkeypatch):
    torch, peft = pytest.importorskip("torch"), pytest.importorskip("peft")
    transformers = pytest.importorskip("transformers")
    monkeypatch.setenv("GRISTMILL_CACHE", str(tmp_path / "cache"))
    base = transformers.AutoModelForCausalLM.from_pretrained(tiny)
    model = peft.get_peft_model(base, peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
    model.save_pretrained(tmp_path / "adapter")
    tokens = torch.tensor([[5, 6, 7]])
    expected = model(tokens).logits
    trained = named(tiny).trained("sft", "abc", tmp_path / "adapter", adapter=True)
    folder = served_folder(trained)
    assert served_folder(trained) == folder and "merged" in folder
    merged = transformers.AutoModelForCausalLM.from_pretrained(folder)
    assert torch.allclose(merged(tokens).logits, expected, atol=1e-4)
    untrained = transformers.AutoModelForCausalLM.from_pretrained(tiny)
    assert not torch.allclose(untrained(tokens).logits, expected, atol=1e-4)
    assert transformers.AutoTokenizer.from_pretrained(folder).chat_template
    assert [p.name for p in (tmp_path / "cache" / "merged").iterdir()] == [Path(folder).name]
