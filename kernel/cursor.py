"""Marks of a place in a list that is ordered by time and id; pages are linked by them."""

import base64
import binascii
from datetime import datetime

from kernel.errors import Invalid
from kernel.ids import is_ulid

_LONGEST = 200


def write_cursor(at: datetime, key: str) -> str:
    """Return the mark of the row with this time and ULID."""
    return base64.urlsafe_b64encode(f"{at.isoformat()} {key}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[datetime, str]:
    """Return the place that a cursor marks.

    Raises:
        Invalid: it is not one of ours.
    """
    text = cursor[:_LONGEST]
    try:
        padded = text + "=" * (-len(text) % 4)
        at, _, key = base64.urlsafe_b64decode(padded.encode()).decode().partition(" ")
        moment = datetime.fromisoformat(at)
    except (binascii.Error, ValueError) as error:
        raise Invalid("this cursor is not one of ours; begin with the first page", field="cursor") from error
    if moment.tzinfo is None or not is_ulid(key):
        raise Invalid("this cursor is not one of ours; begin with the first page", field="cursor")
    return moment, key
