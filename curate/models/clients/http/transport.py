"""Sends one HTTP request over a pool of connections, and tells the ways in which it can fail apart."""

import socket
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from multidict import CIMultiDictProxy

from curate.models.clients.http.complaint import one_line

LARGEST_REPLY = 64 << 20  # bytes
# Servers (uvicorn's default: 5 s) close connections that are idle; one about to be closed must not be used again.
IDLE = 4.0
# A machine that is gone without a word (no power, no network) is noticed a minute after the last that it sent, not when
# a request's time is up: the kernel asks for a sign of life after 30 s, then every 10 s, three times.
SIGNS_OF_LIFE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))


class Answer(NamedTuple):
    """A server's response, whatever its status."""

    status: int
    headers: CIMultiDictProxy[str]
    raw: bytes


class Failure(NamedTuple):
    """An attempt that failed but may be made again.

    ``reason`` says why. ``billed`` is (prompt, completion tokens) where the attempt may have to be paid for;
    ``unreachable`` is whether there was no connection at all, ``throttled`` whether the server was too busy,
    ``hopeless`` whether trying again can't help (a certificate that is not trusted); ``lasting`` whether the model's
    reply itself is odd, so that the next is likely to be so too; ``wait`` how many seconds the server asks to wait.
    """

    reason: str
    billed: tuple[int, int] | None = None
    unreachable: bool = False
    throttled: bool = False
    hopeless: bool = False
    lasting: bool = False
    wait: float = 0.0


def session(base_url: str, headers: dict[str, str], timeout: float) -> aiohttp.ClientSession:
    """Return a pool of connections without a bound of its own; cookies are not kept.

    Args:
        base_url: The server's address.
        headers: Headers of every request.
        timeout: Seconds that a request may take.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0, keepalive_timeout=IDLE, ttl_dns_cache=300, socket_factory=watched_socket
        ),
        timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=min(30, timeout)),
        headers=headers,
        cookie_jar=aiohttp.DummyCookieJar(),
        proxy=proxy_for(base_url),
    )


def watched_socket(address: tuple) -> socket.socket:
    """Return a socket for an address (as ``getaddrinfo`` gives it) that asks the other side for signs of life."""
    made = socket.socket(*address[:3])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in SIGNS_OF_LIFE:
        if hasattr(socket, name):  # macOS has other names
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return made


async def post(http: aiohttp.ClientSession, url: str, body: bytes) -> Answer | Failure:
    """Send a body and read the response. No redirect is followed: it might carry the key elsewhere.

    A request without a response counts as billed, at a quarter of a token a byte.
    """
    guess = (len(body) // 4 + 1, 0)
    try:
        async with http.post(url, data=body, allow_redirects=False) as response:
            raw = await bounded(response)
            if raw is None:
                return Failure(f"a reply of more than {LARGEST_REPLY >> 20} MB", guess)
            return Answer(response.status, response.headers, raw)
    except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
        return Failure(f"no safe connection ({describe(error)})", unreachable=True, hopeless=True)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        return Failure(f"cannot connect ({describe(error)})", unreachable=True)
    except TimeoutError:
        return Failure(f"no reply within {http.timeout.total:g} s", guess)
    except (aiohttp.ClientError, OSError) as error:
        return Failure(f"the connection was lost ({describe(error)})", guess)


async def bounded(response: aiohttp.ClientResponse, most: int | None = None) -> bytes | None:
    """Return the body of a response, or None if it has more bytes: by default more than any reply could have."""
    most = LARGEST_REPLY if most is None else most
    if response.content_length is not None and "Content-Encoding" not in response.headers:
        return await response.read() if response.content_length <= most else None
    parts, size = [], 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > most:
            return None
        parts.append(part)
    return b"".join(parts)


def proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for an address; None for this machine itself."""
    parts = urlsplit(url)
    if parts.hostname in ("localhost", "127.0.0.1", "::1") or proxy_bypass(parts.netloc):
        return None
    return getproxies().get(parts.scheme)


def describe(error: Exception) -> str:
    """Return an error's message on one line. Never its repr, which may show the request's headers."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the host name is not known"
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, ConnectionRefusedError):
        return "connection refused"
    return one_line(str(cause)) or type(error).__name__
