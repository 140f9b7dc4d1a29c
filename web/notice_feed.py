"""Tells people's pages of their notices: how many are unread, and the newest of them."""

import asyncio
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.exc import SQLAlchemyError

from crm.notices.domain import targets_of
from crm.notices.events import NoticesChanged
from crm.notices.rules import shipped
from crm.notices.service import MOST_COUNTED, NoticeBoard, NoticeView
from kernel.access import Actor
from kernel.bus import Bus, Lagged
from web.live_hub import LiveHub
from web.pop import iso

log = structlog.get_logger(__name__)

KIND = "notices"
EVENT = "notices"
NEWEST = 5
GATHER_SECONDS = 0.1
"""Changes come in handfuls; a page is told once of each."""
LOOK_AGAIN_SECONDS = 60.0
"""Notices also go by themselves, when they expire."""
EVERYBODY = "*"


@dataclass(frozen=True, slots=True)
class Reader:
    """A person with a page open, in a language."""

    actor: Actor
    language: str

    @property
    def topic(self) -> str:
        """The live topic that is theirs."""
        return f"{KIND}:{self.actor.user_id}:{self.language}"

    def is_meant(self, targets: set[str]) -> bool:
        """Tell whether a change concerns them."""
        actor = self.actor
        mine = targets_of(actor.user_id, actor.role, actor.department)
        return EVERYBODY in targets or not targets.isdisjoint(mine)


class NoticeFeed:
    """One task for everybody's bell."""

    def __init__(self, *, bus: Bus, hub: LiveHub, notices: NoticeBoard, zone: ZoneInfo) -> None:
        self._bus = bus
        self._hub = hub
        self._notices = notices
        self._zone = zone
        self._readers: dict[str, Reader] = {}
        self._payloads: dict[str, dict[str, Any]] = {}
        self._dirty: set[str] = set()
        self._wake = asyncio.Event()
        hub.provide(KIND, self.snapshot, latest_only=True, background=True)

    def snapshot(self, topic: str) -> list[tuple[str, object]]:
        """Return the event that draws the bell; :meth:`prepare` has read it."""
        payload = self._payloads.get(topic)
        return [(EVENT, payload)] if payload is not None else []

    async def prepare(self, reader: Reader) -> str:
        """Read what a page is to be told first; return the topic. Open the connection right after it."""
        await self._read(reader)
        self._readers[reader.topic] = reader
        return reader.topic

    async def run(self) -> None:
        """Tell until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._collect())
            group.create_task(self._tell())

    async def _collect(self) -> None:
        async with self._bus.subscribe(NoticesChanged, name="notice_feed", maxsize=200) as changes:
            while True:
                item = await changes.get()
                if isinstance(item, Lagged):
                    self._dirty.add(EVERYBODY)
                elif isinstance(item, NoticesChanged):
                    self._dirty.update(item.targets)
                self._wake.set()

    async def _tell(self) -> None:
        while True:
            try:
                async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                self._dirty.add(EVERYBODY)
            await asyncio.sleep(GATHER_SECONDS)
            self._wake.clear()
            targets, self._dirty = self._dirty, set()
            for topic, reader in tuple(self._readers.items()):
                if not self._hub.has_readers(topic):
                    self._readers.pop(topic, None)
                    self._payloads.pop(topic, None)
                elif reader.is_meant(targets):
                    await self._read_again(reader, targets)

    async def _read_again(self, reader: Reader, targets: set[str]) -> None:
        try:
            await self._read(reader)
        except (SQLAlchemyError, OSError) as error:
            log.warning("notices_not_read", error=type(error).__name__)
            self._dirty |= targets
            await asyncio.sleep(1)
            self._wake.set()

    async def _read(self, reader: Reader) -> None:
        unread = await self._notices.unread(reader.actor)
        page = await self._notices.page(reader.actor, which="unread", limit=NEWEST)
        payload = {
            "unread": unread,
            "more": unread >= MOST_COUNTED,
            "newest": [notice_payload(item, reader.language, self._zone) for item in page.items],
        }
        if self._payloads.get(reader.topic) != payload:
            self._payloads[reader.topic] = payload
            # Also while nobody reads it: who comes back with an old id is told what is new by this.
            self._hub.publish(reader.topic, EVENT, payload)


def notice_payload(item: NoticeView, language: str, zone: ZoneInfo) -> dict[str, Any]:
    """Return a notice in words, for a page."""
    return {
        "notice_id": item.notice_id,
        "title": shipped().title(item.code, item.parameters, language, zone),
        "text": shipped().text(item.code, item.parameters, language, zone),
        "severity": item.severity.value,
        "link": item.link,
        "created_at": iso(item.created_at),
    }
