"""Talks over a database for tests: a call that was answered, what was said in it, what it came to."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from callback_campaigns.dial_attempts import DialRequest
from callback_campaigns.domain import attempt as attempts
from callback_campaigns.domain.attempt import Attempt
from callback_campaigns.domain.early_media import HeardBefore
from callback_campaigns.domain.questionnaire import Answer, answer_by_key
from callback_campaigns.domain.refusal import Switch
from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.domain.task import Task
from callback_campaigns.domain.terms import Channel, Outcome
from callback_campaigns.questionnaire_book import QuestionnaireBook
from callback_campaigns.rule_files import shipped_dialling, shipped_plan
from callback_campaigns.talk_store import Talk
from callback_campaigns.talks import Talks
from crm.tables import CustomerPhone
from kernel.clock import FakeClock
from kernel.db import Database
from tests.support.callback_centre import CallbackCentre, make_centre

GOOD = {"KG1": "1", "KG2": "1", "KG3": "1", "KG4": "1", "KG5": "1", "KG7": "5"}
"""Keys of a caller whom nothing troubles, by the core list of KG."""
BY = "ivr"


@dataclass
class TalkCentre:
    """A centre of callbacks with its talks."""

    callbacks: CallbackCentre
    talks: Talks
    book: QuestionnaireBook

    @property
    def clock(self) -> FakeClock:
        """The clock of everything."""
        return self.callbacks.clock

    async def task(self, which: int = 0) -> Task:
        """Return a task as it is now."""
        return (await self.callbacks.all())[which]

    async def dial(self, which: int = 0, *, answer: bool = True) -> Attempt:
        """Call about a task; somebody answers unless ``answer`` says otherwise."""
        task, now = await self.task(which), self.clock.now()
        async with self.callbacks.database.session() as session:
            query = select(CustomerPhone.e164).where(CustomerPhone.customer_id == task.customer_id)
            number = await session.scalar(query.limit(1))
        switch = Switch(caller_id="01065558800", link_live=True, as_of=now, lines=10, per_second=50)
        wanted = DialRequest(
            task_id=task.task_id, number=number or "", node="pbx1", trunk="main", carrier="own", switch=switch
        )
        made = await self.callbacks.attempts.begin(wanted)
        assert isinstance(made, Attempt), made
        if answer:
            await self.callbacks.attempts.move(
                made.attempt_id, lambda one: attempts.answered(one, now=self.clock.now())
            )
        return made

    async def hang_up(
        self,
        attempt: Attempt | str,
        outcome: Outcome = Outcome.ANSWERED,
        heard: HeardBefore | None = None,
    ) -> None:
        """End a call, before which the network said something or not."""
        now = self.clock.now()
        attempt_id = attempt if isinstance(attempt, str) else attempt.attempt_id
        await self.callbacks.attempts.move(
            attempt_id, lambda one: attempts.ended(one, outcome, now=now, heard=heard)
        )

    async def talk(self, which: int = 0, channel: Channel = Channel.IVR) -> Talk:
        """Call about a task, and begin to ask."""
        attempt = await self.dial(which)
        task = await self.task(which)
        return await self.talks.open(task.task_id, attempt_id=attempt.attempt_id, channel=channel, by=BY)

    async def press(self, talk: Talk, **keys: str) -> Talk:
        """Answer by keys."""
        for item_id, key in keys.items():
            item = talk.item(item_id)
            assert item is not None
            talk = await self.talks.answer(
                talk.talk_id, item_id, answer_by_key(item, key, talk.channel), by=BY
            )
        return talk

    async def write(self, talk: Talk, item_id: str, text: str) -> Talk:
        """Answer in words."""
        return await self.talks.answer(talk.talk_id, item_id, Answer(text=text), by=BY)

    async def finish(self, talk: Talk, how: TalkEnding = TalkEnding.FINISHED) -> Talk:
        """End a talk."""
        return await self.talks.end(talk.talk_id, how, by=BY)


def make_talks(centre: CallbackCentre) -> TalkCentre:
    """Return the talks of a centre."""
    office = centre.desk.office
    book = QuestionnaireBook(centre.database, centre.clock, office.journal)
    return TalkCentre(
        callbacks=centre,
        talks=Talks(office, centre.tasks, book, shipped_plan(), shipped_dialling()),
        book=book,
    )


async def centre_with_talks(database: Database, clock: FakeClock) -> TalkCentre:
    """Return a centre with one customer whose start of work is to be asked about now."""
    centre = make_centre(database, clock)
    await centre.started()
    clock.advance(timedelta(hours=19))
    await centre.bring_due()
    return make_talks(centre)
