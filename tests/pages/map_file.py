"""A file with a map alone, under the policy that a report has: no script or style within the page."""

import json
from pathlib import Path

from cli.pages.map_data import in_base64
from cli.pages.templating import ASSETS

SCRIPTS = ("map-points.js", "map.js", "map-hands.js")
POLICY = "default-src 'none'; script-src {folder}; style-src {folder}"


def write_map(folder: Path, data: bytes, ids: list[str], texts: list[str]) -> str:
    """Write the file, and return its address."""
    held = json.dumps({"data": in_base64(data), "ids": ids, "texts": texts}).replace("<", "\\u003c")
    styles = "".join(f'<link rel="stylesheet" href="{ASSETS.as_uri()}/{name}">' for name in ("style.css", "map.css"))
    scripts = "".join(f'<script src="{ASSETS.as_uri()}/{name}"></script>' for name in SCRIPTS)
    policy = POLICY.format(folder="file:")
    file = folder / "map.html"
    file.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>map</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">{styles}<body><div class="card">'
        f'<div class="map" data-map="m"></div></div><script type="application/json" id="m">{held}</script>{scripts}',
        encoding="utf-8",
    )
    return file.as_uri()
