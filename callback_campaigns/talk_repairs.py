"""Repairs 报修 from what customers answered: registered while the call is still on (domain.md §3.7).

A step of the task knows each of them, so that an answer told twice, or given once more, is one repair.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.questionnaire import Do
from callback_campaigns.domain.questionnaire_verdict import Effect, Judgement
from callback_campaigns.domain.talk import TalkSet, spelled
from callback_campaigns.events import AnswerCorrected
from callback_campaigns.talk_store import Talk
from callback_campaigns.talk_tables import CallbackTalkRow
from callback_campaigns.task_store import add_step, locked, to_task
from callback_campaigns.task_tables import CallbackStepRow, CallbackTaskRow
from callback_campaigns.ticket_changes import NOT_THEM
from crm.domain.case import Severity, Source
from crm.notices.events import NoticeWanted
from crm.notices.links import case_page
from crm.repair_input import NewRepair
from crm.repairs import Repairs
from crm.tables import ServiceCase
from crm.ticket_corrected import CORRECTED
from kernel.access import Actor
from kernel.ids import is_ulid
from kernel.outbox import add_fact

STEP = "repair"
PLACE = "回访时反映，待确认"
ASKED = "回访时客户反映需要维修，请联系客户确认位置并安排。"
MAX_SYMPTOMS = 2000


def repair_orders(judgement: Judgement, *, only: str | None = None) -> tuple[Effect, ...]:
    """Return the repairs that answers call for: of one item, or of all."""
    return tuple(
        effect
        for effect in judgement.effects
        if effect.do is Do.REPAIR_ORDER and only in {None, effect.item_id}
    )


class TalkRepairs:
    """Registers repairs within a consumer's transaction."""

    def __init__(self, repairs: Repairs) -> None:
        self._repairs = repairs

    async def register(
        self, session: AsyncSession, actor: Actor, talk: Talk, one: TalkSet, effect: Effect
    ) -> str:
        """Register the repair of an answer unless the task has it already; return the case.

        Raises:
            HuifangError: the rules of repairs refuse it.
        """
        # Locked, so that what two consumers do for one task comes one after the other.
        (row,) = await locked(session, CallbackTaskRow.id == one.task_id)
        known = (await _known(session, row.id)).get(effect.item_id)
        if known is not None:
            return known
        held = await session.get_one(CallbackTalkRow, talk.talk_id)
        by_id = held.by_id
        item, answer = one.item(effect.item_id), talk.answers.get(effect.item_id)
        said = spelled(item, answer) if item is not None and answer is not None else ""
        asked = (item.ask_agent or item.ask) if item is not None else ""
        lines = [f"{one.questionnaire.title}：{asked}客户回答：{said}", ASKED]
        case_id = await self._repairs.register_in(
            session,
            actor,
            NewRepair(
                customer_id=row.customer_id,
                project_id=row.project_id,
                symptoms="\n".join(lines)[:MAX_SYMPTOMS],
                place=PLACE,
                source=Source.CALLBACK,
                severity=Severity(effect.severity),
                call_id=talk.attempt_id,
                specialist=(by_id, held.by) if by_id is not None and is_ulid(by_id) else None,
            ),
        )
        task = to_task(row)
        now = (await session.get_one(ServiceCase, case_id)).opened_at
        detail = {"item": effect.item_id, "case_id": case_id, "said": said}
        add_step(session, task, STEP, by=actor.name, now=now, was=task.status, detail=detail)
        return case_id

    async def corrected(self, session: AsyncSession, actor: Actor, talk: Talk, fact: AnswerCorrected) -> None:
        """Tell who tracks the repair of an answer that the customer answers otherwise now."""
        item, answer = talk.item(fact.item_id), talk.answers.get(fact.item_id)
        said = spelled(item, answer) if item is not None and answer is not None else ""
        case_id = (await _known(session, fact.task_id)).get(fact.item_id)
        if case_id is not None:
            await _tell(session, case_id, f"{CORRECTED}：{said}" if said else CORRECTED, fact.at)

    async def not_theirs(self, session: AsyncSession, talk: Talk, at: datetime) -> None:
        """Tell who tracks a repair that whoever asked for it was not the customer."""
        for one in talk.sets:
            for case_id in (await _known(session, one.task_id)).values():
                header = await session.get_one(ServiceCase, case_id)
                if header.call_id is not None and header.call_id == talk.attempt_id:
                    await _tell(session, case_id, NOT_THEM, at)


async def _tell(session: AsyncSession, case_id: str, said: str, at: datetime) -> None:
    header = await session.get_one(ServiceCase, case_id)
    add_fact(
        session,
        NoticeWanted(
            at=at,
            code="ticket.corrected",
            key=f"ticket.corrected|{header.id}|{said}"[:120],
            parameters={"no": header.no, "said": said[:200]},
            link=case_page(header.id),
            owner_department=header.department_code,
            specialist_user_id=header.specialist_id,
        ),
    )


async def _known(session: AsyncSession, task_id: str) -> dict[str, str]:
    """Return the repairs that a task has led to, by question."""
    mine = (CallbackStepRow.task_id == task_id, CallbackStepRow.step == STEP)
    found = await session.scalars(select(CallbackStepRow.detail).where(*mine))
    return {detail["item"]: detail["case_id"] for detail in found}
