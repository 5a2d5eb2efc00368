"""--push, against a stub of the hub's API on loopback: commits, a failure half-way, what is refused, no token shown."""

import pytest

from curate.export import push
from curate.sources.remote import hub_connection
from tests.command import call, mistake, process
from tests.exporting import of_kind
from tests.stub_hub import SIGNED, TOKEN, Hub

pytestmark = pytest.mark.slow  # makes stores: seconds for the file


@pytest.fixture
def hub(monkeypatch):
    pytest.importorskip("huggingface_hub")
    found = Hub()
    monkeypatch.setenv("HF_ENDPOINT", found.url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(push, "FILES", 2)
    hub_connection.unreachable.cache_clear()
    yield found
    found.server.shutdown()


def pushed(folder, *more):
    return call(folder, "export", "d", "out", "--store", "kept/store", "--push", "me/data", *more)


def test_a_folder_is_pushed_in_commits_with_the_card_last(tmp_path, hub):
    of_kind(tmp_path / "kept", "sft")
    done = pushed(tmp_path, "--private")
    assert done.code == 0 and done.out.endswith("pushed: me/data\n"), done
    sent = {name: (tmp_path / "out" / name).read_bytes() for name in hub.files}
    assert hub.files == sent and ".gristmill.json" in hub.commits[0] and hub.commits[-1][-1] == "README.md"
    assert hub.private and len(hub.commits) == 2 and hub.tokens == {f"Bearer {TOKEN}"}
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert TOKEN not in done.out + done.err and TOKEN.encode() not in written


def test_a_push_that_failed_goes_on_where_it_was(tmp_path, hub):
    of_kind(tmp_path / "kept", "sft")
    hub.fail_at = 2
    failed = pushed(tmp_path)
    assert failed.code == 1 and "run the same command again" in failed.err and len(hub.commits) == 1
    before = set(hub.files)
    done = pushed(tmp_path)
    assert done.code == 0 and "has these rows already" in done.out
    assert not before & {name for names in hub.commits[1:] for name in names} and "README.md" in hub.files
    assert pushed(tmp_path).code == 0 and len(hub.commits) == 2  # all is there


def test_a_person_s_files_are_not_pushed(tmp_path, hub):
    of_kind(tmp_path / "kept", "sft")
    export = tmp_path / "out"
    call(tmp_path, "export", "d", "out", "--store", "kept/store")
    (export / ".env").write_text("a password")
    assert "did not write ('.env')" in mistake(pushed(tmp_path)) and not hub.files
    (export / ".env").unlink()
    (export / "host").symlink_to("/etc/hostname")
    assert "did not write ('host')" in mistake(pushed(tmp_path)) and not hub.files


def test_damaged_rows_are_not_pushed(tmp_path, hub):
    of_kind(tmp_path / "kept", "sft")
    call(tmp_path, "export", "d", "out", "--store", "kept/store", "--format", "jsonl")
    (tmp_path / "out/data/train.jsonl").write_text("{}\n")
    assert "is not as gristmill wrote it" in mistake(pushed(tmp_path, "--format", "jsonl")) and not hub.files
    assert pushed(tmp_path, "--format", "jsonl", "--force").code == 0 and len(hub.files["data/train.jsonl"]) > 99


def test_an_edited_card_is_pushed(tmp_path, hub):
    of_kind(tmp_path / "kept", "sft")
    call(tmp_path, "export", "d", "out", "--store", "kept/store")
    (tmp_path / "out/README.md").write_text("my own words")
    assert pushed(tmp_path).code == 0 and hub.files["README.md"] == b"my own words"


def test_what_is_no_more_is_removed(tmp_path, hub):
    of_kind(tmp_path / "kept", "sft")
    pushed(tmp_path)
    hub.files["data/train-00001-of-00002.parquet"] = b"old"
    pushed(tmp_path)
    assert "data/train-00001-of-00002.parquet" not in hub.files and "README.md" in hub.files


def test_a_data_set_of_others_is_left_alone(tmp_path, hub):
    of_kind(tmp_path / "kept", "sft")
    hub.files["precious.parquet"] = b"1"
    assert "holds files that gristmill did not push" in pushed(tmp_path).err
    assert hub.files == {"precious.parquet": b"1"} and not hub.commits


def test_private_rows_do_not_go_to_a_public_data_set(tmp_path, hub):
    of_kind(tmp_path / "kept", "sft")
    hub.made = True
    assert "is public already" in pushed(tmp_path, "--private").err and not hub.commits


@pytest.mark.parametrize("token", (TOKEN, "glpat-of-another-form"))
def test_no_error_shows_the_token(tmp_path, hub, monkeypatch, token):
    """The stub's errors have the header Authorization in them, as servers' do that are debugged."""
    monkeypatch.setenv("HF_TOKEN", token)
    of_kind(tmp_path / "kept", "sft")
    hub.allowed = False
    done = pushed(tmp_path)
    assert done.code == 2 and "HF_TOKEN" in done.err and "[the token]" in done.err and token not in done.err
    hub.allowed, hub.fail_at = True, 1
    failed = pushed(tmp_path)
    assert failed.code == 1 and "the commit failed for Bearer [the token]" in failed.err and token not in failed.err
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert token.encode() not in written and hub.tokens == {f"Bearer {token}"}


def test_no_traceback_shows_the_token(tmp_path, hub):
    of_kind(tmp_path / "kept", "sft")
    hub.allowed = False
    done = process(tmp_path, "export", "d", "out", "--store", "kept/store", "--push", "me/data", "--debug")
    assert "Traceback" in done.err and TOKEN not in done.err and "[the token]" in done.err


@pytest.mark.parametrize("name", ("data", "me/../data", "me/da ta", "me/data/more", "/data", "me/", "me/-a", "me/a\n"))
def test_names_that_are_no_data_set_are_refused(tmp_path, name):
    of_kind(tmp_path / "kept", "sft")
    done = call(tmp_path, "export", "d", "out", "--store", "kept/store", "--push", name)
    assert "expected owner/name" in mistake(done) and not (tmp_path / "out").exists()


# Large files ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def large(hub, monkeypatch):
    """The hub takes Parquet as objects of Git LFS, as without hf_xet."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.lfs.http_backoff", without_waiting)
    hub.large = (".parquet",)
    return hub


def without_waiting(*given, **more):
    """The library's own requests, which it repeats, but not for half a minute."""
    from huggingface_hub.utils import http_backoff

    return http_backoff(*given, **more, base_wait_time=0.01, max_retries=1)


def test_large_files_are_sent_as_objects_and_once(tmp_path, large):
    of_kind(tmp_path / "kept", "sft")
    large.fail_at = 2
    assert pushed(tmp_path).code == 1 and len(large.objects) == 1
    assert pushed(tmp_path).code == 0 and pushed(tmp_path).code == 0
    (name,) = large.pointers
    assert name == "data/train-00000-of-00001.parquet" and large.files[name] == (tmp_path / "out" / name).read_bytes()
    assert set(large.puts.values()) == {1}, "an object that the hub has is not sent again"


@pytest.mark.parametrize("status", (500, 403))
def test_an_object_that_is_refused_is_sent_again(tmp_path, large, status):
    of_kind(tmp_path / "kept", "sft")
    large.refuse = status
    failed = pushed(tmp_path)
    assert failed.code in (1, 2) and len(failed.err.splitlines()) == 1, failed.err
    assert "signedsigned" not in failed.err and TOKEN not in failed.err
    assert not large.pointers and SIGNED not in failed.out
    large.refuse = None
    assert pushed(tmp_path).code == 0 and len(large.pointers) == 1


def test_a_connection_that_is_cut_is_taken_up(tmp_path, large):
    of_kind(tmp_path / "kept", "sft")
    large.cut_at = 1
    codes = [pushed(tmp_path).code, pushed(tmp_path).code]
    assert codes[-1] == 0 and len(large.pointers) == 1 and "README.md" in large.files


def test_a_hub_without_xet_is_said_with_what_helps(tmp_path, hub, monkeypatch):
    pytest.importorskip("hf_xet")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", False)
    of_kind(tmp_path / "kept", "sft")
    hub.large = (".parquet",)
    failed = pushed(tmp_path)
    assert failed.code == 1 and "HF_HUB_DISABLE_XET=1" in failed.err and TOKEN not in failed.err, failed.err
    assert len(failed.err.splitlines()) == 1 or failed.err.splitlines()[0].startswith("  "), failed.err


def test_a_token_that_no_header_holds_is_said_but_not_shown(tmp_path, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_naïve")
    of_kind(tmp_path / "kept", "sft")
    done = pushed(tmp_path)
    assert done.code == 2 and "the token (HF_TOKEN" in done.err and "xef" not in done.err and "ï" not in done.err
