"""Collecting the tests imports no library that takes seconds to import: a run of one quick test is quick."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # whole runs or many processes: seconds for the file

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "transformers", "trl", "sentence_transformers", "datasets")
# Collects the tests, and prints for each heavy library the first file whose collection imports it.
CODE = f"""
import json, sys
import pytest


class Importers:
    found = {{}}

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector):
        report = yield
        for name in {HEAVY}:
            if name in sys.modules:
                self.found.setdefault(name, collector.nodeid)
        return report


code = pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", *sys.argv[1:]], plugins=[Importers()])
print(json.dumps([code, Importers.found]))
"""


def imported_by_collecting(*paths: str | Path) -> dict[str, str]:
    """The heavy libraries that collecting these tests imports, each with the file that does."""
    command = [sys.executable, "-c", CODE, *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    code, found = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return found


@pytest.mark.slow
def test_collecting_all_tests_imports_nothing_heavy():
    assert imported_by_collecting("tests") == {}


def test_a_test_file_with_a_heavy_import_is_named(tmp_path):
    (tmp_path / "test_heavy.py").write_text("import trl\n\n\ndef test_one():\n    pass\n")
    (tmp_path / "trl.py").write_text("")
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {tmp_path}\n")
    found = imported_by_collecting(tmp_path, "-c", tmp_path / "pytest.ini")
    assert list(found) == ["trl"] and found["trl"].endswith("test_heavy.py")
