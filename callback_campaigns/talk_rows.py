"""Rows of talks and answers, with whom an answer rates as it is at that moment."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.questionnaire import Answer, Item
from callback_campaigns.domain.questionnaire_verdict import chosen
from callback_campaigns.domain.talk import TalkSet
from callback_campaigns.domain.terms import Channel
from callback_campaigns.talk_store import to_answer
from callback_campaigns.talk_tables import CallbackAnswerRow, CallbackTalkRow
from callback_campaigns.task_tables import CallbackTaskRow
from crm.cases import tidy_text
from crm.domain.lines import one_line
from crm.tables import Customer, Project
from kernel.errors import Invalid
from kernel.ids import new_ulid

MAX_TEXT = 2000
MAX_REASON = 500
MAX_DEPARTMENTS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who gave or wrote down an answer."""

    by: str
    by_id: str | None
    at: datetime


def checked(answer: Answer) -> Answer:
    """Return an answer within the limits of texts. Raises Invalid."""
    text = tidy_text(answer.text, field="text", limit=MAX_TEXT, required=False)
    if len(answer.departments) > MAX_DEPARTMENTS:
        raise Invalid(f"at most {MAX_DEPARTMENTS} departments", field="departments")
    reason = one_line(answer.reason, field="reason", limit=MAX_REASON) if answer.reason.strip() else ""
    return Answer(
        values=answer.values,
        text=text,
        reason=reason,
        departments=answer.departments,
        voice=answer.voice,
    )


def is_same(row: CallbackAnswerRow, answer: Answer) -> bool:
    """Tell whether an answer is the one that is there: told twice it is stored once."""
    return to_answer(row) == answer


async def new_answer(
    session: AsyncSession,
    talk: CallbackTalkRow,
    one: TalkSet,
    item: Item,
    answer: Answer,
    author: Author,
    *,
    bad: bool,
) -> CallbackAnswerRow:
    """Return the row of an answer; whoever it rates is named as they are now."""
    options = chosen(item, answer)
    scores = [option.score for option in options if option.score is not None]
    task = await session.get_one(CallbackTaskRow, one.task_id)
    project = await session.get(Project, task.project_id) if task.project_id else None
    customer = await session.get_one(Customer, task.customer_id)
    noted = author.by_id is not None and bool(answer.text)  # whoever wrote it down has heard it
    return CallbackAnswerRow(
        id=new_ulid(),
        talk_id=talk.id,
        task_id=one.task_id,
        code=one.code,
        number=one.number,
        item_id=item.id,
        choices=list(answer.values),
        text=answer.text,
        reason=answer.reason,
        departments=list(answer.departments),
        voice_id=answer.voice or None,
        channel=talk.channel,
        at=author.at,
        by=author.by[:80],
        by_id=author.by_id,
        heard_at=author.at if noted else None,
        heard_by=author.by[:80] if noted else None,
        kind=item.kind_for(Channel(talk.channel)).value,
        value=answer.values[0][:40] if answer.values else "",
        score=0 if bad and not scores else (min(scores) if scores else None),
        bad=bad,
        measure=item.measure,
        counts=any(option.counts for option in options),
        department=item.department,
        rated=f",{','.join(item.rated)}," if item.rated else "",
        project_id=task.project_id,
        store_id=(project.store_id if project else None) or customer.store_id,
        project_manager=project.project_manager if project else None,
        designer=project.designer if project else None,
        inspector=project.inspector if project else None,
        crew_id=project.crew_id if project else None,
    )
