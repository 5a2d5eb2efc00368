"""Plain values as YAML text, and without the passwords in their URLs and connection texts."""

import io
import re
from typing import Any

PASSWORDS = re.compile(r"(?<=://)[^\s/@]+:[^\s/@]+(?=@)|(?<=password=)[^\s'\"&;]+", re.IGNORECASE)


def yaml_text(value: Any, width: int = 110) -> str:
    """Return a value as YAML, its keys in their order, with lines of about ``width`` characters at most."""
    from ruamel.yaml import YAML

    text, writer = io.StringIO(), YAML(typ="safe", pure=True)
    writer.default_flow_style, writer.width, writer.sort_base_mapping_type_on_output = False, width, False
    writer.dump(value, text)
    return text.getvalue()


def without_passwords(value: Any) -> Any:
    """Return a copy of plain values with each password as dots."""
    if isinstance(value, dict):
        return {key: without_passwords(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_passwords(item) for item in value]
    return PASSWORDS.sub("...", value) if isinstance(value, str) else value
