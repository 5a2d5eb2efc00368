"""Runs the benchmarks and prints their results: ``python benchmarks/run.py [--only NAME]``.

A benchmark is a file here with ``measure() -> Iterable[Row]``.
"""

import argparse
import importlib
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMES = (
    "help",
    "check",
    "sql",
    "report",
    "store",
    "sources",
    "scale",
    "engine",
    "decoding",
    "reading",
    "client",
    "servers",
    "spreading",
    "generate",
    "select",
    "scorers",
    "sandbox",
    "minhash",
    "dedup_parts",
    "semantic",
    "semantic_parts",
    "deita",
    "subsets",
    "diverse",
    "map",
    "decontaminate",
    "filters",
    "trainers",
    "first_hour",
)
HEAD = f"{'benchmark':<58} {'figure':>9} {'unit':<9} {'target':<9} {'peer':<16} {'figure':>9} {'ratio':>6}"


def main() -> None:
    """Run them all, or the one named; print a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=NAMES, help="run this one only")
    only = parser.parse_args().only
    sys.path[0] = str(ROOT)  # in place of this folder, whose file names are too plain to be imported by
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n{HEAD}")
    for name in [only] if only else NAMES:
        for row in importlib.import_module(f"benchmarks.{name}").measure():
            peer = f"{row.peer_figure:>9.4g} {row.ratio:>6.2f}" if row.peer_figure is not None else ""
            print(f"{row.name:<58} {row.figure:>9.4g} {row.unit:<9} {row.target:<9} {row.peer:<16} {peer}", flush=True)
    print(f"load after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
