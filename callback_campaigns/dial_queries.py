"""What the dialler asks of stored calls, inside the transaction that dials or that moves an attempt."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.campaign_tables import CampaignRow
from callback_campaigns.domain.attempt import AttemptState
from callback_campaigns.domain.campaign import CampaignMode
from callback_campaigns.domain.terms import Outcome
from callback_campaigns.talk_tables import CallbackTalkRow
from callback_campaigns.task_tables import CallbackTaskRow, DialAttemptRow
from crm.domain.case import Severity
from crm.domain.freeze import CaseCall
from crm.tables import CustomerPhone, ServiceCase
from telephony.domain.call import Direction
from telephony.tables import CallRow

OPEN = DialAttemptRow.state != AttemptState.ENDED.value
SECOND = timedelta(seconds=1)
_TRUNKS = 0x48_46_54_52
"""«HFTR»: the PostgreSQL advisory locks of trunks."""
_MODES = "campaign_modes"
"""Where a session keeps the modes of campaigns that its transaction has read."""


async def hold_trunk(session: AsyncSession, trunk: str) -> None:
    """Let one transaction at a time begin a call over a trunk, in all processes; first thing in it.

    Without it two would each count the calls of the last second before the other's is there. SQLite has one
    writer anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        lock = text("SELECT pg_advisory_xact_lock(:space, hashtext(:trunk))")
        await session.execute(lock, {"space": _TRUNKS, "trunk": trunk})


async def began_on(session: AsyncSession, trunk: str, now: datetime) -> int:
    """Return how many calls a trunk was given in the last second, whoever and whichever process began them.

    Ask inside the transaction that dials, after :func:`hold_trunk`; ``now`` is not from before it.
    """
    # A little ahead is another machine's clock; what is further ahead was begun before this one was set back.
    asked = {"trunk": trunk, "since": now - SECOND, "until": now + SECOND}
    return int(await session.scalar(_BEGAN_ON, asked) or 0)


async def called(session: AsyncSession, number: str, since: datetime) -> tuple[tuple[datetime, ...], bool]:
    """Return when we called a number after ``since``, and whether an attempt at it is not over.

    Calls that agents dialled themselves are among them: for whoever is called, and for the carrier, they are
    calls of ours like all others.
    """
    asked = {"number": number, "since": since}
    mine = list(await session.execute(_ATTEMPTS_AT, asked))
    others = await session.execute(_CALLS_TO, asked)
    known = {attempt_id for attempt_id, _, _, _ in mine}
    moments = [began for _, began, _, spared in mine if began > since and not spared]
    moments += [started for call_id, started in others if call_id not in known]
    return tuple(moments), any(state != AttemptState.ENDED.value for _, _, state, _ in mine)


def not_called() -> ColumnElement[bool]:
    """Return the condition of attempts that rang one of ours first, who was not there: no customer was."""
    row = DialAttemptRow
    staff_first = or_(row.case_id.is_not(None), and_(row.task_id.is_(None), row.campaign_id.is_(None)))
    return and_(staff_first, row.outcome == Outcome.FAILED.value)


def live_answer() -> ColumnElement[bool]:
    """Return the condition of attempts that a person answered, also while they talk with one of ours.

    Of these were abandoned: the outcome says so, or :data:`callback_campaigns.domain.attempt.AT_ONCE` is less
    than ``connect_seconds``.
    """
    row = DialAttemptRow
    outcomes = (Outcome.ANSWERED.value, Outcome.ABANDONED.value)
    return or_(row.outcome.in_(outcomes), and_(row.outcome.is_(None), row.connect_seconds.is_not(None)))


async def for_person(session: AsyncSession, row: DialAttemptRow) -> bool:
    """Tell whether who answers is to be put through."""
    if row.campaign_id is None or row.agent is not None:
        return False
    modes: dict[str, str | None] = session.info.setdefault(_MODES, {})
    if row.campaign_id not in modes:
        modes[row.campaign_id] = await session.scalar(_MODE_OF, {"campaign_id": row.campaign_id})
    mode = modes[row.campaign_id]
    return mode is not None and CampaignMode(mode).needs_queue


async def was_for_person(session: AsyncSession, row: DialAttemptRow) -> bool:
    """Tell whether who answered was to be put through; where somebody asks them, that somebody is there."""
    if not await for_person(session, row):
        return False
    talk = select(CallbackTalkRow.id).where(CallbackTalkRow.attempt_id == row.id)
    return await session.scalar(talk.limit(1)) is None


async def case_call(session: AsyncSession, case_id: str | None, *, in_person: bool) -> CaseCall:
    """Return what the do-not-call list asks of a call about a case."""
    header = await session.get(ServiceCase, case_id) if case_id is not None else None
    about = select(CallbackTaskRow.id).where(CallbackTaskRow.case_id == case_id)
    called_at = select(func.max(DialAttemptRow.began_at)).where(
        or_(DialAttemptRow.task_id.in_(about), DialAttemptRow.case_id == case_id),
        or_(DialAttemptRow.outcome.is_(None), ~not_called()),
    )
    return CaseCall(
        is_open=header is not None and header.closed_at is None,
        safety=header is not None and header.severity >= Severity.SERIOUS,
        by_human=in_person,
        called_at=await session.scalar(called_at) if header is not None else None,
    )


async def numbers_of(session: AsyncSession, customer_id: str) -> list[str]:
    """Return a customer's numbers, the one where they are reached best first."""
    phones = (
        select(CustomerPhone.e164)
        .where(CustomerPhone.customer_id == customer_id)
        .order_by(
            CustomerPhone.bad_since.is_not(None), CustomerPhone.preferred.desc(), CustomerPhone.position
        )
    )
    return list(await session.scalars(phones))


async def surveyed(session: AsyncSession, customer_id: str, since: datetime) -> tuple[datetime, ...]:
    """Return when a customer answered calls in which something could be asked."""
    found = await session.scalars(_SURVEYS_OF, {"customer_id": customer_id, "since": since})
    return tuple(at for at in found if at is not None)


async def is_bad(session: AsyncSession, customer_id: str, number: str) -> bool:
    """Tell whether nobody can be reached under a customer's number."""
    return await session.scalar(_BAD, {"customer_id": customer_id, "number": number}) is not None


# Asked at every dial: put together once.
_BEGAN_ON = select(func.count()).where(
    DialAttemptRow.began_at > bindparam("since", type_=DialAttemptRow.began_at.type),
    DialAttemptRow.began_at <= bindparam("until", type_=DialAttemptRow.began_at.type),
    DialAttemptRow.trunk == bindparam("trunk"),
)
_ATTEMPTS_AT = select(DialAttemptRow.id, DialAttemptRow.began_at, DialAttemptRow.state, not_called()).where(
    DialAttemptRow.number == bindparam("number"),
    or_(DialAttemptRow.began_at > bindparam("since", type_=DialAttemptRow.began_at.type), OPEN),
)
_CALLS_TO = select(CallRow.call_id, CallRow.started_at).where(
    CallRow.to_number == bindparam("number"),
    CallRow.started_at > bindparam("since", type_=CallRow.started_at.type),
    CallRow.direction == Direction.OUT.value,
    CallRow.merged_into.is_(None),
)
_MODE_OF = select(CampaignRow.mode).where(CampaignRow.id == bindparam("campaign_id"))
_SURVEYS_OF = select(DialAttemptRow.answered_at).where(
    DialAttemptRow.customer_id == bindparam("customer_id"),
    DialAttemptRow.survey,
    DialAttemptRow.answered_at > bindparam("since", type_=DialAttemptRow.answered_at.type),
    # Nobody was asked anything by a machine, nor where nobody of ours was there.
    or_(DialAttemptRow.outcome.is_(None), DialAttemptRow.outcome == Outcome.ANSWERED.value),
)
_BAD = (
    select(CustomerPhone.bad_since)
    .where(
        CustomerPhone.customer_id == bindparam("customer_id"),
        CustomerPhone.e164 == bindparam("number"),
        CustomerPhone.bad_since.is_not(None),
    )
    .limit(1)
)
