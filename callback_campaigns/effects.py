"""What follows from callbacks outside of their tasks, carried out through the services of the CRM.

Every step is told as a fact in its own transaction; here each fact is taken once, in one transaction with the
mark that it was. What a service refuses by its rules is logged and let go: it would refuse it for ever.
"""

from collections.abc import Awaitable, Sequence

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.answer_effects import AnswerEffects, case_work
from callback_campaigns.case_results import CaseResults
from callback_campaigns.domain.plan_rules import PlanRules
from callback_campaigns.domain.questionnaire import Do
from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.domain.task import Effect, TaskStatus
from callback_campaigns.domain.terms import CallbackType, Channel
from callback_campaigns.events import (
    AnswerCorrected,
    CallbackMoved,
    TalkEnded,
    TalkTicketsWanted,
    VoiceUnderstood,
)
from callback_campaigns.forms import make_link
from callback_campaigns.questionnaire_book import QuestionnaireBook
from callback_campaigns.revisits import Revisits
from callback_campaigns.spoken_answers import SpokenAnswers
from callback_campaigns.talk_repairs import TalkRepairs, repair_orders
from callback_campaigns.talk_store import Talk, load_talk
from callback_campaigns.talk_tables import CallbackTalkRow
from callback_campaigns.talk_tickets import WHOLE, TalkTickets, wanted
from callback_campaigns.task_tables import CallbackTaskRow
from callback_campaigns.tasks import CallbackTasks
from callback_campaigns.ticket_changes import TicketChanges
from crm.complaint_end import ComplaintEnd
from crm.consents import Consents
from crm.do_not_call import DoNotCall
from crm.domain.customer import Level
from crm.domain.freeze import RefusalLevel, RefusalSource
from crm.domain.stages import DELIVERY_STEPS, Delivery
from crm.notices.events import CustomerMessageWanted, NoticeWanted
from crm.notices.links import customer_page
from crm.office import Office
from crm.repairs import Repairs
from crm.stages import ProjectStages
from crm.tables import Project, ServiceCase
from crm.ticket_services import TicketServices
from crm.timeline import Channel as Line
from crm.timeline import add as add_line
from kernel.access import Actor
from kernel.errors import HuifangError
from kernel.events import Event
from kernel.outbox import add_fact

log = structlog.get_logger(__name__)

FACTS: tuple[type[Event], ...] = (
    CallbackMoved,
    TalkTicketsWanted,
    AnswerCorrected,
    TalkEnded,
    VoiceUnderstood,
)
ACTOR = Actor.system("callbacks")
TO_CALLED = (Delivery.PREPARED, Delivery.CALLED)
TO_FAILED = (Delivery.PREPARED, Delivery.FAILED)


class CallbackEffects:
    """Takes the facts of callbacks.

    Args:
        page_url: where the centre's pages are reached from outside; without it no forms are sent.
    """

    def __init__(
        self,
        office: Office,
        book: QuestionnaireBook,
        plan: PlanRules,
        *,
        tasks: CallbackTasks,
        tickets: TicketServices,
        complaints: ComplaintEnd,
        repairs: Repairs,
        do_not_call: DoNotCall,
        consents: Consents,
        stages: ProjectStages,
        page_url: str = "",
    ) -> None:
        self._office = office
        self._book = book
        self._plan = plan
        self._tickets = TalkTickets(tickets.tickets)
        self._spoken = SpokenAnswers(office, book, tasks, tickets.tickets)
        self._revisits = Revisits(tickets.end)
        self._changes = TicketChanges(tickets.corrections)
        self._repairs = TalkRepairs(repairs)
        self._cases = CaseResults(complaints, repairs)
        self._answers = AnswerEffects(office.journal, do_not_call, consents)
        self._refusals = do_not_call
        self._stages = stages
        self._page_url = page_url.rstrip("/")

    async def take(self, session: AsyncSession, fact: Event) -> None:
        """Do what a fact of a callback calls for; told twice, it is done once."""
        match fact:
            case TalkTicketsWanted():
                _, talk = await load_talk(session, self._book, fact.talk_id)
                await self._open_tickets(session, talk, only=fact.item_id)
            case AnswerCorrected():
                _, talk = await load_talk(session, self._book, fact.talk_id)
                step = self._changes.corrected(session, ACTOR, talk, fact)
                await self._guarded(session, "ticket_corrected", step)
                step = self._repairs.corrected(session, ACTOR, talk, fact)
                await self._guarded(session, "repair_corrected", step)
            case TalkEnded():
                # First of all: what follows from a result follows from the one that holds.
                await self._guarded(session, "spoken", self._spoken.ended(session, fact.talk_id))
                await self._ended(session, fact)
            case VoiceUnderstood():
                await self._understood(session, fact)
            case CallbackMoved():
                for word in fact.effects:
                    await self._guarded(session, word, self._moved(session, fact, Effect(word)))
                if fact.status == TaskStatus.UNREACHED.value:
                    told = self._revisits.not_reached(session, ACTOR, fact.task_id, at=fact.at)
                    await self._guarded(session, "revisit", told)
            case _:
                pass

    async def _understood(self, session: AsyncSession, fact: VoiceUnderstood) -> None:
        """Do what follows from words; of a bad answer that they explain the ticket is opened now."""
        about = await self._spoken.problem(session, fact.voice_id)
        if about is not None:
            _, talk = await load_talk(session, self._book, about.talk_id)
            if about.item_id in talk.bad:
                await self._open_tickets(session, talk, only=about.item_id)
        step = self._spoken.understood(session, ACTOR, fact.voice_id)
        await self._guarded(session, "spoken", step)

    async def _ended(self, session: AsyncSession, fact: TalkEnded) -> None:
        row, talk = await load_talk(session, self._book, fact.talk_id)
        await self._on_timeline(session, row, talk, fact)
        if talk.ended is TalkEnding.WRONG_PERSON:
            step = self._changes.not_theirs(session, ACTOR, talk)
            await self._guarded(session, "ticket_taken_back", step)
            await self._repairs.not_theirs(session, talk, fact.at)
            return
        told: set[str] = set()
        for one in talk.sets:
            case_id = await self._cases.concerns(session, talk, one) if one.task_id in fact.kept_ids else None
            if case_id is not None:
                step = self._cases.tell(session, ACTOR, talk, one, case_id)
                if await self._guarded(session, "case", step):
                    told.add(one.task_id)
        await self._open_tickets(session, talk, told=frozenset(told))
        for one in talk.sets:
            if one.task_id in fact.kept_ids:
                asked_again = await self._revisits.tickets(session, one.task_id, talk.talk_id)
                for question, (case_id, waits) in asked_again.items():
                    if waits:
                        step = self._revisits.tell(session, ACTOR, talk, one, case_id, question)
                        await self._guarded(session, "revisit", step)
            for effect in one.judged(talk.channel, talk.answers).effects:
                step = self._answers.carry_out(session, ACTOR, talk, one, effect, fact.at)
                await self._guarded(session, effect.do, step)

    async def _open_tickets(
        self,
        session: AsyncSession,
        talk: Talk,
        *,
        only: str | None = None,
        told: frozenset[str] = frozenset(),
    ) -> None:
        for one in talk.sets:
            judgement = one.judged(talk.channel, talk.answers)
            found, work = wanted(judgement, only=only), case_work(judgement, only=only)
            if one.task_id in told or (only is not None and await self._cases.has_case(session, one)):
                # The case goes on by its own rules, and hears of it when the talk has ended: its department
                # needs no ticket besides. A new problem is another matter.
                work = tuple(want for want in work if want.question.endswith(f"-{Do.NEW_CASE}"))
            orders = repair_orders(judgement, only=only)
            if work or orders or one.task_id in told:
                found = tuple(want for want in found if want.question != WHOLE)
            found += work
            asked_again = await self._revisits.tickets(session, one.task_id, talk.talk_id)
            for want in found:
                if want.question in asked_again:
                    continue  # its ticket hears of it when the talk has ended
                await self._guarded(session, "ticket", self._tickets.open(session, ACTOR, talk, one, [want]))
            for order in orders:
                if f"{order.item_id}-{order.do}" in asked_again:
                    continue  # so did a ticket, before repairs were registered at once
                await self._guarded(
                    session, "repair", self._repairs.register(session, ACTOR, talk, one, order)
                )

    async def _on_timeline(
        self, session: AsyncSession, row: CallbackTalkRow, talk: Talk, fact: TalkEnded
    ) -> None:
        """Put the talk on the customer's time line, with what it came to."""
        result = talk.verdict.value if fact.verdict and talk.verdict else fact.verdict or fact.ending
        titles = [one.questionnaire.title for one in talk.sets]
        tasks = [await session.get_one(CallbackTaskRow, one.task_id) for one in talk.sets]
        asked_again = await self._revisits.tickets(session, talk.task_id, talk.talk_id)
        case_id = tasks[0].case_id or next((case_id for case_id, _ in asked_again.values()), None)
        case = await session.get(ServiceCase, case_id) if case_id is not None else None
        await add_line(
            session,
            fact.customer_id,
            at=row.opened_at,
            channel=Line.CALLBACK,
            direction="in" if talk.channel is Channel.SMS_FORM else "out",
            ref=talk.talk_id,
            result=result,
            agent=talk.by if row.by_id else None,
            detail={
                "task_id": talk.task_id,
                "title": "、".join(titles),
                "kinds": [task.kind for task in tasks],
                "score": talk.score,
                "answers": len(talk.answers),
                "channel": talk.channel.value,
                "call_id": talk.attempt_id,
                "voices": sum(len(voices) for voices in talk.voices.values()),
                "late": talk.late,
                **({"case_id": case.id, "no": case.no} if case is not None else {}),
            },
        )

    async def _moved(self, session: AsyncSession, fact: CallbackMoved, effect: Effect) -> None:
        match effect:
            case Effect.DO_NOT_CALL:
                await self._refusals.add_in(
                    session,
                    ACTOR,
                    level=int(RefusalLevel.SURVEYS),
                    source=await self._said_by(session, fact),
                    evidence=f"callback:{fact.task_id}",
                    customer_id=fact.customer_id,
                )
            case Effect.SEND_FORM:
                await self._send_form(session, fact)
            case Effect.TO_PERSON:
                self._notice(session, fact, "callback.person")
            case Effect.TELL_MANAGER:
                unreached = fact.status == TaskStatus.UNREACHED.value
                self._notice(session, fact, "callback.unreached" if unreached else "callback.manager")
            case Effect.NUMBER_FIX:
                self._notice(session, fact, "callback.number")
            case Effect.ASK_IF_NEEDED:
                self._notice(session, fact, "callback.needed")
            case Effect.HANDOVER_YES:
                await self._hand_over(session, fact, TO_CALLED, "完工回访成功")
                task = await session.get_one(CallbackTaskRow, fact.task_id)
                if task.level == Level.A.value:
                    self._notice(session, fact, "callback.thanks")
            case Effect.HANDOVER_FAILED:
                await self._hand_over(session, fact, TO_FAILED, "完工回访不满意")
            case Effect.HANDOVER_NOT_REACHED:
                await self._hand_over(session, fact, (Delivery.NOT,), "完工回访未联系上")
            case Effect.INVALID_ATTEMPT:
                pass  # kept with the task

    async def _said_by(self, session: AsyncSession, fact: CallbackMoved) -> str:
        query = select(CallbackTalkRow.channel).where(CallbackTalkRow.attempt_id == fact.attempt_id)
        channel = await session.scalar(query) if fact.attempt_id is not None else None
        return (RefusalSource.KEY_9 if channel == Channel.IVR.value else RefusalSource.AGENT).value

    async def _send_form(self, session: AsyncSession, fact: CallbackMoved) -> None:
        if not self._page_url:
            log.warning("callback_form_not_sent", task_id=fact.task_id, why="no notices.page_url")
            return
        task = await session.get_one(CallbackTaskRow, fact.task_id)
        if task.status != TaskStatus.UNREACHED.value:
            return
        token = await make_link(session, self._office, fact.task_id)
        if token is not None:
            add_fact(
                session,
                CustomerMessageWanted(
                    at=self._office.now(),
                    customer_id=fact.customer_id,
                    template="callback.form",
                    key=f"callback.form|{fact.task_id}",
                    parameters={"title": self._name(fact.kind), "link": f"{self._page_url}/f/{token}"},
                ),
            )

    def _notice(self, session: AsyncSession, fact: CallbackMoved, code: str) -> None:
        add_fact(
            session,
            NoticeWanted(
                at=self._office.now(),
                code=code,
                key=f"{code}|{fact.task_id}|{fact.attempt_id or ''}",
                parameters={"customer": fact.customer_id, "title": self._name(fact.kind)},
                link=customer_page(fact.customer_id),
            ),
        )

    def _name(self, kind: str) -> str:
        return self._plan.types[CallbackType(kind)].name

    async def _hand_over(
        self, session: AsyncSession, fact: CallbackMoved, way: Sequence[Delivery], why: str
    ) -> None:
        """Move the hand-over of the project; where it stands already it stays."""
        if fact.project_id is None:
            return
        project = await session.get(Project, fact.project_id)
        if project is None:
            return
        at = Delivery(project.delivery_state)
        for to in way:
            if at is way[-1]:
                return
            if to in DELIVERY_STEPS[at]:
                await self._stages.move_delivery_in(
                    session, ACTOR, fact.project_id, to, expected=None, why=why
                )
                at = to

    async def _guarded(self, session: AsyncSession, what: str, step: Awaitable[object]) -> bool:
        """Take a step; what the rules of the CRM refuse leaves nothing behind and stops nothing else."""
        try:
            async with session.begin_nested():
                await step
                return True
        except HuifangError as error:
            if error.retryable:
                raise
            log.warning("callback_effect_refused", effect=str(what), error=error.code, reason=error.message)
            return False
