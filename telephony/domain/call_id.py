"""Which call a channel says it belongs to."""

import hashlib
import re
from datetime import datetime

from ulid import ULID

from kernel.ids import is_ulid

_EPOCH_ID = re.compile(r"(?:[^-]+-)?(\d{9,11})\.\d{1,12}")


ATTEMPT = "att-"
"""How the id of a channel begins that the dialler placed; the call's id follows."""
STAFF = "-own"
"""How it ends where one of ours is rung first, on whatever telephone: the customer is called after that."""

ASKED = "ask-"
"""How the id of a channel begins that was made so that somebody can be asked in a call that goes on."""


def was_asked(uniqueid: str) -> bool:
    """Tell whether a channel was made to ask somebody."""
    return uniqueid.startswith(ASKED)


def attempted_call(uniqueid: str) -> str | None:
    """Return the call id that a dialled channel's own id holds, ``None`` for any other channel."""
    if not uniqueid.startswith(ATTEMPT):
        return None
    return named_call(uniqueid.removeprefix(ATTEMPT).removesuffix(STAFF))


def rings_staff(uniqueid: str) -> bool:
    """Tell whether a dialled channel rings one of ours, who is then connected with the customer."""
    return uniqueid.endswith(STAFF) and attempted_call(uniqueid) is not None


def named_call(value: str) -> str | None:
    """Return the call id a channel variable holds, ``None`` for anything that is not one."""
    value = value.strip().upper()
    return value if is_ulid(value) else None


def derived_call_id(node: str, uniqueid: str, *, now: datetime) -> str:
    """Return a call id for a channel that the dialplan gave none.

    It follows from the node and the channel alone (its uniqueid begins with the second of its birth), so
    that the same channel found again after a restart of ours is the same call.
    """
    found = _EPOCH_ID.fullmatch(uniqueid)
    millis = int(found.group(1)) * 1000 if found else int(now.timestamp() * 1000)
    digest = hashlib.sha256(f"{node}\0{uniqueid}".encode()).digest()
    return str(ULID.from_bytes(millis.to_bytes(6, "big") + digest[:10]))
