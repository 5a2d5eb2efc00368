"""Find personal items in a text: mail addresses, phone, card, bank and US social security numbers, IP addresses.

An item counts only if it is valid: by check digits of cards (Luhn) and bank accounts (IBAN, python-stdnum), the rules
of US social security numbers, and numbering plans of phones (phonenumbers). Addresses reserved for examples and local
networks (example.com, 192.168.0.1) do not count.
"""

import ipaddress
import re
from collections.abc import Callable

import phonenumbers
import polars as pl
from stdnum import iban, luhn
from stdnum.us import ssn

from curate.algorithms.text.found_items import GOES_ON, Item, check_kinds, item_start, without_overlaps
from schemas.errors import unknown

# Kind -> a pattern that any text with such an item matches (Rust, linear time). Most texts need only this check.
LIKELY = {
    "email": r"@",
    "credit_card": r"\d(?:[ -]?\d){12}",
    "iban": r"[A-Z]{2}\d{2} ?[A-Z0-9]",
    "ssn": r"\d{3}-\d{2}-\d{4}",
    "ip": r"\d\.\d{1,3}\.\d{1,3}\.\d|:[0-9A-Fa-f]{0,4}:",
    "phone": r"\d(?:[ ()./-]{0,3}\d){6}",
}
# Kind -> its form. It begins at the start of a word and is bounded, so that ``re`` takes linear time. A mail address
# takes no letter of an escape before it: what is left of "\\nme@mail.org" in JSON text must still be JSON.
FORMS = {
    "email": item_start(r"\wÀ-ɏ.%+-") + r"(?!(?<=\\)(?:[bfnrt]|u[0-9A-Fa-f]{4}))[\wÀ-ɏ.%+-]{1,64}"
    r"@(?:[A-Za-z0-9À-ɏ-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])",
    # Sixteen digits by fours, fifteen (American Express) as 4-6-5, fourteen (Diners Club) as 4-6-4.
    "credit_card": item_start(r"\w.+-") + r"(?:(?:2[2-7]|3[05]|4\d|5\d|6\d)\d\d([ -]?)\d{4}\1\d{4}\1\d{4}"
    r"|3[4-9]\d\d([ -]?)\d{6}\2\d{4,5})" + rf"(?!{GOES_ON}|\.\d)",
    "iban": item_start(r"\w") + r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}",
    "ssn": item_start(r"\w-") + r"\d{3}-\d{2}-\d{4}" + rf"(?!{GOES_ON})",
    "ip": item_start(r"\w.:") + r"(?:\d{1,3}(?:\.\d{1,3}){3}(?![A-Za-z0-9:]|\.\d)"
    r"|(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![A-Za-z0-9:]))",
    # With a plus, a bracket, or digits in groups: a plain number of ten digits may be anything, and so may six digits.
    "phone": item_start(r"\w.+/-") + r"(?:\+\d(?:[ ()./-]{0,3}\d){6,14}"
    r"|(?:\(\d{2,5}\)[ ./-]?|\d{2,5}[ ./-])\d{2,8}(?:[ ./-]\d{2,8}){0,4})" + rf"(?!{GOES_ON}|[.,]\d)",
}
PATTERNS = {kind: re.compile(form, re.ASCII) for kind, form in FORMS.items()}
EXAMPLES = re.compile(r"(?:^|[@.])(?:example\.(?:com|org|net)|example|test|invalid|localhost)$", re.IGNORECASE)
YEAR = r"(?:1\d|20)\d\d"
DATE = re.compile(
    rf"{YEAR}([-/. ])[01]?\d\1|[0-3]?\d([-/. ])[0-3]?\d\2{YEAR}(?!\d)|{YEAR}[-/ ]{YEAR}(?!\d)", re.ASCII
)  # also spans of years
GLOBAL = ipaddress.ip_network("2000::/3")  # all assigned IPv6 addresses; "a::b" is C++


def kinds_to_find(kinds: list[str] | None, region: str) -> list[str]:
    """Return the kinds to look for, all for None; raise ``UserError`` for a kind or region that does not exist."""
    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise unknown("region (of phone numbers) called", region, phonenumbers.SUPPORTED_REGIONS)
    return check_kinds(kinds, list(FORMS), "personal item")


def likely(texts: pl.Series, kinds: list[str]) -> dict[str, pl.Series]:
    """Return for each kind which texts may hold one (Boolean): a quick check that misses none."""
    # One pass over all texts, then one for each kind over the few that may hold any.
    some = texts.str.contains("|".join(LIKELY[kind] for kind in kinds)).fill_null(False)
    rows, few = some.arg_true(), texts.filter(some)
    return {kind: some.clone().scatter(rows, few.str.contains(LIKELY[kind])) for kind in FORMS if kind in kinds}


def items(text: str, kinds: list[str], region: str) -> list[Item]:
    """Return the items of a text; of overlapping ones, the most certain kind (a card number is no phone number)."""
    found = []
    for kind in kinds:
        for match in PATTERNS[kind].finditer(text):
            length = _phone(match.group(), region) if kind == "phone" else CHECKS[kind](match.group())
            if length:
                found.append((match.start(), match.start() + length, kind))
    return without_overlaps(found)


def _email(item: str) -> int:
    return 0 if EXAMPLES.search(item) else len(item)


def _card(item: str) -> int:
    digits = re.sub("[ -]", "", item)
    return len(item) if luhn.is_valid(digits) and len(set(digits)) > 1 else 0


def _iban(item: str) -> int:
    """The length of the account number that ``item`` begins with, as words in capitals may follow it; 0 for none."""
    length = len(item)
    while length >= 15:
        if item[length - 1] != " " and iban.is_valid(item[:length]) and not item[length : length + 1].isalnum():
            return length
        length -= 1
    return 0


def _ssn(item: str) -> int:
    return len(item) if ssn.is_valid(item) else 0


def _ip(item: str) -> int:
    try:
        address = ipaddress.ip_address(item)
    except ValueError:
        return 0
    return len(item) if address.is_global and (address.version == 4 or address in GLOBAL) else 0


def _phone(item: str, region: str) -> int:
    if DATE.match(item) or sum(map(str.isdigit, item)) < 7:
        return 0
    try:
        return len(item) if phonenumbers.is_valid_number(phonenumbers.parse(item, region)) else 0
    except phonenumbers.NumberParseException:
        return 0


CHECKS: dict[str, Callable[[str], int]] = {
    "email": _email,
    "credit_card": _card,
    "iban": _iban,
    "ssn": _ssn,
    "ip": _ip,
}
