"""Talks with customers: opened, answered, ended, each answer kept from the moment it was given.

Whatever ends a talk, a process that dies included, what was answered stays: the next attempt goes on from
there. A result moves the task by its rules in the same transaction; what follows from that is told by facts.
"""

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.contact_hours import ContactHours
from callback_campaigns.domain.dial_rules import DialFile
from callback_campaigns.domain.plan_rules import PlanRules
from callback_campaigns.domain.planning import NextSetting
from callback_campaigns.domain.questionnaire import Answer, Item, ItemKind, NoSuchAnswer
from callback_campaigns.domain.result import check_reader, check_recordable
from callback_campaigns.domain.survey import MAILBOX
from callback_campaigns.domain.talk import MAX_EXPLAINED, TalkEnding, TalkSet
from callback_campaigns.domain.terms import CallbackType, Channel
from callback_campaigns.events import AnswerCorrected, TalkTicketsWanted, VoiceKept
from callback_campaigns.questionnaire_book import QuestionnaireBook
from callback_campaigns.questionnaire_views import Published
from callback_campaigns.questions_of import questions_of
from callback_campaigns.talk_access import CallNow, call_now, check_leads, talk_of_call
from callback_campaigns.talk_closing import DECLINED, OPEN_STATUS, Ending, TalkClosing
from callback_campaigns.talk_facts import complaints_unaccepted
from callback_campaigns.talk_opening import Wanted, answered, asked_before, others, set_row, talk_there
from callback_campaigns.talk_rows import Author, checked, is_same, new_answer
from callback_campaigns.talk_store import CORRECTED, CURRENT, Talk, load_talk, to_talk
from callback_campaigns.talk_tables import (
    CallbackAnswerRow,
    CallbackTalkRow,
    CallbackTalkSetRow,
    CallbackVoiceRow,
)
from callback_campaigns.talk_tickets import link_voice
from callback_campaigns.task_hours import carrier_hours
from callback_campaigns.task_store import locked, to_task
from callback_campaigns.task_tables import CallbackTaskRow
from callback_campaigns.tasks import TIMERS, CallbackTasks
from callback_campaigns.voice_mail import wants_person
from crm.domain.machine import IllegalStep
from crm.office import Office
from kernel.access import Actor
from kernel.errors import Conflict, Invalid, NotFound
from kernel.ids import is_ulid, new_ulid
from kernel.outbox import add_fact

__all__ = ["Talk", "TalkEnding", "TalkOver", "Talks"]

MAX_PATH = 200
FALLBACK = "JG"
"""What kinds of callbacks ask that have no questionnaire of their own."""


class TalkOver(Conflict):
    """The talk has ended."""

    code = "talk_over"


class Talks:
    """Leads talks. ``actor`` is who asks, ``None`` for the system; ``by`` is the name to write down."""

    def __init__(
        self,
        office: Office,
        tasks: CallbackTasks,
        book: QuestionnaireBook,
        plan: PlanRules,
        dialling: DialFile,
    ) -> None:
        self._office = office
        self._tasks = tasks
        self._book = book
        self._plan = plan
        self._dialling = dialling
        self._closing = TalkClosing(office, tasks, dialling)

    async def asks(self, task_id: str) -> Published:
        """Return what a task asks: the version that it was asked first, once it was. Raises NotFound."""
        async with self._office.database.session() as session:
            row = await session.get(CallbackTaskRow, task_id) if is_ulid(task_id) else None
            if row is None:
                raise NotFound("no such callback task", field="task_id")
            asked, kind = await asked_before(session, task_id), await questions_of(session, row)
        if asked is not None:
            return await self._book.published(*asked)
        return await self._published(kind)

    async def get(self, talk_id: str) -> Talk:
        """Return a talk. Raises NotFound."""
        await self._book.published(FALLBACK)
        async with self._office.database.session() as session:
            return (await load_talk(session, self._book, talk_id))[1]

    async def of_task(self, task_id: str) -> Talk | None:
        """Return the talk about a task that goes on, or the last one."""
        await self._book.published(FALLBACK)
        query = (
            select(CallbackTalkRow)
            .join(CallbackTalkSetRow, CallbackTalkSetRow.talk_id == CallbackTalkRow.id)
            .where(CallbackTalkSetRow.task_id == task_id)
            .order_by(CallbackTalkRow.ended_at.is_(None).desc(), CallbackTalkRow.id.desc())
            .limit(1)
        )
        async with self._office.database.session() as session:
            row = await session.scalar(query)
            return await to_talk(session, self._book, row) if row is not None else None

    async def of_attempt(self, attempt_id: str) -> Talk | None:
        """Return the talk of a call; ``None`` if there was none."""
        async with self._office.database.session() as session:
            found = await talk_of_call(session, attempt_id)
        return await self.get(found) if found is not None else None

    async def call(self, actor: Actor, call_id: str) -> CallNow | None:
        """Return the call about a task; ``None`` for any other call. Raises Forbidden."""
        check_reader(actor)
        async with self._office.database.session() as session:
            return await call_now(session, call_id)

    async def take_over(self, talk_id: str, actor: Actor) -> Talk:
        """Let a person go on with a talk whose call they are in: the machine's, or a colleague's.

        Raises:
            Forbidden: the role works no callbacks.
            NotFound: no such talk.
        """
        check_reader(actor)
        await self._book.published(FALLBACK)
        async with self._office.database.transaction() as session:
            row, talk = await load_talk(session, self._book, talk_id, for_change=True)
            if talk.ended is not None or (row.by_id == actor.user_id and talk.channel is Channel.AGENT):
                return talk
            row.channel, row.by, row.by_id = Channel.AGENT.value, actor.name[:80], actor.user_id
            row.last_at = self._office.now()
            await session.flush()
            return await to_talk(session, self._book, row)

    async def open(
        self, task_id: str, *, attempt_id: str | None, channel: Channel, by: str, actor: Actor | None = None
    ) -> Talk:
        """Open the talk of a call, or one without a call of ours; opened twice it is one talk.

        Other tasks of the customer that are due soon are asked in the same call.

        Raises:
            Forbidden: the role works no callbacks.
            NotFound: no such task.
            IllegalStep: the task is in no state to be asked about.
            Conflict: the call is about another task.
            ChannelRefused: these questions are not asked this way.
            ComplaintNotAccepted: a complaint of the customer waits to be accepted first (CB-4).
        """
        if actor is not None:
            check_reader(actor)
        published = await self.asks(task_id)
        kinds = {kind: await self._published(kind) for kind in CallbackType}
        async with self._office.database.transaction() as session:
            (row,) = await locked(session, CallbackTaskRow.id == task_id)
            there = await talk_there(session, task_id, attempt_id, channel)
            if there is not None:
                return await to_talk(session, self._book, there)
            task, now = to_task(row), self._office.now()
            waiting = await complaints_unaccepted(session, task.customer_id)
            check_recordable(task.category, complaints_unaccepted=waiting)
            wanted = [Wanted(task, published)]
            if attempt_id is not None:
                await answered(session, self._tasks, task, attempt_id, by=by, now=now)
                hours = await carrier_hours(session, self._dialling, attempt_id)
                wanted += await others(
                    session, self._tasks, wanted[0], kinds, self._plan, now=now, carrier=hours
                )
            elif task.status not in OPEN_STATUS:
                raise IllegalStep("it is over, or a call about it is on", field="task_id")
            talk = CallbackTalkRow(
                id=new_ulid(),
                task_id=task_id,
                attempt_id=attempt_id,
                customer_id=task.customer_id,
                channel=channel.value,
                began_channel=channel.value,
                by=by[:80],
                by_id=actor.user_id if actor is not None else None,
                opened_at=now,
                last_at=now,
                skipped=[],
            )
            session.add(talk)
            await session.flush()
            for position, one in enumerate(wanted):
                today = self._office.today()
                made = await set_row(session, self._book, talk.id, position, one, channel, today=today)
                if made is not None:
                    session.add(made)
            await session.flush()
            return await to_talk(session, self._book, talk)

    async def answer(
        self, talk_id: str, item_id: str, answer: Answer, *, by: str, actor: Actor | None = None
    ) -> Talk:
        """Store an answer at once; another one to the same item corrects it, and the first stays readable.

        Raises:
            Forbidden: the role works no callbacks; NotYourTalk: somebody else leads it.
            NotFound: no such talk.
            TalkOver: it has ended.
            NoSuchAnswer: the item is not asked, or never answered so.
            Conflict: the same item is being answered in another way at this moment.
        """
        if actor is not None:
            check_reader(actor)
        author = Author(by=by, by_id=actor.user_id if actor is not None else None, at=self._office.now())
        await self._book.published(FALLBACK)
        try:
            async with self._office.database.transaction() as session:
                row, talk = await self._open_talk(session, talk_id, actor)
                one, item = _asked_item(talk, item_id)
                await self._keep(session, row, talk, one, item, checked(answer), author)
                return await to_talk(session, self._book, row)
        except IntegrityError as error:
            raise Conflict("it was answered in another way at this moment", field="item_id") from error

    async def skip(self, talk_id: str, item_id: str, *, by: str, actor: Actor | None = None) -> Talk:
        """Pass an item over. Raises as :meth:`answer`."""
        if actor is not None:
            check_reader(actor)
        await self._book.published(FALLBACK)
        async with self._office.database.transaction() as session:
            row, talk = await self._open_talk(session, talk_id, actor)
            _asked_item(talk, item_id)
            if item_id not in row.skipped:
                row.skipped = [*row.skipped, item_id]
            row.last_at = self._office.now()
            await session.flush()
            return await to_talk(session, self._book, row)

    async def voice(self, talk_id: str, item_id: str, path: str, seconds: float) -> None:
        """Keep what was recorded: the answer to an open question, or what was said after a bad answer.

        A recording that is ready only after the customer hung up is kept as well. Raises NotFound, Invalid.
        """
        if not path or len(path) > MAX_PATH or seconds < 0:
            raise Invalid(f"1 to {MAX_PATH} characters", field="path")
        await self._book.published(FALLBACK)
        now = self._office.now()
        async with self._office.database.transaction() as session:
            row, talk = await load_talk(session, self._book, talk_id, for_change=True)
            known = select(CallbackVoiceRow.id).where(CallbackVoiceRow.path == path)
            if await session.scalar(known) is not None:
                return
            one = next((found for found in talk.sets if found.item(item_id) is not None), talk.sets[0])
            voice = CallbackVoiceRow(
                id=new_ulid(),
                talk_id=talk_id,
                task_id=one.task_id,
                item_id=item_id[:8],
                path=path,
                seconds=seconds,
                at=now,
            )
            session.add(voice)
            row.last_at = now
            await session.flush()
            item = one.item(item_id)
            if item is not None:
                await link_voice(session, one.task_id, item_id, row.attempt_id, path)
            decides = item is not None and (item.decisive or item.overall or item_id in talk.bad)
            add_fact(session, VoiceKept(at=now, voice_id=voice.id, path=path, decisive=decides))
            if item_id == MAILBOX:
                await wants_person(session, row, voice.id, now)
            if item is not None and item.kind is ItemKind.FT and item_id not in talk.answers:
                author = Author(by=row.by, by_id=row.by_id, at=now)
                await self._keep(session, row, talk, one, item, Answer(voice=voice.id), author)

    async def end(
        self,
        talk_id: str,
        how: TalkEnding,
        *,
        by: str,
        actor: Actor | None = None,
        appointed: datetime | None = None,
        heard_at: datetime | None = None,
        explanation: str = "",
        setting: NextSetting | None = None,
        hours: ContactHours | None = None,
    ) -> Talk:
        """End a talk; told twice it ends once. What the answers come to moves its tasks.

        Args:
            appointed: when the customer wants to be called.
            heard_at: when they said it, if it is written down later (CB-12).
            explanation: of a problem, besides what the answers say (CB-2).
            setting: what whoever led it decides about the next callback (domain.md §1.1).
            hours: when the customer likes to be called, where that is asked (domain.md §3.0, level A).

        Raises:
            Forbidden: the role works no callbacks; NotYourTalk: somebody else leads it.
            NotFound: no such talk.
            TalkOver: it has ended otherwise.
            ComplaintNotAccepted: a complaint of the customer waits to be accepted first (CB-4).
            Invalid: no time for an appointment, or a time that is impossible; a next callback without a day.
            NextNotNow: a next callback is set, while this one is not over.
            IllegalStep: the task is in no state for it.
        """
        if actor is not None:
            check_reader(actor)
        now = self._office.now()
        heard = heard_at or now
        if heard > now:
            raise Invalid("not in the future", field="heard_at")
        if len(explanation) > MAX_EXPLAINED:
            raise Invalid(f"at most {MAX_EXPLAINED} characters", field="explanation")
        await self._book.published(FALLBACK)
        async with self._office.database.transaction() as session:
            row, talk = await load_talk(session, self._book, talk_id, for_change=True)
            if talk.ended is not None and await self._revived(session, row, actor):
                talk = await to_talk(session, self._book, row)
            if talk.ended is not None:
                if row.ended_by == TIMERS and how in DECLINED and talk.ended is not how:
                    await self._closing.decline(session, row, Ending(how, by, actor, now, heard))
                    return await to_talk(session, self._book, row)
                if actor is not None and talk.ended is not how:
                    raise TalkOver("the talk has ended", field="talk_id")
                return talk
            if actor is not None:
                check_leads(actor, row)
            if how is TalkEnding.TO_AGENT:
                row.channel, row.last_at = Channel.AGENT.value, now
                await session.flush()
                return await to_talk(session, self._book, row)
            ending = Ending(how, by, actor, now, heard, appointed, explanation, setting, hours)
            await self._closing.close(session, row, talk, ending)
            return await to_talk(session, self._book, row)

    async def _published(self, kind: CallbackType) -> Published:
        """Return what a kind of callback asks now; some kinds have no questions of their own."""
        try:
            return await self._book.published(kind.value)
        except NotFound:
            return await self._book.published(FALLBACK)

    async def _open_talk(
        self, session: AsyncSession, talk_id: str, actor: Actor | None
    ) -> tuple[CallbackTalkRow, Talk]:
        row, talk = await load_talk(session, self._book, talk_id, for_change=True)
        if talk.ended is not None:
            if not await self._revived(session, row, actor):
                raise TalkOver("the talk has ended", field="talk_id")
            talk = await to_talk(session, self._book, row)
        if actor is not None:
            check_leads(actor, row)
        return row, talk

    async def _revived(self, session: AsyncSession, row: CallbackTalkRow, actor: Actor | None) -> bool:
        """Let a survey go on that the sweep took for over, as long as its task waits for the next call.

        A clock that jumps, or a PBX that is lost for a while, makes a call look ended of which the customer
        hears the next question.
        """
        if actor is not None or row.ended_by != TIMERS or row.ending != TalkEnding.BROKEN_OFF.value:
            return False
        (task,) = await locked(session, CallbackTaskRow.id == row.task_id)
        if to_task(task).status not in OPEN_STATUS:
            return False
        row.ending = row.ended_at = row.ended_by = row.heard_at = None
        row.last_at = self._office.now()
        await session.flush()
        return True

    async def _keep(
        self,
        session: AsyncSession,
        row: CallbackTalkRow,
        talk: Talk,
        one: TalkSet,
        item: Item,
        answer: Answer,
        author: Author,
    ) -> None:
        """Store an answer; of one that is there already nothing changes."""
        _check_kind(item, answer)
        mine = (CallbackAnswerRow.task_id == one.task_id, CallbackAnswerRow.item_id == item.id, CURRENT)
        old = await session.scalar(select(CallbackAnswerRow).where(*mine).with_for_update())
        if old is not None and is_same(old, answer):
            return
        answers = {**talk.answers, item.id: answer}
        judged = one.judged(Channel(row.channel), answers)
        found = next((finding for finding in judged.findings if finding.item_id == item.id), None)
        new = await new_answer(session, row, one, item, answer, author, bad=found is not None and found.bad)
        if old is not None:
            old.replaced_at, old.replaced_by, old.replaced_why = author.at, new.id, CORRECTED
            if old.bad:
                corrected = AnswerCorrected(
                    at=author.at, talk_id=row.id, task_id=one.task_id, item_id=item.id
                )
                add_fact(session, corrected)
            await session.flush()
        session.add(new)
        row.skipped = [name for name in row.skipped if name != item.id]
        row.last_at = author.at
        if found is not None and found.bad and found.decisive:
            add_fact(session, TalkTicketsWanted(at=author.at, talk_id=row.id, item_id=item.id))
        await session.flush()


def _asked_item(talk: Talk, item_id: str) -> tuple[TalkSet, Item]:
    """Return an item that is asked in a talk, with its set. Raises NoSuchAnswer."""
    asked = {item.id for item in talk.items} | set(talk.answers)
    for one in talk.sets:
        item = one.item(item_id)
        if item is not None and item_id in asked:
            return one, item
    raise NoSuchAnswer("this is not asked", field="item_id")


def _check_kind(item: Item, answer: Answer) -> None:
    if item.kind.has_options and not answer.values:
        raise NoSuchAnswer("choose an answer", field="values")
    if not answer.given:
        raise NoSuchAnswer("there is no answer", field="text")
    if item.kind is ItemKind.DATE:
        try:
            date.fromisoformat(answer.text)
        except ValueError:
            raise NoSuchAnswer("a day such as 2026-11-22", field="text") from None
