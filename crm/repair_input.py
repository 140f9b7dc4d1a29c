"""What people enter about repairs; texts are tidied and limited where they are stored."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import tidy_text
from crm.domain.case import Severity, Source
from crm.domain.classification import Nature, Urgency
from crm.domain.complaint import Verdict
from crm.domain.complaint_line import ProblemStatus
from crm.domain.lines import one_line
from crm.domain.project import Stage
from crm.domain.repair import InTime, NoticeWay, Route, RouteReason
from crm.domain.warranty import Card, RepairClass, WarrantyFlag
from crm.repair_tables import WarrantyRow
from crm.tables import Crew, Project
from crm.warranty_items import items_of
from kernel.errors import Invalid, NotFound
from kernel.ids import is_ulid

MAX_PLACE = 60
MAX_SAYS = 1000
MAX_PLAN = 2000
MAX_RESULT = 2000
MAX_REMARK = 1000
MAX_NOTE = 400
MAX_WHOM = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedRoute:
    """Who is to repair, and why when it is not the original crew; ``crew_id`` is the other crew."""

    route: Route
    reason: RouteReason | None = None
    note: str = ""
    crew_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRepair:
    """What the form has when a repair is registered; ``symptoms`` is the case's content.

    Attributes:
        place: where in the home.
        repair_class: under warranty or not; what the warranty says when ``None``.
        item: code of the item of the warranty that is broken, where it is known.
        reply_within: what a forwarding hotline's order demands instead of the company's limit.
        route: decides at once who repairs.
        specialist: user and name of who tracks it, where that is not who registers it.
    """

    customer_id: str
    project_id: str | None
    symptoms: str
    place: str
    repair_class: RepairClass | None = None
    item: str | None = None
    source: Source = Source.PHONE
    severity: Severity = Severity.GENERAL
    nature: Nature = Nature.REPAIR
    urgency: Urgency = Urgency.NORMAL
    external_no: str | None = None
    call_id: str | None = None
    reply_within: timedelta | None = None
    route: AskedRoute | None = None
    specialist: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldRepairer:
    """How and when whoever repairs was told; now unless ``at`` says otherwise."""

    way: NoticeWay
    whom: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAppointment:
    """When somebody comes and what they mean to do; the plan may be left out when it stays the same."""

    from_: datetime
    until: datetime
    plan: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerContact:
    """What the customer says when called, and perhaps the appointment made."""

    says: str
    at: datetime | None = None
    appointment: NewAppointment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCallback:
    """What a callback about a repair brought (domain.md §3.6).

    Attributes:
        problem: ``not_connected`` when nobody was reached; then nothing else is said.
        contacted_in_time, timely: as the customer says; asked of everybody who was reached.
        no_visit_reason: how it was solved though no visit fixed it.
    """

    problem: ProblemStatus
    verdict: Verdict | None = None
    contacted_in_time: InTime | None = None
    timely: InTime | None = None
    remark: str = ""
    no_visit_reason: str = ""
    at: datetime | None = None
    call_id: str | None = None


def check_callback(asked: NewCallback) -> NewCallback:
    """Return a callback with tidy texts.

    Raises:
        Invalid: an answer is missing, or there is one though nobody was reached.
    """
    reached = asked.problem is not ProblemStatus.NOT_CONNECTED
    answers = {
        "verdict": asked.verdict,
        "contacted_in_time": asked.contacted_in_time,
        "timely": asked.timely,
    }
    for field, answer in answers.items():
        if reached and answer is None:
            raise Invalid("the customer was reached: write down the answer", field=field)
        if not reached and answer is not None:
            raise Invalid("nobody was reached, so nobody answered", field=field)
    if asked.verdict is Verdict.NOT_REACHED:
        raise Invalid("the customer was reached, so there is a verdict", field="verdict")
    if asked.problem is ProblemStatus.SOLVED and asked.verdict is Verdict.DISSATISFIED and not asked.remark:
        raise Invalid("write down what the customer is not satisfied with", field="remark")
    if asked.call_id is not None and not is_ulid(asked.call_id):
        raise Invalid("no such call", field="call_id")
    return NewCallback(
        problem=asked.problem,
        verdict=asked.verdict,
        contacted_in_time=asked.contacted_in_time,
        timely=asked.timely,
        remark=tidy_text(asked.remark, field="remark", limit=MAX_REMARK, required=False),
        no_visit_reason=line(asked.no_visit_reason, field="no_visit_reason", limit=200),
        at=asked.at,
        call_id=asked.call_id,
    )


def line(raw: str, *, field: str, limit: int) -> str:
    """Return a text of one line that may be empty."""
    return one_line(raw, field=field, limit=limit) if raw.strip() else ""


async def card_of(session: AsyncSession, project_id: str | None) -> tuple[Card | None, Crew | None]:
    """Return what the files say of a home's warranty, and the crew that built it.

    Raises:
        NotFound: no such project.
    """
    if project_id is None:
        return None, None
    project = await session.get(Project, project_id) if is_ulid(project_id) else None
    if project is None:
        raise NotFound("no such project", field="project_id")
    issued = await session.get(WarrantyRow, project_id)
    crew = await session.get(Crew, project.crew_id) if project.crew_id else None
    return (
        Card(
            stage=Stage(project.stage),
            no=(issued.no if issued else None) or project.warranty_no,
            until=(issued.until if issued else None) or project.warranty_until,
            flag=WarrantyFlag(issued.flag) if issued else None,
            excluded=tuple(issued.excluded) if issued else (),
            items=await items_of(session, project_id) if issued else (),
        ),
        crew,
    )


async def known_crew(session: AsyncSession, crew_id: str | None) -> Crew:
    """Return a crew that works for the company. Raises Invalid."""
    row = None
    if crew_id is not None and is_ulid(crew_id):
        row = await session.scalar(select(Crew).where(Crew.id == crew_id))
    if row is None or row.status != "active":
        raise Invalid("no such crew, or not active", field="crew_id")
    return row
