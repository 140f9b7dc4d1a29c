"""Who works here and in which queues: the lists that an administrator keeps."""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Invalid, NotFound
from kernel.ids import new_ulid
from telephony.agent_events import RosterChanged
from telephony.agent_seeds import DISPOSITIONS, PAUSE_REASONS, is_code
from telephony.agent_tables import (
    AgentRow,
    AgentSessionRow,
    AgentStateLogRow,
    DispositionRow,
    PauseReasonRow,
    QueueMemberRow,
    QueueRow,
)
from telephony.agent_views import AgentBrief, PauseChoice
from telephony.domain.agent_state import AgentState
from telephony.domain.queue import QueueSettings

NUMBER = re.compile(r"[0-9]{3,6}")
"""As the call model knows an agent's telephone by its name."""
QUEUE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
MAX_NAME = 40
MAX_PENALTY = 100
LONGEST_PAUSE = 12 * 3600


class QueuesChanged(Conflict):
    """The agent's queues are not those that whoever acts has seen."""

    code = "agent_queues_changed"


class QueueChanged(Conflict):
    """The queue is not as whoever changes it has seen it, or its name is taken."""

    code = "queue_changed"


class Roster:
    """Agents, queues, memberships and pause reasons; dispositions: :mod:`telephony.dispositions`.

    A change of an agent's queues reaches Asterisk at once, also while the agent is signed in.
    """

    def __init__(self, database: Database, clock: Clock, bus: Bus) -> None:
        self._database = database
        self._clock = clock
        self._bus = bus

    async def seed_codes(self) -> None:
        """Add the standard pause reasons and dispositions that are missing; existing ones stay as edited."""
        async with self._database.transaction() as session:
            for position, reason in enumerate(PAUSE_REASONS):
                if await session.get(PauseReasonRow, reason.code) is None:
                    session.add(
                        PauseReasonRow(
                            code=reason.code,
                            label_zh=reason.label_zh,
                            label_en=reason.label_en,
                            selectable=reason.selectable,
                            position=position,
                        )
                    )
            for position, item in enumerate(DISPOSITIONS):
                if await session.get(DispositionRow, item.code) is None:
                    session.add(
                        DispositionRow(
                            code=item.code,
                            label_zh=item.label_zh,
                            label_en=item.label_en,
                            needs=sorted(item.needs),
                            position=position,
                        )
                    )

    async def put_agent(self, *, number: str, name: str, sip_password: str) -> str:
        """Add the agent with this number, or change their name and password; return the agent's id.

        Raises:
            Invalid: number, name or password are not usable.
        """
        if NUMBER.fullmatch(number) is None:
            raise Invalid("an agent's number has 3 to 6 digits", field="number")
        name = " ".join(name.split())
        if not 0 < len(name) <= MAX_NAME or not name.isprintable():
            raise Invalid(f"a name has 1 to {MAX_NAME} characters", field="name")
        if not 8 <= len(sip_password) <= 64 or not sip_password.isascii() or not sip_password.isalnum():
            raise Invalid("a SIP password has 8 to 64 letters and digits", field="sip_password")
        async with self._database.transaction() as session:
            found = await session.execute(select(AgentRow).where(AgentRow.number == number))
            row = found.scalar_one_or_none()
            if row is None:
                row = AgentRow(agent_id=new_ulid(), number=number, created_at=self._clock.now())
                session.add(row)
            row.name, row.sip_password, row.active = name, sip_password, True
            agent_id = row.agent_id
            await self._touch(session, agent_id)
        self._tell(agent_id)
        return agent_id

    async def retire_agent(self, agent_id: str) -> None:
        """Take an agent off every list; their past stays. They leave their queues at once.

        Raises:
            NotFound: no such agent.
        """
        async with self._database.transaction() as session:
            row = await session.get(AgentRow, agent_id)
            if row is None:
                raise NotFound("no such agent", field="agent_id")
            row.active = False
            now = self._clock.now()
            await session.execute(
                update(AgentSessionRow)
                .where(AgentSessionRow.agent_id == agent_id)
                .values(
                    signed_in=False,
                    leaving=False,
                    legs=[],
                    wrap_up_call_id=None,
                    wrap_up_until=None,
                    state=AgentState.SIGNED_OUT.value,
                    reason=None,
                    call_id=None,
                    queue=None,
                    next_state=None,
                    since=now,
                )
            )
            await session.execute(
                update(AgentStateLogRow)
                .where(AgentStateLogRow.agent_id == agent_id, AgentStateLogRow.ended_at.is_(None))
                .values(ended_at=now)
            )
            await self._touch(session, agent_id)
        self._tell(agent_id)

    async def put_queue(
        self,
        settings: QueueSettings,
        *,
        new: bool = False,
        before: QueueSettings | None = None,
        then: Callable[[AsyncSession], Awaitable[None]] | None = None,
    ) -> None:
        """Add a queue or change its settings; an Asterisk whose files are in reach follows by itself.

        Args:
            new: there must be none of this name, nor have been.
            before: as it must be; else somebody changed it meanwhile.
            then: called in the transaction.

        Raises:
            Invalid: the name or a time is not usable.
            QueueChanged: it is not as ``new`` or ``before`` say.
        """
        if QUEUE_NAME.fullmatch(settings.name) is None:
            raise Invalid("a queue's name has small letters, digits, - and _", field="name")
        if min(settings.ring_timeout, settings.answer_within) < timedelta(seconds=1):
            raise Invalid("ring and service level times are at least one second", field="ring_timeout")
        if min(settings.wrap_up, settings.max_wait, settings.retry) < timedelta(0):
            raise Invalid("times are not negative", field="wrap_up")
        async with self._database.transaction() as session:
            row = await session.get(QueueRow, settings.name, with_for_update=True)
            other = before is not None and (row is None or _settings(row) != before)
            if other or (new and row is not None):
                raise QueueChanged("somebody changed this queue meanwhile", field="name")
            if row is None:
                row = QueueRow(name=settings.name)
                session.add(row)
            row.label_zh, row.label_en = settings.label_zh, settings.label_en
            row.strategy, row.weight, row.position = settings.strategy, settings.weight, settings.position
            row.ring_timeout_seconds = int(settings.ring_timeout.total_seconds())
            row.retry_seconds = int(settings.retry.total_seconds())
            row.wrap_up_seconds = int(settings.wrap_up.total_seconds())
            row.max_wait_seconds = int(settings.max_wait.total_seconds())
            row.answer_within_seconds = int(settings.answer_within.total_seconds())
            row.active, row.live_text, row.rating = True, settings.live_text, settings.rating
            if then is not None:
                await session.flush()
                await then(session)
        self._tell()

    async def retire_queue(
        self, name: str, *, then: Callable[[AsyncSession], Awaitable[None]] | None = None
    ) -> None:
        """Take a queue out of use: nobody works in it any more; its calls and figures stay, and its name.

        Args:
            then: called in the transaction.

        Raises:
            NotFound: no such queue in use.
        """
        async with self._database.transaction() as session:
            row = await session.get(QueueRow, name, with_for_update=True)
            if row is None or not row.active:
                raise NotFound("no such queue", field="name")
            row.active = False
            members = list(
                await session.scalars(select(QueueMemberRow.agent_id).where(QueueMemberRow.queue == name))
            )
            await session.execute(delete(QueueMemberRow).where(QueueMemberRow.queue == name))
            for agent_id in members:
                await self._touch(session, agent_id)
            if then is not None:
                await session.flush()
                await then(session)
        self._tell(*members)
        self._tell()

    async def retired_queues(self) -> list[QueueSettings]:
        """Return the queues that are out of use, by name."""
        query = select(QueueRow).where(~QueueRow.active).order_by(QueueRow.name)
        async with self._database.session() as session:
            rows = (await session.execute(query)).scalars().all()
        return [_settings(row) for row in rows]

    async def set_memberships(
        self,
        agent_id: str,
        penalties: Mapping[str, int],
        *,
        before: Mapping[str, int] | None = None,
        then: Callable[[AsyncSession, Mapping[str, int]], Awaitable[None]] | None = None,
    ) -> None:
        """Make these the agent's queues (queue name → penalty), and no others.

        Args:
            before: as they must be; else somebody changed them meanwhile.
            then: called in the transaction, with what they were.

        Raises:
            NotFound: no such agent or queue.
            Invalid: a penalty is out of range.
            QueuesChanged: they are not as ``before`` says.
        """
        for penalty in penalties.values():
            if not 0 <= penalty <= MAX_PENALTY:
                raise Invalid(f"a penalty is 0 to {MAX_PENALTY}", field="penalty")
        async with self._database.transaction() as session:
            if await session.get(AgentRow, agent_id, with_for_update=True) is None:
                raise NotFound("no such agent", field="agent_id")
            for queue in penalties:
                row = await session.get(QueueRow, queue)
                if row is None or not row.active:
                    raise NotFound(f"no queue {queue[:32]}", field="queue")
            members = await session.scalars(select(QueueMemberRow).where(QueueMemberRow.agent_id == agent_id))
            was = {row.queue: row.penalty for row in members}
            if before is not None and was != dict(before):
                raise QueuesChanged("somebody has changed the agent's queues: look again", field="before")
            await session.execute(delete(QueueMemberRow).where(QueueMemberRow.agent_id == agent_id))
            for queue, penalty in penalties.items():
                session.add(QueueMemberRow(queue=queue, agent_id=agent_id, penalty=penalty))
            await self._touch(session, agent_id)
            if then is not None:
                await session.flush()
                await then(session, was)
        self._tell(agent_id)

    async def _touch(self, session: AsyncSession, agent_id: str) -> None:
        """Make the plan of the agent newer than what the PBX was told."""
        await session.execute(
            update(AgentSessionRow)
            .where(AgentSessionRow.agent_id == agent_id)
            .values(version=AgentSessionRow.version + 1)
        )

    def _tell(self, *agent_ids: str) -> None:
        self._bus.publish(RosterChanged(at=self._clock.now(), agent_ids=agent_ids))

    async def agents(self) -> list[AgentBrief]:
        """Return the active agents with their SIP passwords, by number."""
        query = select(AgentRow).where(AgentRow.active).order_by(AgentRow.number)
        async with self._database.session() as session:
            rows = (await session.execute(query)).scalars().all()
        return [_brief(row) for row in rows]

    async def agent(self, agent_id: str) -> AgentBrief:
        """Return an active agent. Raises NotFound."""
        async with self._database.session() as session:
            row = await session.get(AgentRow, agent_id)
        if row is None or not row.active:
            raise NotFound("no such agent", field="agent_id")
        return _brief(row)

    async def choose_phone(self, agent_id: str, *, browser: bool) -> None:
        """Let an agent telephone in their page, or with their SIP telephone. Raises NotFound."""
        async with self._database.transaction() as session:
            row = await session.get(AgentRow, agent_id)
            if row is None or not row.active:
                raise NotFound("no such agent", field="agent_id")
            row.browser_phone = browser
        self._tell(agent_id)

    async def queues(self) -> list[QueueSettings]:
        """Return the active queues in their order."""
        query = select(QueueRow).where(QueueRow.active).order_by(QueueRow.position, QueueRow.name)
        async with self._database.session() as session:
            rows = (await session.execute(query)).scalars().all()
        return [_settings(row) for row in rows]

    async def pause_reasons(self, *, all_of_them: bool = False) -> list[PauseChoice]:
        """Return the reasons a person may pick, in their order; or, for showing, all."""
        query = select(PauseReasonRow).order_by(PauseReasonRow.position, PauseReasonRow.code)
        if not all_of_them:
            query = query.where(PauseReasonRow.active, PauseReasonRow.selectable)
        async with self._database.session() as session:
            rows = (await session.execute(query)).scalars().all()
        return [
            PauseChoice(
                code=row.code,
                label_zh=row.label_zh,
                label_en=row.label_en,
                limit_seconds=row.limit_seconds,
                ends_itself=row.ends_itself,
                selectable=row.selectable,
            )
            for row in rows
        ]

    async def limit_pause(
        self,
        code: str,
        *,
        limit_seconds: int | None,
        ends_itself: bool,
        then: Callable[[AsyncSession], Awaitable[None]] | None = None,
    ) -> None:
        """Say how long a pause for a reason may last (``None``: for ever), and whether it then ends.

        Raises:
            NotFound: no such reason.
            Invalid: no such time, or a break that ends by itself without one.
        """
        check_pause_limit(limit_seconds, ends_itself=ends_itself)
        async with self._database.transaction() as session:
            row = await session.get(PauseReasonRow, code) if is_code(code) else None
            if row is None or not row.selectable:
                raise NotFound("no such pause reason", field="code")
            row.limit_seconds, row.ends_itself, row.version = limit_seconds, ends_itself, row.version + 1
            if then is not None:
                await session.flush()
                await then(session)
        self._tell()


def check_pause_limit(limit_seconds: int | None, *, ends_itself: bool) -> None:
    """Raise Invalid for a time no break can have, or one that ends by itself without any."""
    if limit_seconds is not None and not 60 <= limit_seconds <= LONGEST_PAUSE:
        raise Invalid(f"a limit is 60 to {LONGEST_PAUSE} seconds, or none", field="limit_seconds")
    if ends_itself and limit_seconds is None:
        raise Invalid("a break that ends by itself needs a limit", field="limit_seconds")


def _settings(row: QueueRow) -> QueueSettings:
    return QueueSettings(
        name=row.name,
        label_zh=row.label_zh,
        label_en=row.label_en,
        strategy=row.strategy,
        ring_timeout=timedelta(seconds=row.ring_timeout_seconds),
        retry=timedelta(seconds=row.retry_seconds),
        wrap_up=timedelta(seconds=row.wrap_up_seconds),
        max_wait=timedelta(seconds=row.max_wait_seconds),
        answer_within=timedelta(seconds=row.answer_within_seconds),
        weight=row.weight,
        position=row.position,
        live_text=row.live_text,
        rating=row.rating,
    )


def _brief(row: AgentRow) -> AgentBrief:
    return AgentBrief(
        agent_id=row.agent_id,
        number=row.number,
        name=row.name,
        sip_password=row.sip_password,
        browser_phone=row.browser_phone,
    )
