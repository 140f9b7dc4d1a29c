"""What a caller or a carrier sends us, made harmless: bounded, one line, no control characters.

The text stays text: nothing is escaped here, every place that shows it escapes for its own medium.
"""

import re
import unicodedata

from kernel.phone import Phone

MAX_NUMBER = 64
MAX_NAME = 80
ANONYMOUS = "anonymous"

_NOBODY = frozenset(
    {"", "<unknown>", "unknown", "anonymous", "restricted", "private", "unavailable", "withheld"}
)
# Controls, the surrogates of broken decoding, line separators, and the marks that turn text around.
_DROPPED = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+"
)
# A quote or a backslash in a name of SIP (RFC 3261 §25.1); Asterisk leaves them escaped.
_QUOTED_PAIR = re.compile(r'\\(["\\])')
_SPACES = re.compile(r"\s+")
_PLAIN_NUMBER = re.compile(r"\+?[0-9*#]{1,20}")


def clean_text(raw: str, limit: int) -> str:
    """Return ``raw`` on one line without control characters, at most ``limit`` characters long."""
    if len(raw) <= limit and raw.isascii() and raw.isprintable() and "  " not in raw:
        return raw.strip()
    # Cut first: a name of megabytes must not be worked through.
    text = _DROPPED.sub(" ", raw[: limit * 4])
    return _SPACES.sub(" ", text).strip()[:limit].strip()


def caller_name(raw: str) -> str:
    """Return the display name of a caller, empty where there is none."""
    name = clean_text(_QUOTED_PAIR.sub(r"\1", raw[: MAX_NAME * 8]) if "\\" in raw else raw, MAX_NAME)
    return "" if name.lower() in _NOBODY else name


def caller_number(raw: str, *, default_area: str | None = None) -> str:
    """Return E.164 where ``raw`` is a telephone number, ``anonymous``, or its cleaned text."""
    if raw.strip().lower() in _NOBODY:
        return ANONYMOUS
    phone = Phone.parse_caller(raw, default_area=default_area)
    if phone is not None:
        return phone.e164
    text = clean_text(raw, MAX_NUMBER)
    if _PLAIN_NUMBER.fullmatch(text):
        return text
    text = clean_text(unicodedata.normalize("NFKC", text), MAX_NUMBER)
    return text or ANONYMOUS
