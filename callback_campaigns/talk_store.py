"""Talks as rows: loaded whole, with what was answered in this talk and in those before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain import talk as rules
from callback_campaigns.domain.planning import NextAction
from callback_campaigns.domain.questionnaire import Answer, Answers, Item
from callback_campaigns.domain.questionnaire_conditions import Facts
from callback_campaigns.domain.talk import TalkEnding, TalkSet, Voice
from callback_campaigns.domain.terms import Channel, Verdict
from callback_campaigns.questionnaire_book import QuestionnaireBook
from callback_campaigns.questionnaire_views import Published
from callback_campaigns.talk_tables import (
    CallbackAnswerRow,
    CallbackTalkRow,
    CallbackTalkSetRow,
    CallbackVoiceRow,
)
from callback_campaigns.task_tables import CallbackTaskRow
from crm.domain.complaint import ComplaintClass
from crm.domain.customer import Level
from crm.tables import Customer, Project
from kernel.errors import NotFound
from kernel.ids import is_ulid

CURRENT = CallbackAnswerRow.replaced_at.is_(None)
WRONG_PERSON = "wrong_person"
CORRECTED = "corrected"


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkCustomer:
    """Whom one talks to."""

    customer_id: str
    name: str
    salutation: str
    level: Level
    elder: bool
    community: str
    contract_no: str
    preferred: tuple[time, time] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """A talk as whoever leads it needs it.

    Attributes:
        sets: the questions of each task; the first is the task that the call is about.
        items: what is to be asked, as the answers so far have it.
        answers: of this talk and of earlier attempts, by item.
        skipped: items that were passed over in this talk.
        bad: items with a bad answer.
        writers: who wrote each answer down, by item.
        by_id: the person who leads it; ``None`` for the machine and for forms.
        handed_over: a person goes on where the machine stopped.
        ended: ``None`` while it goes on; ``verdict`` and ``score`` are of the first task.
        next_action, next_task_id: what was decided of the next callback, and that callback.
        secret: items of which somebody found that the customer spoke of integrity.
        late: it was written down on a later day than it was heard (CB-12).
    """

    talk_id: str
    task_id: str
    attempt_id: str | None
    channel: Channel
    customer: TalkCustomer
    sets: tuple[TalkSet, ...]
    answers: Answers
    skipped: frozenset[str]
    voices: Mapping[str, tuple[Voice, ...]]
    bad: frozenset[str]
    opened_at: datetime
    by: str
    by_id: str | None = None
    writers: Mapping[str, str | None] = field(default_factory=dict)
    secret: frozenset[str] = frozenset()
    handed_over: bool = False
    ended: TalkEnding | None = None
    ended_at: datetime | None = None
    verdict: Verdict | None = None
    score: int | None = None
    late: bool = False
    next_action: NextAction | None = None
    next_task_id: str | None = None
    version: int = field(default=1)

    @property
    def questionnaire(self) -> Published:
        """What the task that the call is about asks."""
        first = self.sets[0]
        return Published(code=first.code, number=first.number, questionnaire=first.questionnaire)

    @property
    def facts(self) -> Facts:
        """What was known when the questions were chosen."""
        return self.sets[0].facts

    @property
    def items(self) -> tuple[Item, ...]:
        """The items to ask, in order."""
        return rules.planned(self.sets, self.channel, self.answers)

    @property
    def next_item(self) -> Item | None:
        """What is asked next; ``None`` when everything was answered or skipped."""
        return rules.next_item(self.sets, self.channel, self.answers, self.skipped)

    def item(self, item_id: str) -> Item | None:
        """Return an item of any of its sets."""
        return next((found for one in self.sets if (found := one.item(item_id)) is not None), None)


async def load_talk(
    session: AsyncSession, book: QuestionnaireBook, talk_id: str, *, for_change: bool = False
) -> tuple[CallbackTalkRow, Talk]:
    """Return a talk, and its row, locked if it is to change. Raises NotFound."""
    query = select(CallbackTalkRow).where(CallbackTalkRow.id == talk_id)
    if for_change:
        query = query.with_for_update()
    row = await session.scalar(query) if is_ulid(talk_id) else None
    if row is None:
        raise NotFound("no such talk", field="talk_id")
    return row, await to_talk(session, book, row)


async def to_talk(session: AsyncSession, book: QuestionnaireBook, row: CallbackTalkRow) -> Talk:
    """Return a talk with all that was answered to its tasks so far."""
    order = CallbackTalkSetRow.position
    query = select(CallbackTalkSetRow).where(CallbackTalkSetRow.talk_id == row.id).order_by(order)
    set_rows = (await session.scalars(query)).all()
    sets = tuple([await to_set(book, one) for one in set_rows])
    answer_rows = await _answer_rows(session, [one.task_id for one in set_rows], row)
    answers = {one.item_id: to_answer(one) for one in answer_rows}
    heard = select(CallbackVoiceRow).where(CallbackVoiceRow.talk_id == row.id)
    voices: dict[str, tuple[Voice, ...]] = {}
    secret = {one.item_id for one in answer_rows if one.class_code == ComplaintClass.INTEGRITY}
    for voice in await session.scalars(heard.order_by(CallbackVoiceRow.at, CallbackVoiceRow.id)):
        if voice.class_code == ComplaintClass.INTEGRITY:
            secret.add(voice.item_id)
        voices[voice.item_id] = (*voices.get(voice.item_id, ()), to_voice(voice))
    customer = await session.get_one(Customer, row.customer_id)
    channel = Channel(row.channel)
    bad = frozenset(
        finding.item_id for one in sets for finding in one.judged(channel, answers).findings if finding.bad
    )
    first = set_rows[0]
    return Talk(
        talk_id=row.id,
        task_id=row.task_id,
        attempt_id=row.attempt_id,
        channel=channel,
        customer=await _customer(session, customer, row.task_id),
        sets=sets,
        answers=answers,
        skipped=frozenset(row.skipped),
        voices=voices,
        bad=bad,
        opened_at=row.opened_at,
        by=row.by,
        by_id=row.by_id,
        writers={one.item_id: one.by_id for one in answer_rows},
        secret=frozenset(secret),
        handed_over=row.channel != row.began_channel,
        ended=TalkEnding(row.ending) if row.ending else None,
        ended_at=row.ended_at,
        verdict=Verdict(first.verdict) if first.verdict else None,
        score=first.score,
        late=row.late,
        next_action=NextAction(row.next_action) if row.next_action else None,
        next_task_id=row.next_task_id,
        version=row.version,
    )


async def answers_of(
    session: AsyncSession, task_ids: Sequence[str], row: CallbackTalkRow | None = None
) -> Answers:
    """Return the answers to tasks that hold, by item; of a talk that is over those it ended with."""
    return {one.item_id: to_answer(one) for one in await _answer_rows(session, task_ids, row)}


async def _answer_rows(
    session: AsyncSession, task_ids: Sequence[str], row: CallbackTalkRow | None
) -> Sequence[CallbackAnswerRow]:
    query = select(CallbackAnswerRow).where(CallbackAnswerRow.task_id.in_(task_ids))
    if row is None or row.ended_at is None:
        query = query.where(CURRENT)
    else:
        query = query.where(CallbackAnswerRow.at <= row.ended_at)
    found = await session.scalars(query.order_by(CallbackAnswerRow.at, CallbackAnswerRow.id))
    return [one for one in found if one.replaced_why != WRONG_PERSON]


def to_answer(row: CallbackAnswerRow) -> Answer:
    """Return an answer as the rules see it."""
    return Answer(
        values=tuple(row.choices),
        text=row.text,
        reason=row.reason,
        departments=tuple(row.departments),
        voice=row.voice_id or "",
    )


def to_voice(row: CallbackVoiceRow) -> Voice:
    """Return a recorded answer."""
    return Voice(
        voice_id=row.id,
        item_id=row.item_id,
        path=row.path,
        seconds=row.seconds,
        at=row.at,
        text=row.transcript,
    )


async def to_set(book: QuestionnaireBook, row: CallbackTalkSetRow) -> TalkSet:
    """Return the questions of one task, with what was known when they were chosen."""
    published = await book.published(row.code, row.number)
    carried: list[Item] = []
    for code, number, item_id in row.carried:
        item = (await book.published(code, number)).questionnaire.item(item_id)
        if item is not None:
            carried.append(item)
    known: dict[str, Any] = row.facts
    return TalkSet(
        task_id=row.task_id,
        code=row.code,
        number=row.number,
        questionnaire=published.questionnaire,
        level=Level(row.level),
        facts=known,
        carried=tuple(carried),
        verdict=Verdict(row.verdict) if row.verdict else None,
        score=row.score,
        departments=tuple(row.departments),
    )


async def _customer(session: AsyncSession, customer: Customer, task_id: str) -> TalkCustomer:
    task = await session.get_one(CallbackTaskRow, task_id)
    project = await session.get(Project, task.project_id) if task.project_id else None
    begin, end = customer.preferred_from, customer.preferred_until
    return TalkCustomer(
        customer_id=customer.id,
        name=customer.name,
        salutation=customer.salutation or "",
        level=Level(customer.level),
        elder=customer.elder_mode,
        community=(project.community if project else None) or "",
        contract_no=project.contract_no if project else "",
        preferred=(begin, end) if begin and end else None,
    )
