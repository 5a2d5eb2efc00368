"""Which key goes to which host: the user says so, never a recipe, and never over plain http off this machine."""

import http.server
import json
import threading

import pytest

from curate.models.key_hosts import is_this_machine, key_refusal, name_hosts
from schemas.errors import UserError
from tests.command import call, mistake
from tests.models.clients.openai_desk import groups, refused

HOST = "https://host.example/v1"
RECIPE = """
name: r
models: {{teacher: {{engine: openai, base_url: {url}, model: m, api_key_env: MY_KEY}}}}
prompts: [{{source: rows.jsonl}}]
completions: [{{generate: {{use: sample, model: teacher, n: 1}}}}]
datasets: {{sft: {{type: sft, select: all}}}}
"""
pytestmark = pytest.mark.usefixtures("asked")


@pytest.fixture(autouse=True)
def no_hosts(monkeypatch):
    monkeypatch.setenv("GRISTMILL_KEY_HOSTS", "")


class Recorder:
    """A server on this machine that writes down the headers of each request, and sends it elsewhere where told to."""

    def __enter__(self):
        recorder, self.seen, self.to = self, [], None

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                recorder.seen.append(dict(self.headers))
                self.send_response(307 if recorder.to else 404)
                if recorder.to:
                    self.send_header("Location", recorder.to)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def recipe(folder, url):
    """The folder, with a recipe in it; ``url`` may be a list."""
    (folder / "rows.jsonl").write_text(json.dumps({"prompt": "Name a river."}) + "\n")
    (folder / "r.yaml").write_text(RECIPE.format(url=json.dumps(url)))
    return folder


@pytest.mark.parametrize(
    ("variable", "url", "sent"),
    [
        ("OPENAI_API_KEY", "https://api.openai.com/v1", True),
        ("OPENAI_API_KEY", "https://api.openai.com:443/v1", True),
        ("OPENAI_API_KEY", "https://API.OpenAI.com/v1", True),
        ("OPENAI_API_KEY", "https://api.openai.com:8443/v1", False),
        ("OPENAI_API_KEY", "https://api.openai.com.evil.example/v1", False),
        ("OPENAI_API_KEY", "https://evil.example/api.openai.com", False),
        ("OPENAI_API_KEY", "https://api.openai.com\\.evil.example/v1", False),
        ("OPENAI_API_KEY", "https://openrouter.ai/api/v1", False),
        ("OPENROUTER_API_KEY", "https://openrouter.ai/api/v1", True),
        ("AWS_SECRET_ACCESS_KEY", "https://api.openai.com/v1", False),
        ("PATH", HOST, False),
        ("ANY_KEY", "http://127.0.0.1:8000/v1", True),
        ("ANY_KEY", "http://127.8.0.1:8000/v1", True),
        ("ANY_KEY", "http://[::1]:8000/v1", True),
        ("ANY_KEY", "http://localhost:8000/v1", True),
        ("ANY_KEY", "http://localhost.evil.example/v1", False),
        ("ANY_KEY", "http://127.0.0.1.evil.example/v1", False),
        ("ANY_KEY", "http://192.168.0.7/v1", False),
        ("ANY_KEY", "http://0.0.0.0:8000/v1", False),
    ],
)
def test_a_key_goes_to_its_maker_and_to_this_machine(variable, url, sent):
    assert (key_refusal(variable, url) == "") == sent


@pytest.mark.parametrize("url", ["http://[::1].evil.com/v1", "http://[::1]evil.com", "http://127.0.0.1.nip.io/v1"])
def test_what_only_looks_like_this_machine_is_another(url):
    assert not is_this_machine(url) and key_refusal("OPENAI_API_KEY", url)


@pytest.mark.parametrize("url", ["http://api.openai.com/v1", "http://host.example/v1", "http://10.0.0.2:8000/v1"])
def test_plain_http_off_this_machine_gets_no_key(url, monkeypatch):
    monkeypatch.setenv("GRISTMILL_KEY_HOSTS", "OPENAI_API_KEY=host.example,OPENAI_API_KEY=10.0.0.2:8000")
    assert "over plain http" in key_refusal("OPENAI_API_KEY", url) and not is_this_machine(url)


def test_the_user_names_a_host(asked, monkeypatch):
    assert "--allow-key MY_KEY=host.example" in key_refusal("MY_KEY", HOST)
    monkeypatch.setenv("GRISTMILL_KEY_HOSTS", "OTHER=host.example, MY_KEY=Host.Example")
    assert key_refusal("MY_KEY", HOST) == key_refusal("MY_KEY", "https://host.example:8443/v1") == ""
    assert key_refusal("THIRD", HOST)
    monkeypatch.setenv("GRISTMILL_KEY_HOSTS", "MY_KEY=host.example:8443")
    assert key_refusal("MY_KEY", HOST) and not key_refusal("MY_KEY", "https://host.example:8443/v1")
    monkeypatch.setenv("GRISTMILL_KEY_HOSTS", "")
    asked.mkdir(parents=True)
    (asked / "key_hosts.json").write_text('{"MY_KEY": "other.example, host.example"}')
    assert key_refusal("MY_KEY", HOST) == "" and key_refusal("OTHER", HOST)


@pytest.mark.parametrize("pair", ["MY_KEY", "MY_KEY=", "=host", "MY_KEY=https://host.example", "MY_KEY=a/b", "sk-1=h"])
def test_what_is_no_pair_is_refused_and_not_repeated(pair):
    with pytest.raises(UserError, match="--allow-key: expected the name of a variable and a host") as found:
        name_hosts([pair])
    assert "sk-1" not in str(found.value)


def test_check_and_run_say_where_a_key_would_go(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-secret")
    folder = recipe(tmp_path, HOST)
    done = call(folder, "check", "r.yaml")
    assert (
        done.code == 0 and "sends    the prompts of models.teacher to host.example, with the key in MY_KEY" in done.out
    )
    assert "not yet: MY_KEY would be sent to host.example" in done.out and "sk-secret" not in done.out
    said = mistake(call(folder, "run", "r.yaml"))
    assert said.startswith("models.teacher: api_key_env: MY_KEY would be sent to host.example, which you did not name")
    done = call(folder, "check", "r.yaml", "--allow-key", "MY_KEY=host.example")
    assert done.code == 0 and "not yet" not in done.out
    said = mistake(call(recipe(tmp_path, "http://host.example/v1"), "check", "r.yaml"))
    assert said.startswith("r.yaml:3: teacher.api_key_env: MY_KEY would be sent to host.example over plain http")


def test_each_host_of_a_list_needs_a_permission_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-secret")
    folder = recipe(tmp_path, [HOST, "https://other.example/v1", "http://127.0.0.1:9/v1"])
    done = call(folder, "check", "r.yaml", "--allow-key", "MY_KEY=host.example")
    sent = [line for line in done.out.splitlines() if "sends" in line]
    assert ["not yet" in line for line in sent] == [False, True, False] and "other.example" in sent[1]
    said = mistake(call(folder, "run", "r.yaml", "--allow-key", "MY_KEY=host.example"))
    assert said.startswith("models.teacher: api_key_env: MY_KEY would be sent to other.example, which you did not name")
    said = mistake(call(recipe(tmp_path, [HOST, "http://other.example/v1"]), "check", "r.yaml"))
    assert "MY_KEY would be sent to other.example over plain http" in said
    settings = ["engine=openai", f"base_url=[{HOST}, https://other.example/v1]", "api_key_env=UNSET_KEY"]
    said = mistake(call(tmp_path, "chat", "m", *(part for one in settings for part in ("--set", one))))
    assert said.startswith("models.m: the environment variable UNSET_KEY, which api_key_env names, is not set; ")


@pytest.mark.slow
def test_an_unnamed_host_is_not_connected_to(tmp_path, monkeypatch):
    """The stub stands for a host elsewhere: its name leads here, and its address is no loopback one by its form."""
    monkeypatch.setenv("MY_KEY", "sk-secret")
    with Recorder() as stub:
        said = mistake(call(recipe(tmp_path, f"https://127.1:{stub.port}/v1"), "run", "r.yaml"))
        assert "MY_KEY would be sent to 127.1" in said
        said = mistake(call(recipe(tmp_path, f"http://127.1:{stub.port}/v1"), "run", "r.yaml"))
        assert "over plain http" in said and stub.seen == []


@pytest.mark.slow
def test_a_redirect_takes_no_key_along(monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-secret")
    with Recorder() as first, Recorder() as second:
        first.to = f"http://127.0.0.1:{second.port}/v1/chat/completions"
        said = refused(f"http://127.0.0.1:{first.port}/v1", groups(1), api_key_env="MY_KEY")
        assert "put the final address into base_url" in str(said)
        assert first.seen[0]["Authorization"] == "Bearer sk-secret" and second.seen == []


def test_a_key_and_its_server_that_chat_is_given_belong_together(tmp_path, monkeypatch):
    monkeypatch.delenv("MY_KEY", raising=False)
    settings = ["engine=openai", f"base_url={HOST}", "api_key_env=MY_KEY"]
    said = mistake(call(tmp_path, "chat", "m", *(part for one in settings for part in ("--set", one))))
    assert said.startswith("models.m: the environment variable MY_KEY, which api_key_env names, is not set; ")
