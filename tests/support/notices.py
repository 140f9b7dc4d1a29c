"""Notices over a real database, with people and senders that a test holds in its hands."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.journal import Journal
from crm.notices.desk import OutgoingDesk
from crm.notices.domain import Channel, QuietHours, Rate, Scope, Target, targets_of
from crm.notices.facts import NoticeFacts
from crm.notices.messages import MessageQueue
from crm.notices.ports import Delivered, Message, MessageSender, Person, SendingFailed
from crm.notices.sending import MessageWorker, SendingRules
from crm.notices.service import NoticeBoard, Notices
from crm.notices.tables import NoticeAddress, OutgoingMessage
from kernel.access import Actor, Role
from kernel.audit import AuditLog
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database

ZONE = ZoneInfo("Asia/Shanghai")
NIGHT = QuietHours(time(21), time(8), ZONE)
FAST = Rate(per_minute=6000, burst=1000)


@dataclass
class FakePeople:
    """Who works here: user id → role and department."""

    staff: dict[str, tuple[Role, str | None]] = field(default_factory=dict)
    language: str = "zh-CN"

    async def find(self, session: AsyncSession, targets: Sequence[Target]) -> Sequence[Person]:
        wanted = {target.key for target in targets}
        return [
            Person(user_id, self.language)
            for user_id, (role, department) in self.staff.items()
            if wanted & set(targets_of(user_id, role, department))
        ]


@dataclass
class FakeSender:
    """Takes messages, or fails as told: ``outcomes`` in turn, then it works."""

    sent: list[Message] = field(default_factory=list)
    outcomes: list[SendingFailed] = field(default_factory=list)
    hold: asyncio.Event | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: Message) -> Delivered:
        self.sent.append(message)
        self.begun.set()
        if self.hold is not None:
            await self.hold.wait()
        if self.outcomes:
            raise self.outcomes.pop(0)
        return Delivered(f"ref-{len(self.sent)}")


class NoticeStage:
    """The services as the centre joins them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.clock = clock
        self.bus = Bus()
        self.people = FakePeople(
            {
                "u-agent": (Role.AGENT, None),
                "u-manager": (Role.MANAGER, None),
                "u-gm": (Role.GENERAL_MANAGER, None),
                "u-head": (Role.DEPARTMENT_HEAD, "ENG"),
                "u-member": (Role.DEPARTMENT_MEMBER, "ENG"),
                "u-design": (Role.DEPARTMENT_HEAD, "DES"),
                "u-admin": (Role.ADMINISTRATOR, None),
            }
        )
        self.do_not_call: set[str] = set()
        self.woken = 0
        self.queue = MessageQueue(clock, self.people, self.refuses, on_messages=self._wake)
        self.notices = Notices(clock, self.bus, self.queue)
        self.facts = NoticeFacts(self.notices, self.queue, clock)
        self.board = NoticeBoard(database, clock, self.bus)
        self.desk = OutgoingDesk(database, clock, Journal(AuditLog(database, clock)), on_messages=self._wake)
        self.sender = FakeSender()

    def _wake(self) -> None:
        self.woken += 1

    async def refuses(self, session: AsyncSession, phone: str, scope: Scope) -> bool:
        return scope is not Scope.CASE and phone in self.do_not_call

    def actor(self, user_id: str) -> Actor:
        role, department = self.people.staff[user_id]
        return Actor(user_id=user_id, name=user_id, role=role, department=department)

    async def address(
        self, user_id: str, channel: Channel, address: str, *, verified: bool = True, active: bool = True
    ) -> None:
        async with self.database.transaction() as session:
            session.add(
                NoticeAddress(
                    user_id=user_id,
                    channel=channel.value,
                    address=address,
                    verified=verified,
                    active=active,
                    changed_at=self.clock.now(),
                )
            )

    def worker(
        self,
        name: str = "w1",
        *,
        senders: Mapping[Channel, MessageSender] | None = None,
        rates: Mapping[Channel, Rate] | None = None,
        per_recipient: Rate = FAST,
        quiet: QuietHours = NIGHT,
        base_url: str = "https://cc.example.com",
    ) -> MessageWorker:
        return MessageWorker(
            self.database,
            self.clock,
            dict.fromkeys(Channel, self.sender) if senders is None else senders,
            SendingRules(
                zone=ZONE, quiet=quiet, rates=rates or {}, per_recipient=per_recipient, base_url=base_url
            ),
            self.refuses,
            worker=name,
            spread=lambda: 0.5,
        )

    async def messages(self) -> list[OutgoingMessage]:
        async with self.database.session() as session:
            query = select(OutgoingMessage).order_by(OutgoingMessage.created_at, OutgoingMessage.dedupe_key)
            return list((await session.scalars(query)).all())
