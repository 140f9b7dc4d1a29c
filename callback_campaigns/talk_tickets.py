"""Problem tickets from what customers answered: on a department's desk while the call is still on (CB-5)."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.questionnaire import ANYBODY
from callback_campaigns.domain.questionnaire_verdict import Judgement, Ticket
from callback_campaigns.domain.talk import TalkSet, spelled
from callback_campaigns.domain.terms import Verdict
from callback_campaigns.talk_store import Talk
from callback_campaigns.talk_tables import CallbackTalkRow
from callback_campaigns.task_tables import CallbackTaskRow
from crm.domain.case import CaseKind, Severity
from crm.domain.complaint import ComplaintClass
from crm.tables import Department, ServiceCase
from crm.ticket_tables import TicketRow
from crm.ticket_views import CallbackSource, NewTicket
from crm.tickets import Tickets
from kernel.access import Actor
from kernel.ids import is_ulid

SERVICE = "CS"
"""Customer service itself: its specialists, its captain and its manager are no departments of their own."""
RESPONSIBLE = "DPH"
WHOLE = "result"
"""Stands for the question when the answers together are what is bad."""
MAX_ANSWER = 400
MAX_QUESTION = 200
MAX_TEXT = 2000


@dataclass(frozen=True, slots=True)
class Wanted:
    """A ticket that answers call for.

    Attributes:
        question: makes it one ticket, however often it is wanted.
        note: what the department is asked to do.
    """

    question: str
    ticket: Ticket
    note: str = ""


def wanted(judgement: Judgement, *, only: str | None = None) -> tuple[Wanted, ...]:
    """Return the tickets that answers call for: of one item, or all of them.

    An item that calls for several has a ticket for each; neutral answers together have one.
    """
    found: list[Wanted] = []
    counted: dict[str, int] = {}
    for ticket in judgement.tickets:
        name = ticket.items[0] if len(ticket.items) == 1 else "neutral"
        counted[name] = counted.get(name, 0) + 1
        number = counted[name]
        if only is None or name == only:
            found.append(Wanted(name if number == 1 else f"{name}-{number}", ticket))
    if only is None and judgement.verdict is Verdict.DISSATISFIED and not found:
        whole = Ticket(items=judgement.decided_by, departments=judgement.departments, severity=1)
        found.append(Wanted(WHOLE, whole))
    return tuple(found)


async def link_voice(
    session: AsyncSession, task_id: str, item_id: str, attempt_id: str | None, path: str
) -> None:
    """Put what the customer said after a bad answer with the tickets that were opened for it before."""
    mine = (TicketRow.callback_ref == task_id, TicketRow.question_id.is_not(None))
    for ticket in await session.scalars(select(TicketRow).where(*mine)):
        about = ticket.question_id == item_id or (ticket.question_id or "").startswith(f"{item_id}-")
        if about and ticket.recording_ref in {None, attempt_id}:
            ticket.recording_ref = path


async def _responsible(session: AsyncSession, task: CallbackTaskRow) -> tuple[str | None, str | None]:
    """Return whose the case is that a callback is about; without one, of the customer's last problem.

    Of that problem also its key: what is said of it again is the same problem, fed back once more (CB-6).
    """
    if task.case_id is not None:
        case = await session.get(ServiceCase, task.case_id)
        return (case.department_code if case is not None else None), None
    mine = [ServiceCase.customer_id == task.customer_id, ServiceCase.kind == CaseKind.TICKET.value]
    if task.project_id is not None:
        mine.append(ServiceCase.project_id == task.project_id)
    query = (
        select(ServiceCase.department_code, TicketRow.problem_key)
        .outerjoin(TicketRow, TicketRow.case_id == ServiceCase.id)
        .where(*mine, or_(TicketRow.callback_ref.is_(None), TicketRow.callback_ref != task.id))
        .order_by(ServiceCase.opened_at.desc(), ServiceCase.id.desc())
    )
    found = (await session.execute(query.limit(1))).one_or_none()
    return (found.department_code, found.problem_key) if found is not None else (None, None)


class TalkTickets:
    """Opens tickets within a consumer's transaction."""

    def __init__(self, tickets: Tickets) -> None:
        self._tickets = tickets

    async def open(
        self, session: AsyncSession, actor: Actor, talk: Talk, one: TalkSet, found: Sequence[Wanted]
    ) -> list[str]:
        """Open tickets that are not open yet; return the cases."""
        task = await session.get_one(CallbackTaskRow, one.task_id)
        row = await session.get_one(CallbackTalkRow, talk.talk_id)
        opened = []
        for want in found:
            ticket = want.ticket
            wanted_of = ticket.departments or ANYBODY
            whose, key = await _responsible(session, task) if RESPONSIBLE in wanted_of else (None, None)
            codes = await self._departments(session, wanted_of, whose)
            question, answer = self._said(talk, one, ticket)
            voice = next((voice for item in ticket.items for voice in talk.voices.get(item, ())), None)
            source = CallbackSource(
                customer_id=task.customer_id,
                project_id=task.project_id,
                callback_ref=task.id,
                question_id=want.question,
                question=question[:MAX_QUESTION],
                answer=answer[:MAX_ANSWER],
                text=self._text(talk, one, want),
                recording_ref=voice.path if voice is not None else talk.attempt_id,
                call_id=talk.attempt_id,
                class_code=int(ComplaintClass.INTEGRITY) if ticket.confidential else None,
                specialist_id=row.by_id if row.by_id is not None and is_ulid(row.by_id) else None,
                specialist=row.by if row.by_id is not None else None,
                problem_key=key,
            )
            new = NewTicket(found=source, departments=codes, severity=Severity(ticket.severity))
            opened.append(await self._tickets.open_once_in(session, actor, new))
            if voice is not None:
                await link_voice(session, task.id, voice.item_id, talk.attempt_id, voice.path)
        return opened

    async def has_ticket(self, session: AsyncSession, task_id: str) -> bool:
        """Tell whether a callback has led to a ticket."""
        query = select(TicketRow.case_id).where(TicketRow.callback_ref == task_id).limit(1)
        return await session.scalar(query) is not None

    @staticmethod
    async def _departments(
        session: AsyncSession, codes: Sequence[str], responsible: str | None
    ) -> tuple[str, ...]:
        """Return the departments of the company that codes of a questionnaire mean, each once."""
        known = set(await session.scalars(select(Department.code)))
        found = [responsible if code == RESPONSIBLE else code for code in codes]
        return tuple(dict.fromkeys(code if code in known and code else SERVICE for code in found))

    @staticmethod
    def _said(talk: Talk, one: TalkSet, ticket: Ticket) -> tuple[str, str]:
        questions, answers = [], []
        for name in ticket.items:
            item, answer = one.item(name), talk.answers.get(name)
            if item is not None and answer is not None:
                questions.append(item.ask_agent or item.ask)
                answers.append(spelled(item, answer))
        return " ".join(questions), "；".join(answers)

    def _text(self, talk: Talk, one: TalkSet, want: Wanted) -> str:
        ticket = want.ticket
        said = [
            f"{item.ask_agent or item.ask}客户回答：{spelled(item, answer)}"
            for name in ticket.items
            if (item := one.item(name)) is not None and (answer := talk.answers.get(name)) is not None
        ]
        # The first line is what lists show of the ticket.
        lines = [f"{one.questionnaire.title}：{said[0] if said else ''}", *said[1:]]
        if want.note:
            lines.append(want.note)
        if ticket.care:
            lines.append("请关怀客户，了解原因。")
        if ticket.head_calls:
            lines.append("A级客户，请部门主管在受理时限内致电客户。")
        if ticket.listen_first:
            lines.append("请先听录音，再转责任部门。")
        return "\n".join(lines)[:MAX_TEXT]
