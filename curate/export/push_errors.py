"""Errors of the hub's library in one line, without a token, and without what signs an address."""

import re
from collections.abc import Generator
from contextlib import contextmanager

from curate.sources.remote.urls import shown_url
from schemas.errors import Failed, OneLine, UserError, printable

HIDDEN = "[the token]"
TOKENS = re.compile(r"hf_\w{8,}|(?<=Bearer )[^\s'\",}]+")
ADDRESSES = re.compile(r"https?://[^\s'\"<>)]+", re.IGNORECASE)
LONGEST = 300  # characters of what a server says


@contextmanager
def push_errors(repository: str, token: str | None) -> Generator[None]:
    """Raise every error of the hub's library in one line.

    Args:
        repository: ``owner/name``.
        token: The user's token, which is taken out of what is said.

    Raises:
        UserError: The user may not write there.
        Failed: Anything else.
    """
    try:
        yield
    except OneLine:
        raise
    except Exception as error:  # the library and the network raise errors of many families
        if isinstance(error, UnicodeEncodeError):  # it would say a character of the token
            raise UserError(
                f"--push {repository}: the token (HF_TOKEN, or 'hf auth login') has characters that no token has"
            ) from None
        said, chain = _said(error, token), (error, error.__cause__)
        statuses = {getattr(getattr(one, "response", None), "status_code", None) for one in chain}
        if statuses & {401, 403} or type(error).__name__ == "LocalTokenNotFoundError":
            raise UserError(
                f"--push {repository}: the hub does not let you write there ({said}); 'hf auth login', or set HF_TOKEN "
                f"to a token that may write"
            ) from None
        is_xet = any("xet" in f"{type(one).__name__} {one}".lower() for one in chain)
        xet = "; where there is no Xet storage, set HF_HUB_DISABLE_XET=1" if is_xet else ""
        raise Failed(
            f"--push {repository}: {said}{xet}; the folder is whole: run the same command again, and only what the hub "
            f"has not is sent"
        ) from None


def _said(error: Exception, token: str | None) -> str:
    """Return the first line of an error and of the one that caused it, and what the server said."""
    found = []
    for one in (error, error.__cause__):
        lines = (line.strip(" .:") for line in str(one or "").splitlines())
        found.append(next((line for line in lines if line), "" if one is None else type(one).__name__))
        found.append(str(getattr(one, "server_message", None) or ""))
    return without_tokens(": ".join(line for line in dict.fromkeys(found) if line), token)[:LONGEST]


def without_tokens(text: str, token: str | None) -> str:
    """Return text without a token, anything like one, and what is behind the path of an address."""
    text = ADDRESSES.sub(lambda found: shown_url(found[0]), printable(text))
    return TOKENS.sub(HIDDEN, text.replace(token, HIDDEN) if token else text)
