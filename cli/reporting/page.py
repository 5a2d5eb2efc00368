"""A report as one HTML file: its sections, the code that draws its charts, and a policy that allows nothing else."""

import base64
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from cli.pages.templating import asset, environment
from cli.reporting.bounded import bounded
from cli.reporting.section import Section, figure, percent, signed

if TYPE_CHECKING:
    import jinja2

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ("vega.min.js", "vega-lite.min.js", "vega-interpreter.js", "charts.js")
CLOSING = re.compile(r"</(?=script|style)|<!--", re.IGNORECASE)


def page(sections: list[Section], values: dict[str, Any]) -> str:
    """Return a whole HTML file.

    Args:
        sections: The sections, in their order.
        values: What the frame is given: ``title``, ``about``, ``figures``, ``problems`` and ``made``.
    """
    pages = environment(TEMPLATES)
    pages.filters |= {"percent": percent, "figure": figure, "signed": signed, "bounded": bounded}
    scripts = [_inline(asset(name)) for name in SCRIPTS if _draws(sections)]
    scripts.append(_inline((TEMPLATES / "report.js").read_text(encoding="utf-8")))
    styles = [_inline(asset("style.css")), _inline((TEMPLATES / "report.css").read_text(encoding="utf-8"))]
    bodies = [(section, Markup(_body(pages, section))) for section in sections]  # noqa: S704 - a template's, escaped
    return pages.get_template("report.html").render(
        sections=bodies, scripts=scripts, styles=styles, policy=policy(scripts, styles), **values
    )


def policy(scripts: list[Markup], styles: list[Markup]) -> str:
    """Return the content security policy that allows these scripts and styles, by their hashes, and nothing else."""
    return (
        f"default-src 'none'; script-src {' '.join(map(_hash, scripts))}; style-src {' '.join(map(_hash, styles))}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _draws(sections: list[Section]) -> bool:
    return bool(sections)


def _body(pages: "jinja2.Environment", section: Section) -> str:
    return pages.get_template(f"{section.name}.html").render(section.values)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _inline(text: str) -> Markup:
    """Return a shipped script or style sheet to stand within its element.

    Raises:
        ValueError: It has what would end the element.
    """
    if CLOSING.search(text):
        raise ValueError("a shipped file has what ends a script element")
    return Markup(text.replace("\r\n", "\n"))  # noqa: S704 - our own file
