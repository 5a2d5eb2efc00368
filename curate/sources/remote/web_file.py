"""Read a file from the web: ``https://...``, downloaded once a process to a temporary file, which its end removes.

Only ``https`` is read, or ``http`` from this machine, and redirects may not leave ``https``. The size and the time are
bounded. What may be secret in a URL (a password, the query) is not shown.
"""

import re
import ssl
import time
from base64 import b64encode
from functools import lru_cache
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory, mkdtemp
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from curate.sources.files.file_formats import FORMATS, file_format
from curate.sources.remote.urls import shown_url
from schemas.errors import UserError

MOST_BYTES = 20 * 2**30
MOST_SECONDS = 3600.0  # for the whole file
WAIT = 20.0  # seconds without any answer
CHUNK = 2**18
LOOPBACK = ("localhost", "127.0.0.1", "::1")
TYPES = {
    "application/json": ".json", "application/x-ndjson": ".jsonl", "application/jsonl": ".jsonl",
    "application/jsonlines": ".jsonl", "application/x-jsonlines": ".jsonl", "text/csv": ".csv",
    "text/tab-separated-values": ".tsv", "application/vnd.apache.parquet": ".parquet",
    "application/x-parquet": ".parquet", "application/vnd.apache.arrow.file": ".arrow",
    "application/vnd.apache.arrow.stream": ".arrow",
}  # fmt: skip
STARTS = {b"PAR1": ".parquet", b"ARROW1": ".arrow"}


@lru_cache(maxsize=64)
def download(url: str) -> Path:
    """Return the path of a temporary file with what a URL holds; its name ends with the format.

    Raises:
        UserError: The URL may not be read, cannot be reached, or holds no data of a known format.
    """
    shown = shown_url(url)
    _check(urlsplit(url), shown)
    folder = Path(mkdtemp(dir=_downloads().name))
    part = folder / "part"
    try:
        with _opened(url, shown) as answer:
            with part.open("wb") as file:
                _copy(answer, file, shown)
            ending = _format(_file_name(url, answer), answer.headers, part, shown)
    except BaseException as error:  # nothing is left, also after Ctrl-C
        part.unlink(missing_ok=True)
        folder.rmdir()
        if isinstance(error, OSError | HTTPException):
            raise UserError(f"{shown}: the download broke off: {_reason(error)}; try again") from None
        raise
    name = re.sub(r"[^\w.-]", "_", PurePosixPath(unquote(urlsplit(url).path)).name)[-100:].lstrip(".") or "download"
    return part.rename(folder / (name if file_format(Path(name)) else f"{name}{ending}"))


@lru_cache(maxsize=1)
def _downloads() -> TemporaryDirectory:
    """Return the folder of this process's downloads, which is removed when the process ends."""
    return TemporaryDirectory(prefix="gristmill-download-")


class _Redirects(HTTPRedirectHandler):
    """Follows a redirect only to where a source may be read from."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """Return the next request; raise ``UserError`` where it would not be read."""
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if new.scheme != "https" and not (old.hostname in LOOPBACK and new.hostname in LOOPBACK):
            raise UserError(
                f"{shown_url(req.full_url)}: leads to {shown_url(newurl)}, which is not https, and is not read"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _file_name(url: str, answer: HTTPResponse) -> str:
    """Return the name that says a download's format: the URL's, or else the one that the server gives."""
    names = (urlsplit(url).path, answer.headers.get_filename() or "", urlsplit(answer.url).path)
    return next((name for name in names if file_format(Path(unquote(name)))), "")


def _check(parts: SplitResult, shown: str) -> None:
    """Raise ``UserError`` for a URL that is not read."""
    if not parts.hostname:
        raise UserError(f"{shown}: expected a URL such as https://host/path/rows.jsonl")
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise UserError(f"{shown}: is not read: over http anyone between can change the rows; use https")


def _opened(url: str, shown: str) -> HTTPResponse:
    """Return the answer to a request; raise ``UserError`` where there is none, or it says no."""
    parts = urlsplit(url)
    bare = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))
    request = Request(bare, headers={"User-Agent": "gristmill"})  # noqa: S310 (the scheme is checked)
    if parts.username is not None:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        request.add_unredirected_header("Authorization", f"Basic {b64encode(secret).decode()}")
    try:
        direct = [ProxyHandler({})] if parts.hostname in LOOPBACK else []
        return build_opener(_Redirects, *direct).open(request, timeout=WAIT)
    except HTTPError as error:
        raise UserError(f"{shown}: the server says {error.code} {error.reason}{_remedy(error.code)}") from None
    except URLError as error:
        raise UserError(f"{shown}: {_unreachable(error.reason)}") from None
    except (OSError, HTTPException, ValueError) as error:
        raise UserError(f"{shown}: cannot be read: {_reason(error)}") from None


def _remedy(code: int) -> str:
    if code in (401, 403):
        return "; it needs a permission: download it by hand, and name the file"
    return "; check the URL" if code in (404, 410) else ""


def _unreachable(reason: object) -> str:
    """Return what an error of the connection means for the user."""
    if isinstance(reason, ssl.SSLError):
        return f"no secure connection: {_reason(reason)}"
    if isinstance(reason, ConnectionRefusedError):
        return "the connection is refused; nothing listens there"
    return f"no network, or no such host: {reason}; download the file where there is a network, and name the file"


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _copy(answer: HTTPResponse, file: IO[bytes], shown: str) -> None:
    """Copy an answer to a file; raise ``UserError`` where it is too large, takes too long or is cut off."""
    length = answer.headers.get("Content-Length", "")
    expected = int(length) if length.isdecimal() else None
    begun, size = time.monotonic(), 0
    if expected is not None and expected > MOST_BYTES:
        raise UserError(f"{shown}: holds {expected:,} bytes; at most {MOST_BYTES:,} are downloaded")
    while part := answer.read(CHUNK):
        size += len(part)
        if size > MOST_BYTES:
            raise UserError(f"{shown}: holds more than {MOST_BYTES:,} bytes, the most that is downloaded")
        if time.monotonic() - begun > MOST_SECONDS:
            raise UserError(
                f"{shown}: took more than {MOST_SECONDS:,.0f} seconds; download it by hand, and name the file"
            )
        file.write(part)
    if expected is not None and size < expected:
        raise UserError(f"{shown}: the download was cut off after {size:,} of {expected:,} bytes; try again")


def _format(name: str, headers: HTTPMessage, path: Path, shown: str) -> str:
    """Return the ending of the format of a downloaded file: from its name, its type, or its first bytes."""
    with path.open("rb") as file:
        start = file.read(512)
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise UserError(f"{shown}: is a web page and no data file; name the URL of the file itself")
    named = file_format(Path(unquote(name)))
    kind = TYPES.get(headers.get_content_type())
    by_bytes = next((ending for magic, ending in STARTS.items() if start.startswith(magic)), None)
    found = named or by_bytes or kind
    if found is None and start.lstrip()[:1] in (b"{", b"["):
        found = ".json"
    if found is None:
        raise UserError(
            f"{shown}: neither its name nor its type ({headers.get_content_type()}) says a format that is read "
            f"(there are: {', '.join(sorted(FORMATS))}); download it, and name the file"
        )
    return found
