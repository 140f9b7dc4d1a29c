"""Calls are drawn, judged, disputed and settled; agents see their own judgements, once they are published."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Select, and_, exists, func, or_, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.access import Actor, Permission
from kernel.audit import AuditLog
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid, NotFound, StaleVersion
from kernel.ids import is_ulid, new_ulid
from kernel.paging import MAX_PAGE, Page
from telephony.agent_tables import WrapUpRow
from telephony.call_rating_tables import CallRatingRow
from telephony.domain.quality import (
    DISPUTE_WITHIN,
    MAX_COMMENT,
    Draw,
    Form,
    Mark,
    State,
    Step,
    Typed,
    after,
    checked,
    drawn_first,
    score,
)
from telephony.quality_forms import QualityBook
from telephony.quality_tables import QualityCalibrationRow, QualityReviewRow
from telephony.recording_tables import RecordingRow
from telephony.tables import CallRow

log = structlog.get_logger(__name__)

MAX_REASON = 500
MOST_DRAWN = 2000
"""In one look: what is over is drawn next time."""
NOT_CONTENT = 3
SEEN_BY_AGENT = (State.PUBLISHED, State.DISPUTED, State.SETTLED)
FIGURES = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A judgement; see :class:`telephony.quality_tables.QualityReviewRow`."""

    review_id: str
    call_id: str
    agent_id: str
    reason: str
    calibration_id: str | None
    state: State
    scorer_id: str | None
    scorer: str
    form_version: int
    typed: Typed
    score: float | None
    failed: bool
    passed: bool
    first_score: float | None
    dispute: str
    disputed_at: datetime | None
    outcome: str | None
    settled_by: str
    settled_at: datetime | None
    settle_reason: str
    created_at: datetime
    published_at: datetime | None
    version: int
    call_at: datetime | None = None
    talk_seconds: float = 0.0
    queue: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An agent's judgements of the last thirty days: how many, mean percent, failed, disputed."""

    agent_id: str
    reviews: int
    mean: float
    failed: int
    disputed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """One call judged by several; ``reviews`` are empty until it is closed, but for the reader's own."""

    calibration_id: str
    call_id: str
    agent_id: str
    form_version: int
    created_at: datetime
    created_by: str
    closed_at: datetime | None
    scorers: int
    reviews: tuple[Review, ...]


class QualityReviews:
    """Use cases around judgements. Safe to use from many tasks and processes."""

    def __init__(
        self, database: Database, clock: Clock, audit: AuditLog, book: QualityBook, *, zone: ZoneInfo
    ) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._book = book
        self._zone = zone

    async def draw(self) -> int:
        """Draw what is to be judged of the last seven whole days and the week before; return how many.

        Who draws again draws the same; a call that is there already is not drawn twice.
        """
        form = await self._book.form()
        today = self._clock.now().astimezone(self._zone).date()
        monday = today - timedelta(days=today.weekday())
        wanted: dict[tuple[str, str], tuple[str, date | None]] = {}
        async with self._database.session() as session:
            week = (self._start(monday - timedelta(days=7)), self._start(monday))
            lots: dict[str, list[str]] = {}
            for call_id, agent_id in (await session.execute(_candidates(form.draw, *week))).all():
                lots.setdefault(agent_id, []).append(call_id)
            had = await self._had(session, monday - timedelta(days=7))
            for agent_id, calls in sorted(lots.items()):
                calls.sort(key=lambda one: drawn_first(agent_id, str(monday), one))
                for call_id in calls[: max(0, form.draw.per_week - had.get(agent_id, 0))]:
                    wanted[call_id, agent_id] = ("week", monday - timedelta(days=7))
            recent = (self._start(today - timedelta(days=7)), self._start(today + timedelta(days=1)))
            base = _candidates(form.draw, *recent)
            if form.draw.rated_badly:
                rated = base.join(CallRatingRow, CallRatingRow.call_id == CallRow.call_id).where(
                    or_(CallRatingRow.service == NOT_CONTENT, CallRatingRow.solved.is_(False))
                )
                wanted |= dict.fromkeys(await session.execute(rated), ("rating", None))
            if form.draw.queues:
                of_queue = base.where(CallRow.queue.in_(form.draw.queues))
                for call_id, agent_id in (await session.execute(of_queue)).all():
                    wanted.setdefault((call_id, agent_id), ("queue", None))
        drawn = 0
        for (call_id, agent_id), (reason, of) in list(wanted.items())[:MOST_DRAWN]:
            drawn += await self._add(call_id, agent_id, reason, form.version, week=of) is not None
        if drawn:
            log.info("quality_calls_drawn", calls=drawn)
        return drawn

    def _start(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self._zone)

    @staticmethod
    async def _had(session: AsyncSession, week: date) -> dict[str, int]:
        query = (
            select(QualityReviewRow.agent_id, func.count())
            .where(QualityReviewRow.week == week)
            .group_by(QualityReviewRow.agent_id)
        )
        found = (await session.execute(query)).all()
        return {row[0]: row[1] for row in found}

    async def _add(
        self,
        call_id: str,
        agent_id: str,
        reason: str,
        form_version: int,
        *,
        week: date | None = None,
        slot: str = "",
        calibration_id: str | None = None,
        scorer: Actor | None = None,
    ) -> str | None:
        """Store a judgement to be made; ``None`` where there is one."""
        review_id = new_ulid()
        try:
            async with self._database.transaction() as session:
                session.add(
                    QualityReviewRow(
                        review_id=review_id,
                        call_id=call_id,
                        agent_id=agent_id,
                        reason=reason,
                        slot=slot,
                        calibration_id=calibration_id,
                        week=week,
                        state=State.DRAWN,
                        scorer_id=scorer.user_id if scorer else None,
                        scorer=scorer.name[:80] if scorer else "",
                        form_version=form_version,
                        points={},
                        fatal=[],
                        marks=[],
                        created_at=self._clock.now(),
                    )
                )
        except IntegrityError:
            return None
        return review_id

    async def add(self, actor: Actor, call_id: str) -> str:
        """Have a call judged; return the judgement's id, that of the one there is if there is one.

        Raises:
            Forbidden: the role judges no calls.
            NotFound: no such call.
            Conflict: it still goes on, or no agent took it.
        """
        actor.need(Permission.QUALITY_SCORE)
        agent_id = await self._agent_of(call_id)
        form = await self._book.form()
        review_id = await self._add(call_id, agent_id, "person", form.version)
        if review_id is not None:
            return review_id
        query = select(QualityReviewRow.review_id).where(
            QualityReviewRow.call_id == call_id,
            QualityReviewRow.agent_id == agent_id,
            QualityReviewRow.slot == "",
        )
        async with self._database.session() as session:
            return (await session.scalars(query)).one()

    async def _agent_of(self, call_id: str) -> str:
        async with self._database.session() as session:
            call = await session.get(CallRow, call_id) if is_ulid(call_id) else None
        if call is None:
            raise NotFound("no such call", field="call_id")
        if call.ended_at is None or call.agent_id is None:
            raise Conflict("only a call that is over and that an agent took can be judged", field="call_id")
        return call.agent_id

    async def page(
        self,
        actor: Actor,
        states: Collection[State],
        *,
        agent_id: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Review]:
        """Return judgements that count, the newest first.

        Args:
            agent_id: of this agent alone; who judges no calls asks for their own.

        Raises:
            Forbidden: neither their own nor allowed to judge.
            Invalid: the cursor.
        """
        if not actor.can(Permission.QUALITY_SCORE):
            actor.need(Permission.DESK_USE)
            if agent_id is None:
                raise Forbidden("agents see their own judgements")
            states = [one for one in states if one in SEEN_BY_AGENT]
        limit = max(1, min(limit, MAX_PAGE))
        query = (
            select(QualityReviewRow, CallRow.started_at, CallRow.talk_ms, CallRow.queue)
            .outerjoin(CallRow, CallRow.call_id == QualityReviewRow.call_id)
            .where(QualityReviewRow.slot == "", QualityReviewRow.state.in_([str(one) for one in states]))
            .order_by(QualityReviewRow.review_id.desc())
            .limit(limit + 1)
        )
        if agent_id is not None:
            query = query.where(QualityReviewRow.agent_id == agent_id)
        if cursor is not None:
            if not is_ulid(cursor):
                raise Invalid("this cursor is not one of ours; begin with the first page", field="cursor")
            query = query.where(QualityReviewRow.review_id < cursor)
        async with self._database.session() as session:
            rows = (await session.execute(query)).all()
        found = tuple(_review(*row) for row in rows[:limit])
        return Page(found, found[-1].review_id if len(rows) > limit else None)

    async def get(self, actor: Actor, review_id: str, *, agent_id: str | None = None) -> Review:
        """Return one judgement.

        Args:
            agent_id: of whoever reads it, where they are an agent.

        Raises:
            NotFound: there is none, or none that they may see.
        """
        query = (
            select(QualityReviewRow, CallRow.started_at, CallRow.talk_ms, CallRow.queue)
            .outerjoin(CallRow, CallRow.call_id == QualityReviewRow.call_id)
            .where(QualityReviewRow.review_id == review_id)
        )
        async with self._database.session() as session:
            row = (await session.execute(query)).first() if is_ulid(review_id) else None
        found = _review(*row) if row is not None else None
        if found is None or not self._sees(actor, found, agent_id):
            raise NotFound("no such judgement", field="review_id")
        return found

    @staticmethod
    def _sees(actor: Actor, found: Review, agent_id: str | None) -> bool:
        if found.calibration_id is not None:
            # While a calibration is open, nobody sees what others wrote.
            return found.scorer_id == actor.user_id and actor.can(Permission.QUALITY_SCORE)
        if actor.can(Permission.QUALITY_SCORE):
            return True
        return agent_id is not None and found.agent_id == agent_id and found.state in SEEN_BY_AGENT

    async def save(self, actor: Actor, review_id: str, typed: Typed, *, expected: int) -> Review:
        """Keep what was written so far.

        Raises:
            Forbidden, NotFound: not theirs to judge.
            Invalid: names the field.
            Conflict: it is published already.
            StaleVersion: somebody else wrote on it meanwhile.
        """
        return await self._write(actor, review_id, typed, Step.SAVE, expected)

    async def publish(self, actor: Actor, review_id: str, typed: Typed, *, expected: int) -> Review:
        """Judge: the agent sees it from now on; a calibration's own is merely done.

        Raises:
            Invalid: a criterion has no answer; names it.
            Forbidden, NotFound, Conflict, StaleVersion: as :meth:`save`.
        """
        return await self._write(actor, review_id, typed, Step.PUBLISH, expected)

    async def _write(self, actor: Actor, review_id: str, typed: Typed, step: Step, expected: int) -> Review:
        actor.need(Permission.QUALITY_SCORE)
        found = await self.get(actor, review_id)
        form = await self._book.form(found.form_version)
        typed = checked(form, typed)
        async with self._database.transaction() as session:
            row = await _locked(session, review_id, expected)
            row.state = after(State(row.state), step)
            _put(row, typed)
            row.scorer_id, row.scorer = actor.user_id, actor.name[:80]
            if step is Step.PUBLISH:
                result = score(form, typed)
                row.score, row.failed, row.passed = result.percent, result.failed, result.passed
                row.published_at = self._clock.now()
                await self._note(session, actor, "quality.published", row, score=result.percent)
        return await self.get(actor, review_id)

    async def dispute(self, actor: Actor, agent_id: str, review_id: str, reason: str) -> Review:
        """Say that one sees it otherwise: once, within seven days, by the agent alone.

        Raises:
            NotFound: none of theirs.
            Invalid: no reason, or a too long one.
            Conflict: too late, or disputed before.
        """
        actor.need(Permission.DESK_USE)
        found = await self.get(actor, review_id, agent_id=agent_id)
        reason = reason.strip()
        if found.agent_id != agent_id:
            raise NotFound("no such judgement", field="review_id")
        if not 1 <= len(reason) <= MAX_REASON:
            raise Invalid(f"1 to {MAX_REASON} characters", field="reason")
        now = self._clock.now()
        if found.published_at is not None and now - found.published_at > DISPUTE_WITHIN:
            raise Conflict("a judgement can be disputed for seven days", field="late")
        async with self._database.transaction() as session:
            row = await _locked(session, review_id, found.version)
            row.state = after(State(row.state), Step.DISPUTE)
            row.dispute, row.disputed_at = reason, now
            await self._note(session, actor, "quality.disputed", row)
        return await self.get(actor, review_id, agent_id=agent_id)

    async def settle(
        self, actor: Actor, review_id: str, typed: Typed | None, *, reason: str, expected: int
    ) -> Review:
        """Answer a dispute: leave the judgement, or correct it; what it was first stays beside it.

        Args:
            typed: the corrected form; ``None`` upholds it.

        Raises:
            Forbidden: whoever judged does not answer the dispute about it.
            Invalid: no reason, or a mistake on the form.
            Conflict: it is not disputed.
            StaleVersion: somebody settled it meanwhile.
        """
        actor.need(Permission.QUALITY_SCORE)
        found = await self.get(actor, review_id)
        if found.scorer_id == actor.user_id:
            raise Forbidden("somebody else answers a dispute about one's own judgement")
        reason = reason.strip()
        if not 1 <= len(reason) <= MAX_REASON:
            raise Invalid(f"1 to {MAX_REASON} characters", field="reason")
        form = await self._book.form(found.form_version)
        typed = checked(form, typed) if typed is not None else None
        async with self._database.transaction() as session:
            row = await _locked(session, review_id, expected)
            row.state = after(State(row.state), Step.SETTLE)
            row.settle_reason, row.settled_by = reason, actor.name[:80]
            row.settled_at, row.outcome = self._clock.now(), "upheld"
            if typed is not None:
                result = score(form, typed)
                row.outcome, row.first_score = "corrected", row.score
                row.score, row.failed, row.passed = result.percent, result.failed, result.passed
                _put(row, typed)
            await self._note(session, actor, "quality.settled", row, outcome=row.outcome)
        return await self.get(actor, review_id)

    async def standings(self, actor: Actor, *, agent_id: str | None = None) -> tuple[Standing, ...]:
        """Return how agents were judged in the last thirty days, the weakest first. Raises Forbidden."""
        if agent_id is None:
            actor.need(Permission.QUALITY_SCORE)
        since = self._clock.now() - FIGURES
        query = select(
            QualityReviewRow.agent_id,
            QualityReviewRow.score,
            QualityReviewRow.failed,
            QualityReviewRow.dispute,
        ).where(
            QualityReviewRow.slot == "",
            QualityReviewRow.published_at >= since,
            QualityReviewRow.score.is_not(None),
        )
        if agent_id is not None:
            query = query.where(QualityReviewRow.agent_id == agent_id)
        found: dict[str, list[tuple[float, bool, bool]]] = {}
        async with self._database.session() as session:
            for agent, percent, failed, dispute in (await session.execute(query)).all():
                found.setdefault(agent, []).append((percent or 0.0, failed, bool(dispute)))
        made = [
            Standing(
                agent_id=agent,
                reviews=len(all_of),
                mean=round(sum(one[0] for one in all_of) / len(all_of), 1),
                failed=sum(one[1] for one in all_of),
                disputed=sum(one[2] for one in all_of),
            )
            for agent, all_of in found.items()
        ]
        return tuple(sorted(made, key=lambda one: (one.mean, one.agent_id)))

    async def calibrate(self, actor: Actor, call_id: str) -> str:
        """Give a call to everybody who judges; return the calibration's id. Raises as :meth:`add`."""
        actor.need(Permission.QUALITY_SCORE)
        agent_id = await self._agent_of(call_id)
        form = await self._book.form()
        calibration_id = new_ulid()
        async with self._database.transaction() as session:
            session.add(
                QualityCalibrationRow(
                    calibration_id=calibration_id,
                    call_id=call_id,
                    agent_id=agent_id,
                    form_version=form.version,
                    created_at=self._clock.now(),
                    created_by=actor.name[:80],
                )
            )
            await self._audit.record(
                "quality.calibration_begun",
                actor=actor.name,
                ip=actor.ip,
                entity="quality_calibration",
                entity_id=calibration_id,
                detail={"user_id": actor.user_id, "call_id": call_id},
                session=session,
            )
        return calibration_id

    async def calibrations(self, actor: Actor) -> tuple[Calibration, ...]:
        """Return the twenty newest calibrations. Raises Forbidden."""
        actor.need(Permission.QUALITY_SCORE)
        query = select(QualityCalibrationRow).order_by(QualityCalibrationRow.created_at.desc()).limit(20)
        async with self._database.session() as session:
            rows = (await session.scalars(query)).all()
            return tuple([await self._calibration(session, actor, row) for row in rows])

    async def calibration(self, actor: Actor, calibration_id: str) -> Calibration:
        """Return one calibration. Raises Forbidden, NotFound."""
        actor.need(Permission.QUALITY_SCORE)
        async with self._database.session() as session:
            return await self._calibration(session, actor, await _calibration_row(session, calibration_id))

    async def _calibration(
        self, session: AsyncSession, actor: Actor, row: QualityCalibrationRow
    ) -> Calibration:
        query = (
            select(QualityReviewRow)
            .where(
                QualityReviewRow.calibration_id == row.calibration_id,
                QualityReviewRow.state == State.PUBLISHED,
            )
            .order_by(QualityReviewRow.published_at)
            .limit(50)
        )
        done = [_review(one, None, None, None) for one in await session.scalars(query)]
        seen = [one for one in done if row.closed_at is not None or one.scorer_id == actor.user_id]
        return Calibration(
            calibration_id=row.calibration_id,
            call_id=row.call_id,
            agent_id=row.agent_id,
            form_version=row.form_version,
            created_at=row.created_at,
            created_by=row.created_by,
            closed_at=row.closed_at,
            scorers=len(done),
            reviews=tuple(seen),
        )

    async def own_of(self, actor: Actor, calibration_id: str) -> str:
        """Return the reader's own judgement of a calibration, begun if need be.

        Raises:
            Forbidden, NotFound: as :meth:`calibration`.
            Conflict: it is closed.
        """
        found = await self.calibration(actor, calibration_id)
        slot = f"{calibration_id}/{actor.user_id}"
        if found.closed_at is None:
            made = await self._add(
                found.call_id,
                found.agent_id,
                "calibration",
                found.form_version,
                slot=slot,
                calibration_id=calibration_id,
                scorer=actor,
            )
            if made is not None:
                return made
        query = select(QualityReviewRow.review_id).where(
            QualityReviewRow.calibration_id == calibration_id, QualityReviewRow.slot == slot
        )
        async with self._database.session() as session:
            there = (await session.scalars(query)).first()
        if there is None:
            raise Conflict("this calibration is closed", field="calibration_id")
        return there

    async def close_calibration(self, actor: Actor, calibration_id: str) -> None:
        """Show everybody what everybody wrote; nobody can add to it any more. Raises Forbidden, NotFound."""
        actor.need(Permission.QUALITY_SCORE)
        async with self._database.transaction() as session:
            row = await _calibration_row(session, calibration_id)
            if row.closed_at is not None:
                return
            row.closed_at = self._clock.now()
            await self._audit.record(
                "quality.calibration_closed",
                actor=actor.name,
                ip=actor.ip,
                entity="quality_calibration",
                entity_id=calibration_id,
                detail={"user_id": actor.user_id},
                session=session,
            )

    async def _note(
        self, session: AsyncSession, actor: Actor, action: str, row: QualityReviewRow, **more: Any
    ) -> None:
        await self._audit.record(
            action,
            actor=actor.name,
            ip=actor.ip,
            entity="quality_review",
            entity_id=row.review_id,
            detail={"user_id": actor.user_id, "call_id": row.call_id, **more},
            session=session,
        )


class Drawing:
    """Draws again and again; a look that fails is made up for by the next."""

    def __init__(self, reviews: QualityReviews, *, every: timedelta = timedelta(hours=1)) -> None:
        self._reviews = reviews
        self._every = every

    async def run(self) -> None:
        """Draw until cancelled."""
        while True:
            try:
                await self._reviews.draw()
            except (SQLAlchemyError, OSError, Invalid) as error:
                log.warning("quality_calls_not_drawn", error=type(error).__name__)
            await asyncio.sleep(self._every.total_seconds())


def spread(reviews: Sequence[Review], form: Form) -> Mapping[str, tuple[int | None, ...]]:
    """Return criterion → what each gave, in order; only where they do not agree."""
    found = {
        one.code: tuple(review.typed.points.get(one.code) for review in reviews) for one in form.criteria
    }
    return {code: given for code, given in found.items() if len(set(given)) > 1}


def _candidates(draw: Draw, since: datetime, until: datetime) -> Select[str, str]:
    """Calls that an agent took, long enough, with a recording to listen to, that nobody judged yet."""
    recorded = exists().where(
        and_(RecordingRow.call_id == CallRow.call_id, RecordingRow.missing_since.is_(None))
    )
    judged = exists().where(
        QualityReviewRow.call_id == CallRow.call_id,
        QualityReviewRow.agent_id == WrapUpRow.agent_id,
        QualityReviewRow.slot == "",
    )
    return (
        select(CallRow.call_id, WrapUpRow.agent_id)
        .join(WrapUpRow, WrapUpRow.call_id == CallRow.call_id)
        .where(
            CallRow.ended_at >= since,
            CallRow.ended_at < until,
            CallRow.merged_into.is_(None),
            CallRow.talk_ms >= draw.min_talk.total_seconds() * 1000,
            recorded,
            ~judged,
        )
        .order_by(CallRow.call_id)
        .limit(50_000)
    )


async def _locked(session: AsyncSession, review_id: str, expected: int) -> QualityReviewRow:
    row = await session.get(QualityReviewRow, review_id, with_for_update=True)
    if row is None:
        raise NotFound("no such judgement", field="review_id")
    if row.version != expected:
        raise StaleVersion("somebody else wrote on it meanwhile; read it again", field="If-Match")
    row.version += 1
    return row


async def _calibration_row(session: AsyncSession, calibration_id: str) -> QualityCalibrationRow:
    row = await session.get(QualityCalibrationRow, calibration_id) if is_ulid(calibration_id) else None
    if row is None:
        raise NotFound("no such calibration", field="calibration_id")
    return row


def _put(row: QualityReviewRow, typed: Typed) -> None:
    row.points, row.fatal, row.comment = dict(typed.points), sorted(typed.fatal), typed.comment[:MAX_COMMENT]
    row.marks = [{"at": one.at, "code": one.code, "text": one.text} for one in typed.marks]


def _review(
    row: QualityReviewRow, call_at: datetime | None, talk_ms: int | None, queue: str | None
) -> Review:
    marks = tuple(Mark(at=one["at"], code=one["code"], text=one["text"]) for one in row.marks)
    return Review(
        review_id=row.review_id,
        call_id=row.call_id,
        agent_id=row.agent_id,
        reason=row.reason,
        calibration_id=row.calibration_id,
        state=State(row.state),
        scorer_id=row.scorer_id,
        scorer=row.scorer,
        form_version=row.form_version,
        typed=Typed(points=row.points, fatal=frozenset(row.fatal), marks=marks, comment=row.comment),
        score=row.score,
        failed=row.failed,
        passed=row.passed,
        first_score=row.first_score,
        dispute=row.dispute,
        disputed_at=row.disputed_at,
        outcome=row.outcome,
        settled_by=row.settled_by,
        settled_at=row.settled_at,
        settle_reason=row.settle_reason,
        created_at=row.created_at,
        published_at=row.published_at,
        version=row.version,
        call_at=call_at,
        talk_seconds=(talk_ms or 0) / 1000,
        queue=queue or "",
    )
