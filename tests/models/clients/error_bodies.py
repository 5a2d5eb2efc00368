"""Bodies of errors as servers of several vendors send them."""

import json

from curate.models.clients.http.complaint import complaint


def openai(message, param=None, code=None):
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


def pydantic(*path, kind="extra_forbidden", text="Extra inputs are not permitted"):
    return {"detail": [{"type": kind, "loc": ["body", *path], "msg": text, "input": 5}]}


def mistral(*path):
    return {"object": "error", "message": pydantic(*path), "type": "invalid_request_error"}


def anthropic(message):
    return {"type": "error", "error": {"type": "invalid_request_error", "message": message}}


def google(message, field=None):
    found = [{"@type": "BadRequest", "fieldViolations": [{"field": field, "description": message}]}]
    return [
        {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT", "details": found if field else []}}
    ]


def openrouter(raw, message="Provider returned error"):
    return {"error": {"message": message, "code": 400, "metadata": {"raw": raw, "provider_name": "P"}}}


def found_in(body):
    return complaint(body if isinstance(body, bytes) else json.dumps(body).encode())
