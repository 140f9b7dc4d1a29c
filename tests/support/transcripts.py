"""Recorded AMI sessions of a real Asterisk (22.10), one file per story, as events with their times.

Recorded with ``timestampevents=yes``; answers to actions are left out when they are read.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from telephony.ami.codec import Decoder
from telephony.ami.message import AmiEvent
from telephony.domain.call import Call
from telephony.domain.call_book import CallBook
from telephony.domain.effects import Effect, Ended

FOLDER = Path(__file__).parent.parent / "data" / "ami"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.ami")))
_BANNER = b"Asterisk Call Manager/11.0.0\r\n"


def events(name: str) -> Iterator[tuple[AmiEvent, datetime]]:
    """Yield the events of a story with the times the PBX gave them."""
    at: datetime | None = None
    for message in Decoder().feed(_BANNER + (FOLDER / f"{name}.ami").read_bytes()):
        if not isinstance(message, AmiEvent) or message.tagged:
            continue
        stamp = message.get("timestamp")
        if stamp:
            at = datetime.fromtimestamp(float(stamp), UTC)
        if at is not None:
            yield message, at


def play(name: str, book: CallBook | None = None) -> tuple[CallBook, list[Effect]]:
    """Feed a story to a call book; return the book and everything that followed."""
    book = book or CallBook("pbx1")
    found: list[Effect] = []
    for event, at in events(name):
        found.extend(book.handle(event, now=at))
    return book, found


def ended_calls(effects: list[Effect]) -> list[Call]:
    """Return the calls that ended, in order."""
    return [effect.call for effect in effects if isinstance(effect, Ended)]
