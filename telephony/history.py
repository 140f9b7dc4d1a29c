"""The calls that are stored: pages with filters, one call with its time line."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, cast, exists, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.cursor import read_cursor, write_cursor
from kernel.db import Database
from kernel.errors import Invalid, NotFound
from kernel.ids import is_ulid
from kernel.phone import Phone
from telephony.call_quality import qualities_of
from telephony.call_ratings import rating_of
from telephony.recording_pauses import PauseEnd, PauseView, PauseWhy, pauses_of
from telephony.tables import CallEventRow, CallLegRow, CallRow
from telephony.views import CallFilter, CallView, LegView, Page, TimelineEntry

MAX_PAGE = 500
_MAX_HOPS = 8


class CallNotFound(NotFound):
    """There is no such call."""

    code = "call_not_found"


class CallHistory:
    """Reads calls; a consultation that became part of a call is shown as that call."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, filters: CallFilter | None = None, *, cursor: str | None = None, limit: int = 50
    ) -> Page[CallView]:
        """Return one page, newest first, with legs and without time lines.

        Raises:
            Invalid: the cursor is not one of ours, or the limit is not in 1…500.
        """
        if not 1 <= limit <= MAX_PAGE:
            raise Invalid(f"limit must be 1 to {MAX_PAGE}", field="limit")
        query = select(CallRow).where(*_conditions(filters or CallFilter()))
        if cursor is not None:
            query = query.where(tuple_(CallRow.started_at, CallRow.call_id) < read_cursor(cursor))
        query = query.order_by(CallRow.started_at.desc(), CallRow.call_id.desc()).limit(limit + 1)
        async with self._database.session() as session:
            rows = (await session.execute(query)).scalars().all()
            more = len(rows) > limit
            rows = rows[:limit]
            legs = await _legs(session, [row.call_id for row in rows])
        return Page(
            items=tuple(_view(row, legs[row.call_id]) for row in rows),
            next_cursor=write_cursor(rows[-1].started_at, rows[-1].call_id) if more else None,
        )

    async def get(self, call_id: str) -> CallView:
        """Return one call with legs and time line.

        Raises:
            CallNotFound: there is none of that id.
        """
        if not is_ulid(call_id):
            raise CallNotFound("no such call", field="call_id")
        async with self._database.session() as session:
            row = await _follow(session, call_id)
            legs = await _legs(session, [row.call_id])
            events = await session.execute(
                select(CallEventRow).where(CallEventRow.call_id == row.call_id).order_by(CallEventRow.seq)
            )
            pauses = await pauses_of(session, row.call_id)
            call = _view(row, legs[row.call_id], events.scalars().all())
            quality, rating = await qualities_of(session, row.call_id), await rating_of(session, row.call_id)
            call = replace(call, quality=quality, rating=rating)
            return _with_pauses(call, pauses)

    async def many(self, call_ids: Sequence[str]) -> dict[str, CallView]:
        """Return those of the calls that are there, with legs and without time lines."""
        async with self._database.session() as session:
            found = select(CallRow).where(CallRow.call_id.in_(call_ids), CallRow.merged_into.is_(None))
            rows = (await session.scalars(found)).all()
            legs = await _legs(session, [row.call_id for row in rows])
        return {row.call_id: _view(row, legs[row.call_id]) for row in rows}


def _with_pauses(call: CallView, pauses: Sequence[PauseView]) -> CallView:
    """Return a call whose time line shows when its recording was paused, by whom and why."""
    if not pauses:
        return call
    found = list(call.timeline)
    for pause in pauses:
        found.append(_pause_entry("recording_paused", pause.began_at, pause.by, pause.why.value))
        if pause.ended_at is not None and pause.ended_why is not None:
            found.append(
                _pause_entry("recording_resumed", pause.ended_at, pause.ended_by or "", pause.ended_why.value)
            )
    found.sort(key=lambda entry: entry.at)
    numbered = (replace(entry, seq=seq) for seq, entry in enumerate(found, start=1))
    return replace(call, timeline=tuple(numbered))


def _pause_entry(kind: str, at: datetime, who: str, why: str) -> TimelineEntry:
    by_itself = why in (PauseWhy.AUTOMATIC, PauseEnd.TIME, PauseEnd.TRANSFERRED, PauseEnd.CALL_ENDED)
    detail = {"why": why} if by_itself or not who else {"who": who, "why": why}
    return TimelineEntry(seq=0, at=at, kind=kind, channel=None, agent=None, queue=None, detail=detail)


async def link_customer(session: AsyncSession, call_id: str, customer_id: str | None) -> bool:
    """Note whose call it is, in the caller's transaction; return whether the call is stored yet."""
    done: Any = await session.execute(
        update(CallRow).where(CallRow.call_id == call_id).values(customer_id=customer_id)
    )
    return bool(done.rowcount)


async def _follow(session: AsyncSession, call_id: str) -> CallRow:
    for _ in range(_MAX_HOPS):
        row = await session.get(CallRow, call_id)
        if row is None:
            break
        if row.merged_into is None:
            return row
        call_id = row.merged_into
    raise CallNotFound("no such call", field="call_id")


async def _legs(session: AsyncSession, call_ids: Sequence[str]) -> dict[str, list[CallLegRow]]:
    """Return the legs of each call, oldest first, with one query."""
    query = (
        select(CallLegRow)
        .where(CallLegRow.call_id.in_(call_ids))
        .order_by(CallLegRow.started_at, CallLegRow.uniqueid)
    )
    legs: dict[str, list[CallLegRow]] = {call_id: [] for call_id in call_ids}
    for leg in await session.scalars(query):
        legs[leg.call_id].append(leg)
    return legs


def _conditions(wanted: CallFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [CallRow.merged_into.is_(None)]
    if wanted.since is not None:
        found.append(CallRow.started_at >= wanted.since)
    if wanted.until is not None:
        found.append(CallRow.started_at < wanted.until)
    if wanted.direction is not None:
        found.append(CallRow.direction == wanted.direction)
    if wanted.queue is not None:
        found.append(CallRow.queue == wanted.queue)
    if wanted.result is not None:
        found.append(CallRow.result == wanted.result)
    if wanted.state is not None:
        found.append(CallRow.state == wanted.state)
    if wanted.customer_id is not None:
        found.append(CallRow.customer_id == wanted.customer_id)
    if wanted.agent is not None:
        talked = exists().where(
            CallLegRow.call_id == CallRow.call_id,
            CallLegRow.agent_number == wanted.agent,
            CallLegRow.taken.is_(True),
        )
        found.append(or_(CallRow.agent_number == wanted.agent, talked))
    if wanted.number:
        found.append(_number(wanted.number))
    if wanted.text:
        found.append(_text(wanted.text))
    return found


def _number(raw: str) -> ColumnElement[bool]:
    phone = Phone.parse_caller(raw)
    if phone is not None:
        return or_(CallRow.from_number == phone.e164, CallRow.to_number == phone.e164)
    digits = "".join(char for char in raw if char in "0123456789+*#")[:32]
    if not digits:
        return or_(CallRow.from_number == raw[:64], CallRow.to_number == raw[:64])
    like = f"%{digits}%"
    return or_(CallRow.from_number.like(like), CallRow.to_number.like(like))


def _text(raw: str) -> ColumnElement[bool]:
    escaped = raw.strip()[:80].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    like = f"%{escaped}%"
    # The labels of the menu are stored as JSON with their characters escaped.
    menu = "%" + escaped.encode("ascii", "backslashreplace").decode().replace("\\u", "\\\\u") + "%"
    columns = (CallRow.from_name, CallRow.from_number, CallRow.to_number)
    return or_(
        *(column.ilike(like, escape="\\") for column in columns),
        cast(CallRow.menu_path, String).ilike(like, escape="\\"),
        cast(CallRow.menu_path, String).ilike(menu, escape="\\"),
    )


def _seconds(millis: int | None) -> float | None:
    return None if millis is None else millis / 1000


def _view(row: CallRow, legs: Sequence[CallLegRow] = (), events: Sequence[CallEventRow] = ()) -> CallView:
    return CallView(
        call_id=row.call_id,
        node=row.node,
        direction=row.direction,
        from_number=row.from_number,
        to_number=row.to_number,
        from_name=row.from_name,
        customer_id=row.customer_id,
        queue=row.queue,
        agent=row.agent_number,
        agent_id=row.agent_id,
        state=row.state,
        result=row.result,
        menu_path=tuple(row.menu_path),
        language=row.language,
        started_at=row.started_at,
        queued_at=row.queued_at,
        answered_at=row.answered_at,
        ended_at=row.ended_at,
        wait_seconds=_seconds(row.wait_ms),
        talk_seconds=row.talk_ms / 1000,
        hold_seconds=row.hold_ms / 1000,
        hangup_by=row.hangup_by,
        end_reason=row.end_reason,
        cause=row.cause,
        adopted=row.adopted,
        legs=tuple(
            LegView(
                uniqueid=leg.uniqueid,
                linkedid=leg.linkedid,
                channel=leg.channel,
                kind=leg.kind,
                agent_number=leg.agent_number,
                number=leg.number,
                started_at=leg.started_at,
                answered_at=leg.answered_at,
                ended_at=leg.ended_at,
                cause=leg.cause,
            )
            for leg in legs
        ),
        timeline=tuple(
            TimelineEntry(
                seq=item.seq,
                at=item.at,
                kind=item.kind,
                channel=item.channel,
                agent=item.agent,
                queue=item.queue,
                detail=item.detail,
            )
            for item in events
        ),
    )
