"""Work lists that are sorted by urgency: all of a list is read, and shown a page at a time."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar
from urllib.parse import urlencode

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

READ = 200
MOST = 2000
"""Nobody works through more; what is read at once must have an end."""
PAGE = 200


class Page(Protocol[T_co]):
    """A page of a list, and where the next one begins."""

    @property
    def items(self) -> Sequence[T_co]:
        """What is on it."""
        ...

    @property
    def next_cursor(self) -> str | None:
        """Leads on; ``None`` at the end."""
        ...


async def gather(read: Callable[[str | None], Awaitable[Page[T]]]) -> list[T]:
    """Return all of a list, page after page."""
    found: list[T] = []
    cursor: str | None = None
    while True:
        page = await read(cursor)
        found += page.items
        cursor = page.next_cursor
        if cursor is None or len(found) >= MOST:
            return found


@dataclass(frozen=True, slots=True)
class Shown:
    """Where in a sorted list the page is; ``more`` and ``first`` lead on and back."""

    begin: int
    end: int
    more: str
    first: str


def shown(path: str, query: Mapping[str, str], total: int) -> Shown:
    """Return what of a list of ``total`` is shown for the query's ``from``."""
    raw = query.get("from", "")
    begin = int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 6 else 0
    kept = {name: value for name, value in query.items() if name in {"district", "mine"} and value}
    end = begin + PAGE
    return Shown(
        begin=begin,
        end=end,
        more=f"{path}?{urlencode({**kept, 'from': end})}" if end < total else "",
        first=(f"{path}?{urlencode(kept)}" if kept else path) if begin else "",
    )
