"""What answers set going besides tickets: who is told, what is kept, what is sent (domain.md §3.0)."""

import contextlib
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.questionnaire import Do
from callback_campaigns.domain.questionnaire_verdict import Effect, Judgement, Ticket
from callback_campaigns.domain.talk import TalkSet, spelled
from callback_campaigns.talk_store import Talk
from callback_campaigns.talk_tables import CallbackTalkRow
from callback_campaigns.talk_tickets import RESPONSIBLE, SERVICE, Wanted
from callback_campaigns.task_tables import CallbackTaskRow
from crm.consents import Consents
from crm.do_not_call import DoNotCall
from crm.domain.freeze import ConsentBasis, ConsentPurpose, RefusalLevel, RefusalSource
from crm.journal import Journal
from crm.notices.events import CustomerMessageWanted, NoticeWanted
from crm.notices.links import case_page, customer_page
from crm.tables import Customer, Project, ServiceCase
from kernel.access import Actor
from kernel.errors import Conflict
from kernel.outbox import add_fact

CASE_WORK: Mapping[Do, str] = {
    Do.REOPEN: "客户表示此前反映的问题没有解决，请重新处理。",
    Do.RETURN_CASE: "客户表示责任部门没有联系，请退回部门并督办。",
    Do.KEEP_OPEN: "客户表示问题尚未处理完，请继续跟进并重新约定时间。",
    Do.NEXT_ROUND: "客户对处理结果不满意，请进入下一轮处理。",
    Do.NEW_CASE: "客户反映了新问题，请登记并处理。",
    Do.REROUTE: "客户表示原施工队没有联系，请改派。",
    Do.VISIT_AGAIN: "客户表示没有修好，请再次上门。",
}
"""What an answer asks of the department that has the case; it goes to its desk as a ticket."""
ROLES = {"SPC": "role:agent", "MGR": "role:manager", "GM": "role:general_manager", "RCP": "role:captain"}
CHANNELS = frozenset({"phone", "wechat", "sms"})


def case_work(judgement: Judgement, *, only: str | None = None) -> tuple[Wanted, ...]:
    """Return the tickets for what departments are asked to do again: of one item, or of all."""
    return tuple(
        Wanted(
            f"{effect.item_id}-{effect.do}",
            Ticket(items=(effect.item_id,), departments=effect.to or (SERVICE,), severity=1),
            CASE_WORK[effect.do],
        )
        for effect in judgement.effects
        if effect.do in CASE_WORK and only in {None, effect.item_id}
    )


class AnswerEffects:
    """Carries them out within a consumer's transaction."""

    def __init__(self, journal: Journal, do_not_call: DoNotCall, consents: Consents) -> None:
        self._journal = journal
        self._refusals = do_not_call
        self._consents = consents

    async def carry_out(
        self, session: AsyncSession, actor: Actor, talk: Talk, one: TalkSet, effect: Effect, at: datetime
    ) -> None:
        """Carry out one effect of an answer. Raises HuifangError."""
        match effect.do:
            case Do.INFORM | Do.CALL | Do.REMIND:
                await self._tell(session, talk, one, effect, at)
            case Do.NOTE if RESPONSIBLE in effect.to:
                # Whoever has the case hears of it (TS3); other notes are read in the record.
                await self._tell(session, talk, one, effect, at)
            case Do.STORE:
                await self._store(session, actor, talk, effect)
            case Do.SEND:
                await self._send(session, one, effect, at)
            case _:
                pass  # noted in the record, counted in figures, asked again, or a ticket

    async def _tell(
        self, session: AsyncSession, talk: Talk, one: TalkSet, effect: Effect, at: datetime
    ) -> None:
        task = await session.get_one(CallbackTaskRow, one.task_id)
        row = await session.get_one(CallbackTalkRow, talk.talk_id)
        item, answer = one.item(effect.item_id), talk.answers.get(effect.item_id)
        said = f"{item.ask_agent or item.ask}{spelled(item, answer)}" if item and answer else ""
        code = {Do.INFORM: "callback.bad", Do.CALL: "callback.call"}.get(effect.do, "callback.remind")
        case = await session.get(ServiceCase, task.case_id) if task.case_id is not None else None
        whose = case.department_code if case is not None else None
        named = [whose if name == RESPONSIBLE else name for name in effect.to]
        also = tuple(ROLES.get(name, f"department:{name}") for name in named if name is not None)
        add_fact(
            session,
            NoticeWanted(
                at=at,
                code=code,
                key=f"{code}|{one.task_id}|{effect.item_id}",
                parameters={
                    "customer": task.customer_id,
                    "said": said[:200],
                    "within": within(effect.within),
                },
                link=case_page(task.case_id) if task.case_id else customer_page(task.customer_id),
                specialist_user_id=row.by_id,
                also=also,
            ),
        )

    async def _store(self, session: AsyncSession, actor: Actor, talk: Talk, effect: Effect) -> None:
        customer_id, said = talk.customer.customer_id, effect.value
        evidence = f"callback:{talk.talk_id}#{effect.item_id}"
        if effect.detail == "preferred_channel" and said in CHANNELS:
            customer = await session.get_one(Customer, customer_id)
            before, customer.preferred_channel = customer.preferred_channel, said
            await session.flush()
            await self._journal.note(
                session,
                actor,
                "customer_changed",
                entity="customer",
                entity_id=customer_id,
                before={"preferred_channel": before},
                after={"preferred_channel": said},
                why=evidence,
            )
        elif said == "declines":
            never = RefusalLevel.ALL if effect.detail == "contact_consent" else RefusalLevel.MARKETING
            await self._refusals.add_in(
                session,
                actor,
                level=int(never),
                source=RefusalSource.AGENT.value,
                evidence=evidence,
                customer_id=customer_id,
            )
        elif said == "consents" and effect.detail == "marketing_consent":
            with contextlib.suppress(Conflict):  # they had agreed before
                await self._consents.give_in(
                    session,
                    actor,
                    customer_id,
                    purpose=ConsentPurpose.MARKETING_CALL.value,
                    basis=ConsentBasis.CONSENT.value,
                    evidence=evidence,
                    text_version=f"{effect.item_id}/{talk.questionnaire.number}",
                )

    @staticmethod
    async def _send(session: AsyncSession, one: TalkSet, effect: Effect, at: datetime) -> None:
        task = await session.get_one(CallbackTaskRow, one.task_id)
        project = await session.get(Project, task.project_id) if task.project_id else None
        if effect.detail != "warranty_facts" or project is None or project.warranty_until is None:
            return
        add_fact(
            session,
            CustomerMessageWanted(
                at=at,
                customer_id=task.customer_id,
                template="warranty.facts",
                key=f"warranty.facts|{one.task_id}",
                parameters={"until": project.warranty_until.isoformat()},
            ),
        )


def within(text: str) -> str:
    """Return a length in words: ``3sh`` service hours, ``24h`` natural hours, ``1wd`` working days."""
    for unit, word in (("sh", "个服务小时内"), ("wd", "个工作日内"), ("h", "小时内")):
        if text.endswith(unit):
            return f"{text.removesuffix(unit)}{word}"
    return "尽快"
