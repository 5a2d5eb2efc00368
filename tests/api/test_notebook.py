"""docs/first_steps.ipynb runs from top to bottom, and shows tables."""

from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parent.parent.parent / "docs" / "first_steps.ipynb"


@pytest.mark.slow
def test_the_notebook_runs_and_shows_tables(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("trl")
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parent.parent))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:  # a tiny model, so that the test takes seconds
        cell.source = cell.source.replace("smollm2-135m", str(tiny))
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    shown = ["".join(str(output.get("data", output)) for output in cell.get("outputs", [])) for cell in notebook.cells]
    pages = [text for text in shown if "text/html" in text]
    assert any("Rows dropped" in page and "<table>" in page for page in pages)
    assert any("the same scorers for every model" in page and "tuned" in page for page in pages)
    assert any("Plan: 4 prompts" in text for text in shown) and any("trained" in text for text in shown)
