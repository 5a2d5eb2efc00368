"""What stands before every page: the token, the host, the origin, the size of what is sent, and the headers of answers.

A web page of a stranger that is open in the same browser can send requests to this address. It has no token; a name of
its own that leads to 127.0.0.1 (DNS rebinding) is not one of our hosts; and a form or script of its own has another
origin.
"""

import hmac
import secrets
from html import escape
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LONGEST_QUERY = 8_000  # characters of an address
LARGEST_BODY = 12_000_000  # bytes: a lasso's ids, or an edited answer of a million characters, escaped
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
ONWARD = (
    '<!doctype html><meta charset="utf-8"><title>gristmill</title>'
    '<meta http-equiv="refresh" content="0; url={address}"><p><a href="{address}">Go on</a></p>'
)
REFUSED = "No or a wrong token: open the address that 'gristmill view' printed."


def new_token() -> str:
    """Return a token that nobody guesses."""
    return secrets.token_urlsafe(32)


class Guard:
    """The middleware that lets through only what the user's own browser asks for."""

    def __init__(self, app: ASGIApp, token: str, port: int, ticket: str | None = None) -> None:
        """Guard an app.

        Args:
            app: What answers.
            token: The token.
            port: The port of the address; the cookie has its name from it, as browsers share cookies between ports.
            ticket: A token that opens once, for an address that others may see, as on a program's command line.
        """
        self.app, self.token, self.ticket = app, token, ticket
        self.hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        self.cookie = f"gristmill_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        request = Request(scope)
        answer = self._refusal(request) or self._enter(request)
        await (answer or self.app)(scope, receive, with_headers)

    def _refusal(self, request: Request) -> Response | None:
        """Return the answer to what no page of ours asks for, whoever asks."""
        headers = request.headers
        if headers.get("host") not in self.hosts:
            return PlainTextResponse("This host is not served here.", 403)
        if request.method not in ("GET", "HEAD", "POST"):
            return PlainTextResponse("Not allowed.", 405)
        if len(request.scope["query_string"]) + len(request.url.path) > LONGEST_QUERY:
            return PlainTextResponse(f"The address has over {LONGEST_QUERY:,} characters.", 414)
        if request.method == "POST" and not self._same_origin(headers):
            return PlainTextResponse("This came from another page.", 403)
        size = headers.get("content-length", "0")
        if not size.isascii() or not size.isdigit() or int(size[:20]) > LARGEST_BODY:
            return PlainTextResponse("Too much was sent.", 413)
        return None

    def _same_origin(self, headers: Headers) -> bool:
        """Return whether a page of ours sent this; browsers say where a POST comes from, in one header at least."""
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is None and site is None:
            return False
        known = [f"http://{headers['host']}", None, *(["null"] if site == "same-origin" else [])]
        return site in (None, "same-origin") and origin in known

    def _enter(self, request: Request) -> Response | None:
        """Return None for who has the cookie; take a token in the address into the cookie; refuse all others."""
        given = request.query_params.get("token")
        if given and request.method == "GET" and (self._is_token(given) or self._uses_ticket(given)):
            left = [(key, value) for key, value in parse_qsl(request.url.query) if key != "token"]
            answer = _onward(request, "/" + request.url.path.lstrip("/") + (f"?{urlencode(left)}" if left else ""))
            answer.set_cookie(self.cookie, self.token, httponly=True, samesite="strict", path="/")
            return answer
        if self._is_token(request.cookies.get(self.cookie, "")):
            return None
        return PlainTextResponse(REFUSED, 401)

    def _uses_ticket(self, text: str) -> bool:
        """Return whether this is the token that opens once, which it then does no more."""
        if self.ticket is None or not hmac.compare_digest(text.encode("utf-8", "replace"), self.ticket.encode()):
            return False
        self.ticket = None
        return True

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode("utf-8", "replace"), self.token.encode())


def _onward(request: Request, address: str) -> Response:
    """Return what leads to an address without the token.

    A browser that followed a link of another site, as in a terminal in a web page, would not send the cookie after a
    redirect: it is given a page of ours that goes on by itself.
    """
    if request.headers.get("sec-fetch-site") in (None, "none", "same-origin"):
        return RedirectResponse(address, 303)
    return HTMLResponse(ONWARD.format(address=escape(address)))
