"""Reads what a page sends: a form's fields, as a browser writes them into the body of a POST."""

from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request

from cli.viewing.guard import LARGEST_BODY

MOST_FIELDS = 20


async def form(request: Request) -> dict[str, str]:
    """Return the fields of a POST by name.

    Raises:
        HTTPException: The body is no form, is too large, or has a field twice.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415, "Expected a form's fields.")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            raise HTTPException(413, f"Over {LARGEST_BODY:,} bytes were sent.")
    try:
        found = parse_qs(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise HTTPException(400, "These are no fields of a form.") from None
    if any(len(values) > 1 for values in found.values()):
        raise HTTPException(400, "A field was sent twice.")
    return {name: values[0] for name, values in found.items()}
