"""Print how much of each room the tests ran, from coverage's JSON; exit 1 where a room is under its floor.

``make coverage`` runs it. What cannot be counted is left out in ``[tool.coverage.run]`` of ``pyproject.toml``.
"""

import json
import sys
from pathlib import Path

# The least percentage of a room's statements that the tests run: what was reached when it was last set, rounded down.
FLOORS = {
    "schemas": 99,
    "curate": 100,
    "curate/algorithms": 99,
    "curate/api": 98,
    "curate/datasets": 98,
    "curate/dedup": 99,
    "curate/export": 95,
    "curate/generate": 100,
    "curate/models": 96,
    "curate/pipeline": 98,
    "curate/score": 99,
    "curate/select": 99,
    "curate/sources": 98,
    "curate/steps": 99,
    "curate/storage": 98,
    "curate/verifiers": 92,
    "train": 96,
    "cli": 93,
}


def room(path: str) -> str:
    """Return the key of ``FLOORS`` for a module: its folder in ``curate``, or its package."""
    package, *folders = Path(path).parent.parts
    return f"{package}/{folders[0]}" if package == "curate" and folders else package


def main(report: Path) -> int:
    """Print a line a room, and return 1 where one is under its floor or has none, else 0."""
    counts: dict[str, tuple[int, int]] = {}
    for path, module in json.loads(report.read_text())["files"].items():
        statements, covered = counts.get(room(path), (0, 0))
        summary = module["summary"]
        counts[room(path)] = statements + summary["num_statements"], covered + summary["covered_lines"]
    lines = [f"{'room':<20}{'statements':>11}{'covered':>9}{'%':>8}{'floor':>7}"]
    low = []
    for name in sorted(FLOORS.keys() | counts.keys()):
        statements, covered = counts.get(name, (0, 0))
        share, floor = 100 * covered / max(statements, 1), FLOORS.get(name)
        lines.append(f"{name:<20}{statements:>11}{covered:>9}{share:>8.1f}{'none' if floor is None else floor:>7}")
        if floor is None or share < floor:
            low.append(name)
    statements, covered = (sum(column) for column in zip(*counts.values(), strict=True))
    lines.append(f"{'all':<20}{statements:>11}{covered:>9}{100 * covered / statements:>8.1f}")
    if low:
        lines.append(f"under its floor, or without one in tests/coverage_floors.py: {', '.join(low)}")
    print("\n".join(lines))  # noqa: T201 - what make coverage shows
    return bool(low)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
