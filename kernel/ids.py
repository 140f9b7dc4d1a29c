"""Identifiers: ULIDs, 26 characters of Crockford base 32, sortable by time of birth."""

import re
from datetime import datetime

from ulid import ULID

ULID_PATTERN = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


def new_ulid() -> str:
    """Return a new ULID; unique across processes and machines."""
    return str(ULID())


def is_ulid(value: object) -> bool:
    """Tell whether ``value`` is a well-formed ULID string."""
    return isinstance(value, str) and ULID_PATTERN.fullmatch(value) is not None


def ulid_time(value: str) -> datetime:
    """Return the time of birth (aware UTC, milliseconds).

    Raises:
        ValueError: ``value`` is not a ULID.
    """
    return ULID.from_str(value).datetime
