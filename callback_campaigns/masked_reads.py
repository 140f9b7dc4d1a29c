"""The calls that were made to the customer of a case from its page, and whether another one may be made."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.attempt import AttemptState
from callback_campaigns.domain.terms import Outcome
from callback_campaigns.task_tables import DialAttemptRow
from crm.case_contact import CaseIsClosed, NotInYourHands, case_in_hand, number_to_call, own_mobile
from crm.cases import seen_by
from crm.members import AgentNumbers
from crm.office import Office, current_id
from crm.tables import ServiceCase
from kernel.access import Actor, Permission
from kernel.errors import NotFound
from kernel.ids import is_ulid
from telephony.tables import CallRow

MOST = 20
"""So many calls of a case are shown, the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerCall:
    """A call to the customer of a case; it never says the number.

    Attributes:
        user_id, by: who asked for it, and was rung first.
        outcome: ``failed`` where their own telephone was not answered: the customer was not called.
    """

    call_id: str
    user_id: str | None
    by: str
    state: AttemptState
    outcome: Outcome | None
    began_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    talk_seconds: int | None

    @property
    def is_open(self) -> bool:
        """Whether it goes on."""
        return self.state.is_open


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOffer:
    """Whether somebody may call, and with what.

    Attributes:
        has_number: a telephone of the customer's can be called.
        has_own: a telephone of theirs is known, which rings first.
    """

    has_number: bool
    has_own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CalledFor:
    """What a call was made for that somebody asked for: a case, or a number on another page."""

    case_id: str | None
    no: str | None
    customer_id: str | None
    by: str


class MaskedReads:
    """Reads such calls, in any process."""

    def __init__(self, office: Office, numbers: AgentNumbers) -> None:
        self._office = office
        self._numbers = numbers

    async def of_case(self, actor: Actor, case_id: str) -> tuple[CustomerCall, ...]:
        """Return the newest calls of a case, newest first.

        Raises:
            Forbidden: the role sees no cases.
            NotFound: no such case, or none that the actor may see.
        """
        actor.need(Permission.CASES_VIEW)
        async with self._office.database.session() as session:
            seen = select(ServiceCase.id).where(ServiceCase.id == case_id, seen_by(actor))
            if not is_ulid(case_id) or await session.scalar(seen) is None:
                raise NotFound("no such case", field="case_id")
            return tuple(await _calls(session, DialAttemptRow.case_id == case_id))

    async def asked_by(self, actor: Actor, call_id: str) -> CustomerCall:
        """Return a call that the actor asked for, from whatever page.

        Raises:
            NotFound: no such call, or one that somebody else asked for.
        """
        async with self._office.database.session() as session:
            mine = and_(DialAttemptRow.id == call_id, DialAttemptRow.user_id == actor.user_id)
            found = await _calls(session, mine) if is_ulid(call_id) else ()
        if not found:
            raise NotFound("no such call of yours", field="call_id")
        return found[0]

    async def offer(self, actor: Actor, case_id: str) -> CallOffer | None:
        """Return with what somebody may call; ``None`` where the case is over, or somebody else's.

        Raises:
            NotFound: no such case, or none that the actor may see.
        """
        if not actor.can(Permission.CASES_WORK):
            return None
        async with self._office.database.session() as session:
            try:
                header = await case_in_hand(session, actor, case_id)
            except (CaseIsClosed, NotInYourHands):
                return None
            number = await number_to_call(session, await current_id(session, header.customer_id))
            own = await self._numbers.number_of(session, actor.user_id) or await own_mobile(
                session, actor.user_id, area=self._office.default_area
            )
            return CallOffer(has_number=number is not None, has_own=own is not None)


async def called_for(session: AsyncSession, call_id: str) -> CalledFor | None:
    """Return what a call was made for, ``None`` for one that nobody asked for from a page."""
    row = DialAttemptRow
    query = (
        select(row.case_id, ServiceCase.no, row.customer_id, row.agent)
        .outerjoin(ServiceCase, ServiceCase.id == row.case_id)
        .where(row.id == call_id, row.user_id.is_not(None))
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        return None
    return CalledFor(case_id=found.case_id, no=found.no, customer_id=found.customer_id, by=found.agent or "")


async def _calls(session: AsyncSession, wanted: ColumnElement[bool]) -> Sequence[CustomerCall]:
    row = DialAttemptRow
    query = (
        select(row, CallRow.talk_ms)
        .outerjoin(CallRow, CallRow.call_id == row.id)
        .where(wanted)
        .order_by(row.began_at.desc(), row.id.desc())
        .limit(MOST)
    )
    return [
        CustomerCall(
            call_id=one.id,
            user_id=one.user_id,
            by=one.agent or "",
            state=AttemptState(one.state),
            outcome=Outcome(one.outcome) if one.outcome else None,
            began_at=one.began_at,
            answered_at=one.answered_at,
            ended_at=one.ended_at,
            talk_seconds=round(talk / 1000) if talk is not None and one.answered_at is not None else None,
        )
        for one, talk in await session.execute(query)
    ]
