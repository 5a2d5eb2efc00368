"""Reads a server's error, in any of the shapes that servers use."""

from typing import Any, NamedTuple

import msgspec

from schemas.errors import printable

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
MESSAGES = ("message", "detail", "error", "msg", "errors", "title")  # keys that hold the words of an error
FLAGS = ("flagged_input", "reasons", "moderation", "content_filter_result", "content_filter_results")


class Complaint(NamedTuple):
    """A server's error: its message on one line, and the code and the parameter that it names.

    Where it names several parameters, as pydantic does, ``param`` has all, with ", " between them.
    """

    message: str
    code: str
    param: str


def complaint(raw: bytes) -> Complaint:
    """Return the error in a body, whatever its shape; never raises."""
    try:
        body = msgspec.json.decode(raw)
    except UNREADABLE:
        return Complaint(one_line(raw[:4096].decode("utf-8", "replace")), "", "")
    if isinstance(body, list) and body and isinstance(body[0], dict):  # as Google answers
        body = body[0]
    inner = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(inner, list) and inner and isinstance(inner[0], dict):
        inner = inner[0]
    if not isinstance(inner, dict):
        return Complaint(one_line(str(inner)), "", "")
    said = next((inner[key] for key in MESSAGES if inner.get(key)), None)
    code, param = str(inner.get("code") or inner.get("type") or ""), str(inner.get("param") or "")
    if isinstance(said, dict) and isinstance(said.get("detail"), list):  # as Mistral answers
        said = said["detail"]
    if isinstance(said, list) and said and all(isinstance(one, dict) for one in said):
        message, kind, path = _details(said)
        return Complaint(one_line(message), kind or code, path or param)
    message = str(said or raw[:4096].decode("utf-8", "replace"))
    found = Complaint(one_line(message), _flagged(inner) or code, param or _violated(inner))
    passed_on = _passed_on(inner)
    if passed_on is None:
        return found
    return Complaint(one_line(f"{message}: {passed_on.message}"), passed_on.code or code, passed_on.param or param)


def _details(details: list[dict]) -> tuple[str, str, str]:
    """Return the words of pydantic's errors, the first one's kind, and their paths (without ``body``)."""
    paths, words = [], []
    for one in details:
        place = one.get("loc")
        path = ".".join(str(part) for part in place if part != "body") if isinstance(place, list) else ""
        paths.append(path)
        text = str(one.get("msg") or one.get("message") or one)
        words.append(f"{path}: {text}" if path else text)
    return "; ".join(words), str(details[0].get("type") or ""), ", ".join(path for path in paths if path)


def _flagged(error: dict[str, Any]) -> str:
    """Return a code for an error that says by its keys that the prompt was moderated (OpenRouter, Azure)."""
    for key in ("metadata", "innererror", "inner_error"):
        inner = error.get(key)
        if isinstance(inner, dict) and any(inner.get(flag) for flag in FLAGS):
            return "moderation"
    return ""


def _violated(error: dict[str, Any]) -> str:
    """Return the first field that Google's ``details`` name, or an empty text."""
    details = error.get("details")
    for detail in details if isinstance(details, list) else []:
        violations = detail.get("fieldViolations") if isinstance(detail, dict) else None
        for violation in violations if isinstance(violations, list) else []:
            if isinstance(violation, dict) and violation.get("field"):
                return str(violation["field"])
    return ""


def _passed_on(error: dict[str, Any]) -> Complaint | None:
    """Return the error of the provider behind a gateway, which OpenRouter passes on as ``metadata.raw``."""
    metadata = error.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    if not raw:
        return None
    return complaint(raw.encode("utf-8", "replace") if isinstance(raw, str) else msgspec.json.encode(raw))


def status_in_body(raw: bytes) -> int | None:
    """Return the status that a body tells in its error, where a gateway sends an error with the status 200."""
    try:
        body = msgspec.json.decode(raw)
    except UNREADABLE:
        return None
    error = body.get("error") if isinstance(body, dict) and not body.get("choices") else None
    for key in ("code", "status", "status_code"):
        value = error.get(key) if isinstance(error, dict) else None
        if isinstance(value, str) and value.isdecimal() and len(value) == 3:
            value = int(value)
        if isinstance(value, int) and 400 <= value < 600:
            return value
    return None


def one_line(text: str, most: int = 2000) -> str:
    """Return a text on one line and without control characters, cut to ``most`` characters."""
    return " ".join(printable(text).split())[:most]
