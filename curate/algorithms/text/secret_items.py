"""Find keys, tokens and private keys in a text, by the forms that their issuers document.

Each form has a fixed prefix of its own (``AKIA``, ``ghp_``). Random-looking strings and passwords without a form are
not found. Placeholders (of few different characters, or with "example", "your" or "xxxx" in them) do not count.
``detect-secrets`` is not used: it reads 600 lines a second, keeps its settings in a global, and takes ordinary words
for secrets unless a file has them quoted.
"""

import base64
import binascii
import json
import re

import polars as pl

from curate.algorithms.text.found_items import GOES_ON, Item, check_kinds, item_start, without_overlaps

# Kind -> its form. Every repetition is bounded, or nothing that could fail follows it, so that ``re`` is linear too.
FORMS = {
    "private_key": r"-----BEGIN (?:[A-Z0-9]{2,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----(?:\s|\\{1,4}[nr]){1,9}"
    r"(?:[\w-]{1,30}: [^\n]{1,80}\n){0,4}\s{0,4}[A-Za-z0-9+/=]{40}",
    "jwt": r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+",
    "aws": r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}",
    "github": r"gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
    "gitlab": r"glpat-[\w-]{20,64}",
    "anthropic": r"sk-ant-[a-z]{3,8}\d{2}-[\w-]{40,160}",
    "openai": r"sk-(?:proj|svcacct|admin)-[\w-]{20,200}|sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}",
    "huggingface": r"hf_[A-Za-z]{34}",
    "slack": r"xox[abeoprs]-[A-Za-z0-9-]{10,250}|xapp-\d-[A-Za-z0-9-]{10,250}"
    r"|hooks\.slack\.com/services/T\w{8,12}/B\w{8,12}/\w{24}",
    "google": r"AIza[\w-]{35}|GOCSPX-[\w-]{28}|ya29\.[\w-]{60,250}",
    "stripe": r"(?:sk|rk)_live_[A-Za-z0-9]{24,120}",
    "npm": r"npm_[A-Za-z0-9]{36}",
    "pypi": r"pypi-AgE[\w-]{50,250}",
    "sendgrid": r"SG\.[\w-]{22}\.[\w-]{43}",
}
# Fixed strings, one of which is in every text with a secret: a fast check for texts of any length.
MARKS = [
    "PRIVATE KEY",
    "eyJ",
    "AKIA",
    "ASIA",
    "ABIA",
    "ACCA",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "sk-",
    "hf_",
    "xox",
    "xapp-",
    "hooks.slack.com",
    "AIza",
    "GOCSPX-",
    "ya29.",
    "_live_",
    "npm_",
    "pypi-AgE",
    "SG.",
]
# The word must not go on at either side. Of a private key only the first line is matched.
PATTERNS = {
    kind: re.compile(
        form if kind == "private_key" else item_start("A-Za-z0-9_-") + rf"(?:{form})(?!{GOES_ON})", re.ASCII
    )
    for kind, form in FORMS.items()
}
PLACEHOLDER = re.compile(r"example|your|x{4}|\*{3}|1234567890|abcdef", re.IGNORECASE)
FEWEST = 8  # different characters in a real secret, fewer in a placeholder


def kinds_to_find(kinds: list[str] | None) -> list[str]:
    """Return the kinds to look for, all for None; raise ``UserError`` for a kind that does not exist."""
    return check_kinds(kinds, list(FORMS), "secret")


def likely(texts: pl.Series, kinds: list[str]) -> dict[str, pl.Series]:
    """Return for each kind which texts may hold one (Boolean): a quick check that misses none."""
    marked = texts.str.contains_any(MARKS)
    return {kind: marked for kind in FORMS if kind in kinds}


def items(text: str, kinds: list[str]) -> list[Item]:
    """Return the secrets of a text without overlaps; of a private key, its first line."""
    return without_overlaps(
        [
            (match.start(), match.end(), kind)
            for kind in kinds
            for match in PATTERNS[kind].finditer(text)
            if _is_real(kind, match.group())
        ]
    )


def _is_real(kind: str, secret: str) -> bool:
    """Return whether a match is no placeholder; of a token (JWT), whether its header can be decoded."""
    if kind == "jwt":
        return _has_jwt_header(secret)
    body = secret[-40:] if kind == "private_key" else secret
    return len(set(body)) >= FEWEST and not PLACEHOLDER.search(body)


def _has_jwt_header(token: str) -> bool:
    head = token.partition(".")[0]
    if len(head) > 4096:
        return False
    try:
        found = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "alg" in found
