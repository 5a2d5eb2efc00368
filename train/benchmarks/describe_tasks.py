"""Prints as JSON what lm-evaluation-harness knows of tasks: ``python -I describe_tasks.py DEFAULTS NAME...``.

It is run as a script by the Python that has lm-evaluation-harness, so it imports nothing of ours. ``DEFAULTS`` is 1 to
know the harness's own tasks, 0 where all names are files. No code of a task file is run, and no data are loaded.
"""

import difflib
import hashlib
import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Print the harness's version and, for each name, its tasks or what is wrong with it."""
    from lm_eval.tasks import TaskManager
    from lm_eval.tasks._index import TaskIndex

    defaults, names = sys.argv[1] == "1", sys.argv[2:]
    index = TaskManager(include_defaults=defaults).task_index
    found = {}
    for name in names:
        try:
            entry = TaskIndex.entry_from_path(Path(name)) if name.endswith(".yaml") else index.get(name)
            if entry is None:
                near = difflib.get_close_matches(name, index, n=1, cutoff=0.5)
                found[name] = {"error": "unknown", "near": near}
            else:
                found[name] = {"tasks": [_described(cfg, path) for cfg, path in _tasks(entry, index, set())]}
        except Exception as error:  # of a task file of the user's
            found[name] = {"error": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
    version = importlib.metadata.version("lm_eval")
    sys.stdout.write(json.dumps({"version": version, "names": found}))


def _tasks(entry: Any, index: Any, seen: set[str]) -> list[tuple[dict[str, Any], Path | None]]:
    """Return the configs of the tasks that a task, a group or a tag stands for, each once."""
    from lm_eval.tasks._yaml_loader import load_yaml

    if entry.name in seen:
        return []
    seen.add(entry.name)
    if entry.kind.name == "TAG":
        return [one for name in sorted(entry.tags) for one in _tasks(index[name], index, seen)]
    cfg = entry.cfg or load_yaml(entry.yaml_path, resolve_func=False, recursive=True)
    if entry.kind.name != "GROUP":
        return [(cfg, entry.yaml_path)]
    found = []
    for member in cfg.get("task") or []:
        name = member if isinstance(member, str) else member.get("task") or member.get("group")
        if name in index:
            further = {} if isinstance(member, str) else member
            found += [({**one, "of_group": further}, path) for one, path in _tasks(index[name], index, seen)]
        elif isinstance(member, dict):
            found.append(({**member, "task": f"{entry.name}::{name}"}, entry.yaml_path))
    return found


def _described(cfg: dict[str, Any], path: Path | None) -> dict[str, Any]:
    """Return what we need of a task's config; ``content`` is a hash of it, of the code beside it and of local data."""
    metadata = cfg.get("metadata") or {}
    files = sorted(path.parent.glob("*.py")) if path else []
    given = (cfg.get("dataset_kwargs") or {}).get("data_files") or {}
    data = [
        one
        for held in (given.values() if isinstance(given, dict) else [given])
        for one in (held if isinstance(held, list) else [held])
    ]
    folder = path.parent if path else Path()
    digest = hashlib.sha256(_stable(cfg, folder).encode())
    missing = []
    for file in (*files, *(folder / str(one) for one in data if "://" not in str(one))):
        if file.is_file():
            digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
        elif not set("*?[") & set(file.name):
            missing.append(str(file))
    fewshot = cfg.get("num_fewshot")
    return {
        "name": str(cfg.get("task")),
        "kind": "class" if "class" in cfg else str(cfg.get("output_type", "generate_until")),
        "version": str(metadata.get("version", "")),
        "num_fewshot": fewshot if isinstance(fewshot, int) else None,
        "data": str(cfg.get("dataset_path") or ""),
        "missing": missing,
        "unsafe": bool(cfg.get("unsafe_code")),
        "content": digest.hexdigest()[:16],
    }


def _stable(cfg: dict[str, Any], folder: Path) -> str:
    """Return a config as text that is the same wherever the task's folder lies."""
    return json.dumps(cfg, sort_keys=True, default=str).replace(str(folder), "")


if __name__ == "__main__":
    main()
