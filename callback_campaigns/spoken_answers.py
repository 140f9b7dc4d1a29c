"""What follows from an answer in the customer's own words, once it is text (domain.md §3.0).

A problem is on a department's desk at once, and makes the result worse; a wish to be called is kept. What is
not certain follows nothing: a person listens. Nothing said here ever makes a result better than the keys did.
"""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.answer_said import asked_in, question_id
from callback_campaigns.domain import task_steps
from callback_campaigns.domain.questionnaire import Item
from callback_campaigns.domain.result import Finding, ResultCode
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import Verdict
from callback_campaigns.questionnaire_book import QuestionnaireBook
from callback_campaigns.talk_store import WRONG_PERSON
from callback_campaigns.talk_tables import CallbackTalkRow, CallbackTalkSetRow, CallbackVoiceRow
from callback_campaigns.talk_tickets import SERVICE
from callback_campaigns.task_store import locked, to_task
from callback_campaigns.task_tables import CallbackTaskRow
from callback_campaigns.tasks import CallbackTasks
from callback_campaigns.voice_mail import wants_person
from crm.domain.case import Severity
from crm.domain.complaint import FIRST_DEPARTMENT, ComplaintClass
from crm.domain.spoken import SURE, Opinion
from crm.office import Office
from crm.tables import Contact, Department, ServiceCase
from crm.ticket_tables import TicketRow
from crm.ticket_views import CallbackSource, NewTicket
from crm.tickets import Tickets
from crm.timeline import Channel as Line
from kernel.access import Actor

BY = "speech"
MAX_SAID = 400
MAX_QUESTION = 200
MAX_EXPLAINED = 2000
MESSAGE = "message"
"""Instead of a question: what was said to none."""
KEPT = frozenset({TaskStatus.DONE, TaskStatus.PARTIAL})


class SpokenAnswers:
    """Carries it out within a consumer's transaction; told twice, it is done once."""

    def __init__(
        self, office: Office, book: QuestionnaireBook, tasks: CallbackTasks, tickets: Tickets
    ) -> None:
        self._office = office
        self._book = book
        self._tasks = tasks
        self._tickets = tickets

    async def problem(self, session: AsyncSession, voice_id: str) -> CallbackVoiceRow | None:
        """Return what was said if it is certainly a problem, and nobody has looked after it."""
        row = await session.get(CallbackVoiceRow, voice_id)
        bad = row is not None and row.opinion == Opinion.DISSATISFIED.value and row.opinion_sure >= SURE
        return row if row is not None and bad and row.classed_at is None else None

    async def understood(self, session: AsyncSession, actor: Actor, voice_id: str) -> None:
        """Do what an answer calls for. What a person has classified already is theirs to pass on."""
        row = await session.get(CallbackVoiceRow, voice_id)
        if row is None or row.opinion_sure < SURE or row.classed_at is not None:
            return
        talk = await session.get_one(CallbackTalkRow, row.talk_id)
        if talk.ending == WRONG_PERSON:
            return
        if row.opinion == Opinion.CALL.value:
            await wants_person(session, talk, row.id, row.at)
        elif row.opinion == Opinion.DISSATISFIED.value:
            await self._ticket(session, actor, row, talk)
            await self._worse(session, row)

    async def ended(self, session: AsyncSession, talk_id: str) -> None:
        """Make the results of a talk follow what was understood before it ended."""
        said = select(CallbackVoiceRow).where(
            CallbackVoiceRow.talk_id == talk_id,
            CallbackVoiceRow.opinion == Opinion.DISSATISFIED.value,
            CallbackVoiceRow.opinion_sure >= SURE,
            CallbackVoiceRow.classed_at.is_(None),
        )
        for row in (await session.scalars(said.order_by(CallbackVoiceRow.id))).all():
            await self._worse(session, row)

    async def _ticket(
        self, session: AsyncSession, actor: Actor, row: CallbackVoiceRow, talk: CallbackTalkRow
    ) -> None:
        """Put the words on the ticket that the same question has led to, or open one."""
        if await self._added(session, row):
            return
        task = await session.get_one(CallbackTaskRow, row.task_id)
        item, title = await self._asked(session, row)
        asked = ((item.ask_agent or item.ask) if item is not None else "")[:MAX_QUESTION]
        said = row.transcript[:MAX_SAID]
        text = f"{title}：客户留言：{said}\n由录音识别，请先听录音再联系客户。"
        source = CallbackSource(
            customer_id=task.customer_id,
            project_id=task.project_id,
            callback_ref=task.id,
            question_id=question_id(row),
            question=asked,
            answer=said,
            text=text,
            recording_ref=row.path,
            call_id=talk.attempt_id,
            class_code=row.class_code or None,
        )
        new = NewTicket(
            found=source,
            departments=(await self._department(session, row, item),),
            severity=Severity(min(max(row.opinion_severity, 1), 2)),
        )
        await self._tickets.open_once_in(session, actor, new)

    async def _added(self, session: AsyncSession, row: CallbackVoiceRow) -> bool:
        """Add what was said to the ticket of a bad answer to the same question, if there is one."""
        if not row.item_id:
            return False
        mine = (TicketRow.callback_ref == row.task_id, TicketRow.question_id.is_not(None))
        own, note = question_id(row), f"（客户留言：{row.transcript}）"
        for ticket in (await session.scalars(select(TicketRow).where(*mine))).all():
            about = ticket.question_id or ""
            if about == own:
                return True
            if about == row.item_id or (about.startswith(f"{row.item_id}-") and len(about) < len(own)):
                room = MAX_SAID - len(ticket.answer)
                if note not in ticket.answer and room > len("（客户留言：…）"):
                    ticket.answer += note if len(note) <= room else f"{note[: room - 2]}…）"
                return True
        return False

    async def _worse(self, session: AsyncSession, row: CallbackVoiceRow) -> None:
        """Make the result dissatisfied, once there is one."""
        (locked_task,) = await locked(session, CallbackTaskRow.id == row.task_id)
        task, found = to_task(locked_task), to_task(locked_task).finding
        if task.status not in KEPT or found is None or found.verdict is Verdict.DISSATISFIED:
            return
        item, _ = await self._asked(session, row)
        department = await self._department(session, row, item)
        said = f"客户留言：{row.transcript}"
        worse = Finding(
            code=ResultCode.PROBLEM,
            verdict=Verdict.DISSATISFIED,
            done_at=found.done_at,
            score=found.score,
            problem_code=row.item_id or MESSAGE,
            explanation="\n".join(part for part in (found.explanation, said) if part)[:MAX_EXPLAINED],
            departments=(department,),
        )
        await self._tasks.apply_to(
            session,
            locked_task,
            "spoke_of_problem",
            lambda one: task_steps.spoke_of_problem(one, worse),
            by=BY,
        )
        mine = (CallbackTalkSetRow.task_id == row.task_id, CallbackTalkSetRow.kept)
        for one in (await session.scalars(select(CallbackTalkSetRow).where(*mine))).all():
            one.verdict, one.departments = Verdict.DISSATISFIED.value, [department]
            one.decided_by = [row.item_id or MESSAGE]
            line = select(Contact).where(Contact.channel == Line.CALLBACK.value, Contact.ref == one.talk_id)
            for contact in (await session.scalars(line)).all():
                contact.result = Verdict.DISSATISFIED.value

    async def _asked(self, session: AsyncSession, row: CallbackVoiceRow) -> tuple[Item | None, str]:
        """Return the question that it was said to, and the name of what was asked."""
        mine = (CallbackTalkSetRow.talk_id == row.talk_id, CallbackTalkSetRow.task_id == row.task_id)
        asked = (await session.scalars(select(CallbackTalkSetRow).where(*mine))).one()
        published = await self._book.published(asked.code, asked.number)
        return await asked_in(self._book, row, asked), published.questionnaire.title

    async def _department(self, session: AsyncSession, row: CallbackVoiceRow, item: Item | None) -> str:
        """Return whom it concerns: by what is said, else by the question, else customer service listens."""
        wanted = FIRST_DEPARTMENT[ComplaintClass(row.class_code)] if row.class_code else None
        named = [wanted] if wanted else []
        if item is not None:
            named += [code for option in item.options for rule in option.rules for code in rule.to]
        task = await session.get_one(CallbackTaskRow, row.task_id)
        if not named and task.case_id is not None:
            case = await session.get(ServiceCase, task.case_id)
            named = [case.department_code] if case is not None and case.department_code else []
        known = set(await session.scalars(select(Department.code)))
        return next((code for code in named if code in known), SERVICE)
