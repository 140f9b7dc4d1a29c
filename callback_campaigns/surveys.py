"""Surveys over IVR: from an attempt that was answered to what is asked in it, and back to its talk."""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.attempt import AttemptState
from callback_campaigns.domain.questionnaire import Questionnaire
from callback_campaigns.domain.survey import Script
from callback_campaigns.domain.survey_times import slots
from callback_campaigns.domain.survey_words import Line, Wording, is_personal, known_lines, stock_lines
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import Channel
from callback_campaigns.survey_voice import SurveyVoice
from callback_campaigns.talk_store import Talk
from callback_campaigns.talks import Talks
from callback_campaigns.task_store import to_task
from callback_campaigns.task_tables import CallbackTaskRow, DialAttemptRow
from callback_campaigns.tasks import CallbackTasks
from crm.domain.customer import Salutation, greeting
from crm.office import Office
from crm.tables import Customer, Project, ServiceCase
from kernel.errors import Conflict, NotFound
from kernel.ids import is_ulid

BY = "ivr"
"""Who stands as the author of what is answered by keys."""
_NEXT = (
    TaskStatus.READY.value,
    TaskStatus.PLANNED.value,
    TaskStatus.RETRY_WAIT.value,
    TaskStatus.APPOINTED.value,
)
SOON = timedelta(minutes=10)
AT_ONCE = 500
"""So many callbacks are prepared ahead; their texts differ by community and name only."""
MAX_NAME = 12
MAX_COMMUNITY = 20
MAX_PROBLEM = 12
_NOT_THEIR_WORDS = re.compile(r"\W|客户|业主|投诉|要求|反映")
"""In a line that somebody wrote for colleagues: it cannot be said to the customer as it stands."""


class NothingToAsk(Conflict):
    """The call is over, or everything was asked already."""

    code = "nothing_to_ask"


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyRules:
    """What every survey of a site has in common.

    Attributes:
        is_open: whether somebody is there to be put through to.
    """

    company: str
    hotline: str
    is_open: Callable[[datetime], bool]

    @property
    def wording(self) -> Wording:
        """The texts before anything is known of a customer."""
        return Wording(company=self.company, hotline=self.hotline)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A talk that begins, and what is said in it."""

    talk: Talk
    script: Script


class Surveys:
    """Opens talks over IVR, and has their texts spoken before anybody is called."""

    def __init__(self, office: Office, tasks: CallbackTasks, talks: Talks, rules: SurveyRules) -> None:
        self.talks = talks
        self._office = office
        self._tasks = tasks
        self._rules = rules

    @property
    def wording(self) -> Wording:
        """The texts before anything is known of a customer."""
        return self._rules.wording

    async def open(self, attempt_id: str) -> Opened:
        """Begin the talk of an attempt that was answered.

        Raises:
            NotFound: no such attempt, or it is about no task.
            NothingToAsk: the attempt is over.
            HuifangError: the task is not in a call, or is asked otherwise.
        """
        task_id = await self._task_of(attempt_id)
        talk = await self.talks.open(task_id, attempt_id=attempt_id, channel=Channel.IVR, by=BY)
        if talk.ended is not None or talk.handed_over:
            raise NothingToAsk("the talk is over, or a person's", field="attempt_id")
        return Opened(talk=talk, script=await self._script(talk, self._office.now()))

    async def prepare(self, task_id: str, voice: SurveyVoice) -> bool:
        """Have what a call about a task will say spoken; call it just before dialling.

        Returns whether all of it is there; the call may be placed in any case.

        Raises:
            NotFound: no such task.
        """
        async with self._office.database.session() as session:
            row = await session.get(CallbackTaskRow, task_id) if is_ulid(task_id) else None
            if row is None:
                raise NotFound("no such callback task", field="task_id")
            customer = await session.get_one(Customer, row.customer_id)
            wording = await self._wording(session, row, customer)
            elder = customer.elder_mode
        questionnaire = (await self.talks.asks(task_id)).questionnaire
        lines = [wording.opening(questionnaire), *self._own_lines(questionnaire, wording)]
        if elder:
            # Nobody spoke these slowly before.
            lines += [*stock_lines(wording), *known_lines(questionnaire, wording)]
        return await voice.make(lines, slow=elder)

    async def warm(self) -> None:
        """Do once what the first customer would wait for after a start."""
        with suppress(NotFound):
            await self.talks.get("0" * 26)
        async with self._office.database.session() as session:
            await self._tasks.calendar(session)
        await self.due_soon()

    async def due_soon(self) -> Sequence[tuple[str, int]]:
        """Return the callbacks by IVR that may be dialled in the next minutes, each with its version."""
        row, soon = CallbackTaskRow, self._office.now() + SOON
        query = select(row.id, row.version).where(
            row.status.in_(_NEXT), row.call_at <= soon, row.channel == Channel.IVR.value
        )
        async with self._office.database.session() as session:
            found = await session.execute(query.order_by(row.call_at, row.id).limit(AT_ONCE))
            return [(task_id, version) for task_id, version in found]

    @staticmethod
    def _own_lines(questionnaire: Questionnaire, wording: Wording) -> list[Line]:
        own = [wording.question(item) for item in questionnaire.items if is_personal(item)]
        return [wording.identity(), *own] if own else []

    async def _task_of(self, attempt_id: str) -> str:
        query = select(DialAttemptRow.task_id, DialAttemptRow.state).where(DialAttemptRow.id == attempt_id)
        async with self._office.database.session() as session:
            found = (await session.execute(query)).one_or_none() if is_ulid(attempt_id) else None
        if found is None or found[0] is None:
            raise NotFound("no such attempt", field="attempt_id")
        if found[1] == AttemptState.ENDED.value:
            raise NothingToAsk("the attempt is over", field="attempt_id")
        task_id: str = found[0]
        return task_id

    async def _script(self, talk: Talk, now: datetime) -> Script:
        async with self._office.database.session() as session:
            row = await session.get_one(CallbackTaskRow, talk.task_id)
            customer = await session.get_one(Customer, row.customer_id)
            wording = await self._wording(session, row, customer)
            calendar = await self._tasks.calendar(session)
            wish = await self._tasks.wish(session, replace(to_task(row), appointed=True))
        return Script(
            sets=talk.sets,
            wording=wording,
            slots=slots(calendar.windows, wish, now),
            people=self._rules.is_open(now),
            elder=talk.customer.elder,
            answers=talk.answers,
            skipped=talk.skipped,
        )

    async def _wording(self, session: AsyncSession, row: CallbackTaskRow, customer: Customer) -> Wording:
        project = await session.get(Project, row.project_id) if row.project_id else None
        case = await session.get(ServiceCase, row.case_id) if row.case_id else None
        name = greeting(customer.name, Salutation(customer.salutation) if customer.salutation else None)
        return replace(
            self._rules.wording,
            community=_spoken(project.community if project else "", MAX_COMMUNITY),
            name=_spoken(name, MAX_NAME),
            problem=_problem(case.summary if case else ""),
        )


def _spoken(text: str | None, limit: int) -> str:
    """Return a text from the records as it may be said; one that is too long, or no words, is not."""
    said = " ".join((text or "").split())
    return said if len(said) <= limit and any(char.isalnum() for char in said) else ""


def _problem(summary: str) -> str:
    said = _spoken(summary, MAX_PROBLEM)
    if not said or _NOT_THEIR_WORDS.search(said):
        return ""
    return said if said.endswith("问题") else f"{said}问题"
