"""Deletes what is not to be kept any more (domain.md §6.4).

Each record's class and end follow from what is known of it now (:mod:`crm.domain.retention`): nothing is
written into it beforehand, so a warranty that is corrected moves the end as well. What was taken out is noted
in ``erasure`` and, in numbers, in the journal.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from crm.complaint_tables import ComplaintCall
from crm.domain.project import Stage
from crm.domain.retention import Kept, Policy, RetentionClass, class_of, ends_on
from crm.office import Office
from crm.people_tables import ConsentRow, StageEventRow
from crm.personal_places import PERSONAL
from crm.retention_ports import Callbacks, CallShelf, Ended, Held, Logs, Messages
from crm.retention_tables import MAJOR_HELD, ErasureRow, LegalHoldRow
from crm.retention_texts import erase_call_notes, erase_cases, erase_consents
from crm.tables import Project, ServiceCase
from kernel.access import Actor
from kernel.personal import Personal, Record

BATCH = 200
KINDS = ("case", "consent", "callback", "call")
SOONEST = timedelta(days=30)
"""Nothing younger is looked at: no class is shorter."""


class Retention:
    """Finds what has ended and deletes it.

    Args:
        calls, callbacks, messages, logs: ``None`` where this process knows of none.
        personal: every place that holds something of people; of this package alone by default.
    """

    def __init__(
        self,
        office: Office,
        policy: Policy,
        *,
        calls: CallShelf | None = None,
        callbacks: Callbacks | None = None,
        messages: Messages | None = None,
        logs: Logs | None = None,
        personal: Personal = PERSONAL,
    ) -> None:
        self._office = office
        self._policy = policy
        self.calls, self.callbacks, self.personal = calls, callbacks, personal
        self.messages, self.logs = messages, logs

    async def due(self, *, most: int = 100_000) -> tuple[Ended, ...]:
        """Return what has ended and is not deleted yet: what a dry run shows."""
        found: list[Ended] = []
        async with self._office.database.session() as session:
            for kind in KINDS:
                after = ""
                while len(found) < most:
                    ended, after = await self._look(session, kind, after)
                    found += ended
                    if not after:
                        break
        return tuple(found[:most])

    async def run_once(self) -> Counter[tuple[str, str]]:
        """Delete what has ended; return how many of each kind and class."""
        gone: Counter[tuple[str, str]] = Counter()
        for kind in KINDS:
            after: str | None = ""
            while after is not None:
                async with self._office.database.transaction() as session:
                    ended, following = await self._look(session, kind, after)
                    if ended:
                        await self._erase(session, kind, ended)
                        gone.update((kind, one.retention_class.value) for one in ended)
                after = following or None
        return gone

    async def customer_until(self, session: AsyncSession, customer_id: str) -> date | None:
        """Return until when a customer's contracts and cases are to be kept, ``None`` when nothing is.

        Of what has no end yet, such as a home in work, it is the longest that the classes know.
        """
        today = self._office.today()
        mine = Project.customer_id == customer_id
        homes = await self._homes_by_id(
            session, (await session.scalars(select(Project.id).where(mine))).all()
        )
        cases = (
            await session.scalars(select(ServiceCase.id).where(ServiceCase.customer_id == customer_id))
        ).all()
        records = [home.of(today, closed=home.delivered or today, is_case=True) for home in homes.values()]
        records += (await self._cases(session, cases)).values()
        rule = self._policy[RetentionClass.CASE]
        longest = rule.keep.after(rule.cap.after(today))
        ends = [ends_on(record, self._policy) or longest for record in records]
        last = max(ends, default=None)
        return last if last is not None and last >= today else None

    async def holds_of(self, session: AsyncSession, customers: Sequence[str]) -> tuple[Held, ...]:
        """Return the cases for which everything of these customers is kept, whatever they ask for."""
        hold, case, any_hold = LegalHoldRow, ServiceCase, aliased(LegalHoldRow)
        anybody_said = exists().where(any_hold.case_id == case.id)
        query = (
            select(case.customer_id, case.id, case.no, hold.reason)
            .outerjoin(hold, hold.open_key == case.id)
            .where(case.customer_id.in_(customers), or_(hold.id.is_not(None), case.major & ~anybody_said))
            .order_by(case.no)
        )
        return tuple(
            Held(customer_id=owner or "", case_id=case_id, no=no, reason=reason or MAJOR_HELD)
            for owner, case_id, no, reason in await session.execute(query)
        )

    async def _look(self, session: AsyncSession, kind: str, after: str) -> tuple[list[Ended], str]:
        """Return what has ended in the next batch, and where to go on; "" at the end."""
        before = self._office.now() - SOONEST
        if kind == "call":
            return await self._look_at_calls(session, before, after)
        if kind == "callback":
            return await self._look_at_callbacks(session, before, after)
        records: dict[str, Kept] = {}
        if kind == "case":
            query = (
                select(ServiceCase.id)
                .where(
                    ServiceCase.id > after, ServiceCase.closed_at < before, ~_erased("case", ServiceCase.id)
                )
                .order_by(ServiceCase.id)
                .limit(BATCH)
            )
            ids = (await session.scalars(query)).all()
            records = await self._cases(session, ids)
        else:
            consents = (
                select(ConsentRow)
                .where(
                    ConsentRow.id > after,
                    ConsentRow.withdrawn_at < before,
                    ~_erased("consent", ConsentRow.id),
                )
                .order_by(ConsentRow.id)
                .limit(BATCH)
            )
            rows = (await session.scalars(consents)).all()
            ids = [row.id for row in rows]
            homes = await self._homes(session, [row.customer_id for row in rows])
            for row in rows:
                withdrawn = self._day(row.withdrawn_at or row.given_at)
                home = homes.get(row.customer_id, _NO_HOME)
                records[row.id] = home.of(self._day(row.given_at), closed=withdrawn, is_case=True)
        return self._ended(kind, records), ids[-1] if len(ids) == BATCH else ""

    async def _look_at_calls(
        self, session: AsyncSession, before: datetime, after: str
    ) -> tuple[list[Ended], str]:
        if self.calls is None:
            return [], ""
        rows = await self.calls.older(session, before, after, BATCH)
        ids = [call_id for call_id, _, _ in rows]
        of_cases = await _cases_of_calls(session, ids)
        if self.callbacks is not None:
            of_cases |= await self.callbacks.cases(session, ids)
        cases = await self._cases(session, sorted(set(of_cases.values())))
        asked = await self.callbacks.projects(session, ids) if self.callbacks is not None else {}
        homes = await self._homes_by_id(session, [one for one in asked.values() if one])
        records: dict[str, Kept] = {}
        for call_id, _, at in rows:
            if call_id in of_cases:
                records[call_id] = cases[of_cases[call_id]]
            elif call_id in asked:
                home = homes.get(asked[call_id] or "", _NO_HOME)
                records[call_id] = home.of(self._day(at), is_callback=True)
            else:
                records[call_id] = Kept(begun=self._day(at))
        return self._ended("call", records), ids[-1] if len(ids) == BATCH else ""

    async def _look_at_callbacks(
        self, session: AsyncSession, before: datetime, after: str
    ) -> tuple[list[Ended], str]:
        if self.callbacks is None:
            return [], ""
        tasks = await self.callbacks.older(session, before, after, BATCH)
        cases = await self._cases(session, sorted({one.case_id for one in tasks if one.case_id}))
        homes = await self._homes_by_id(session, [one.project_id for one in tasks if one.project_id])
        records = {
            one.task_id: cases.get(one.case_id or "")
            or homes.get(one.project_id or "", _NO_HOME).of(self._day(one.at), is_callback=True)
            for one in tasks
        }
        known = select(ErasureRow.ref_id).where(
            ErasureRow.kind == "callback", ErasureRow.ref_id.in_(list(records))
        )
        for task_id in await session.scalars(known):
            del records[task_id]
        return self._ended("callback", records), tasks[-1].task_id if len(tasks) == BATCH else ""

    def _ended(self, kind: str, records: Mapping[str, Kept]) -> list[Ended]:
        today, found = self._office.today(), []
        for ref_id, record in records.items():
            end = ends_on(record, self._policy)
            if end is not None and end < today:
                found.append(Ended(kind=kind, ref_id=ref_id, retention_class=class_of(record), ended_on=end))
        return found

    async def _erase(self, session: AsyncSession, kind: str, ended: Sequence[Ended]) -> None:
        ids, index = [one.ref_id for one in ended], self._office.search.index
        if kind == "case":
            await erase_cases(session, ids, index, self.personal)
        elif kind == "consent":
            await erase_consents(session, ids, self.personal)
        elif kind == "callback":
            await self.erase_callbacks(session, ids)
        elif self.calls is not None:
            if self.messages is not None:
                await self.messages.drop(session, calls=ids)
            await erase_call_notes(session, ids, index, self.personal)
            await self.calls.erase(session, ids)
        now = self._office.now()
        session.add_all(
            ErasureRow(
                kind=kind,
                ref_id=one.ref_id,
                retention_class=one.retention_class.value,
                ended_on=one.ended_on,
                at=now,
            )
            for one in ended
        )
        await session.flush()
        classes = Counter(one.retention_class.value for one in ended)
        await self._office.journal.note(
            session,
            Actor.system("retention"),
            "retention_ended",
            entity=kind,
            entity_id=ids[0],
            after={"records": len(ids), **classes},
        )

    async def callbacks_of(self, session: AsyncSession, call_ids: Sequence[str]) -> Collection[str]:
        """Return those of the calls that we made about something: they have an end of their own."""
        if self.callbacks is None:
            return ()
        asked = await self.callbacks.projects(session, call_ids)
        return {*asked, *await self.callbacks.cases(session, call_ids)}

    async def erase_callbacks(self, session: AsyncSession, task_ids: Sequence[str]) -> None:
        """Delete what was said in callbacks; what was chosen stays as figures.

        Recordings go first: were they left behind by a crash, nothing would name them any more.
        """
        if self.callbacks is not None:
            await self.callbacks.drop_recordings(session, task_ids)
        await self.personal.empty(session, Record.CALLBACK, task_ids)

    async def _cases(self, session: AsyncSession, ids: Sequence[str]) -> dict[str, Kept]:
        rows = (await session.scalars(select(ServiceCase).where(ServiceCase.id.in_(ids)))).all()
        homes = await self._homes_by_id(session, [row.project_id for row in rows if row.project_id])
        said = select(LegalHoldRow.case_id, func.count(LegalHoldRow.open_key)).where(
            LegalHoldRow.case_id.in_(ids)
        )
        held = {
            case_id: open_ > 0
            for case_id, open_ in (await session.execute(said.group_by(LegalHoldRow.case_id))).all()
        }
        return {
            row.id: homes.get(row.project_id or "", _NO_HOME).of(
                self._day(row.opened_at),
                closed=self._day(row.closed_at) if row.closed_at else None,
                is_case=True,
                major=row.major,
                held=held.get(row.id),
            )
            for row in rows
        }

    async def _homes(self, session: AsyncSession, customers: Sequence[str]) -> dict[str, "_Home"]:
        """Return the home of each customer whose warranty lasts longest."""
        rows = (await session.scalars(select(Project).where(Project.customer_id.in_(customers)))).all()
        homes = await self._homes_by_id(session, [row.id for row in rows])
        found: dict[str, _Home] = {}
        for row in rows:
            best = found.get(row.customer_id)
            if best is None or homes[row.id].rank > best.rank:
                found[row.customer_id] = homes[row.id]
        return found

    async def _homes_by_id(self, session: AsyncSession, ids: Sequence[str]) -> dict[str, "_Home"]:
        delivered = select(StageEventRow.project_id, func.max(StageEventRow.happened_on)).where(
            StageEventRow.project_id.in_(ids),
            StageEventRow.stage == int(Stage.DELIVERED),
            StageEventRow.voided_at.is_(None),
        )
        by_home = delivered.group_by(StageEventRow.project_id)
        days: dict[str, date] = {row[0]: row[1] for row in await session.execute(by_home)}
        rows = await session.scalars(select(Project).where(Project.id.in_(ids)))
        return {
            row.id: _Home(
                delivered=days.get(row.id) or row.finished_on,
                running=0 < row.stage < Stage.DELIVERED or row.stage == Stage.SUSPENDED,
                warranty_end=row.warranty_until,
                cancelled=self._day(row.cancelled_at) if row.cancelled_at else None,
            )
            for row in rows
        }

    def _day(self, at: datetime) -> date:
        return at.astimezone(self._office.zone).date()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Home:
    """What a record's end depends on of its project."""

    delivered: date | None = None
    running: bool = False
    warranty_end: date | None = None
    cancelled: date | None = None

    @property
    def rank(self) -> tuple[bool, date]:
        return self.running, self.warranty_end or self.delivered or date.min

    def of(
        self,
        begun: date,
        *,
        closed: date | None = None,
        is_case: bool = False,
        is_callback: bool = False,
        major: bool = False,
        held: bool | None = None,
    ) -> Kept:
        """Return what is known of a record of this home."""
        return Kept(
            begun=begun,
            closed=closed,
            is_case=is_case,
            is_callback=is_callback,
            major=major,
            held=held,
            delivered=self.delivered,
            running=self.running,
            warranty_end=self.warranty_end,
            cancelled=self.cancelled,
        )


_NO_HOME = _Home()


def _erased(kind: str, ref_id: Any) -> ColumnElement[bool]:
    return exists().where(ErasureRow.kind == kind, ErasureRow.ref_id == ref_id)


async def _cases_of_calls(session: AsyncSession, call_ids: Sequence[str]) -> dict[str, str]:
    """Return the case of each call that belongs to one."""
    noted = select(ComplaintCall.call_id, ComplaintCall.case_id).where(ComplaintCall.call_id.in_(call_ids))
    opened = select(ServiceCase.call_id, ServiceCase.id).where(ServiceCase.call_id.in_(call_ids))
    found: dict[str, str] = {}
    for query in (noted, opened):
        found |= {call_id: case_id for call_id, case_id in (await session.execute(query)).all() if call_id}
    return found
