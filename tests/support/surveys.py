"""Surveys over IVR for tests: a customer who is being called, and the route that leads the call."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from app.runtime import Runtime
from app.survey_part import StoreVoice
from callback_campaigns.answer_files import AnswerFiles
from callback_campaigns.dial_attempts import DialRequest
from callback_campaigns.domain import attempt as attempt_rules
from callback_campaigns.domain.attempt import Attempt
from callback_campaigns.domain.refusal import Switch
from callback_campaigns.domain.task import Task
from callback_campaigns.domain.terms import Outcome
from callback_campaigns.entries import EntrySpool
from callback_campaigns.ports import CannotSpeak, Sound, Speaking
from callback_campaigns.questionnaire_book import QuestionnaireBook
from callback_campaigns.survey_runner import SurveyConfig, SurveyRunner
from callback_campaigns.survey_voice import SurveyVoice
from callback_campaigns.surveys import SurveyRules, Surveys
from callback_campaigns.talks import Talk, Talks
from ivr.domain.flow import Voice
from ivr.prompts.espeak import EspeakSynthesiser
from ivr.prompts.store import PromptStore
from kernel.clock import FakeClock
from kernel.db import Database
from telephony.agi import AgiConfig, AgiServer
from tests.support.callback_centre import CallbackCentre, make_centre
from tests.support.dialling import waiting_customers
from tests.support.fake_agi import FakeChannel, call, deeds, environment_bytes
from tests.support.runtime import runtime_folder
from tests.support.talks import TalkCentre, make_talks

NUMBER = "+8613800138001"


@dataclass
class TextVoice:
    """Implements :class:`callback_campaigns.ports.Speaking`: a file's name is its text."""

    asked: list[tuple[str, bool, bool]] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    mute: bool = False

    async def speak(
        self, text: str, *, slow: bool = False, passing: bool = False, within: timedelta | None = None
    ) -> Sound:
        self.asked.append((text, slow, passing))
        if self.mute or text in self.missing:
            raise CannotSpeak("no voice")
        return Sound(Path("/said") / text, timedelta(seconds=1))


@dataclass
class SurveyCentre:
    """Everything of surveys, over a database."""

    led: TalkCentre
    surveys: Surveys
    runner: SurveyRunner
    answers: Path
    server: AgiServer
    voice: TextVoice
    open: bool = True

    @property
    def centre(self) -> CallbackCentre:
        """The tasks and the attempts."""
        return self.led.callbacks

    @property
    def talks(self) -> Talks:
        """What was said."""
        return self.led.talks

    @property
    def book(self) -> QuestionnaireBook:
        """What is asked."""
        return self.led.book

    async def called(self, number: str = NUMBER) -> Attempt:
        """Return the attempt of a start-of-work callback whose phone was just answered."""
        (task_id,) = (await waiting_customers(self.centre.database, self.centre.clock, [number])).values()
        return await self.dial(task_id, number)

    async def called_at_work(self) -> Attempt:
        """The same of a customer whose project, with its community, is on record."""
        await self.centre.started("王建军", NUMBER)
        self.centre.clock.advance(timedelta(days=1, hours=1))
        await self.centre.bring_due()
        return await self.dial((await self.task()).task_id)

    async def dial(self, task_id: str, number: str = NUMBER) -> Attempt:
        """Begin another attempt about a task."""
        now = self.centre.clock.now()
        switch = Switch(caller_id="01065558800", link_live=True, as_of=now, lines=10, per_second=10)
        request = DialRequest(
            task_id=task_id, number=number, node="pbx1", trunk="main", carrier="own", switch=switch
        )
        attempt = await self.centre.attempts.begin(request)
        assert isinstance(attempt, Attempt), attempt
        return attempt

    async def over(self, attempt: Attempt) -> None:
        """Say that the call has ended."""
        now = self.centre.clock.now()
        await self.centre.attempts.move(
            attempt.attempt_id, lambda one: attempt_rules.ended(one, Outcome.ANSWERED, now=now)
        )

    async def survey(self, attempt: Attempt | str, keys: str) -> FakeChannel:
        """Let a fake Asterisk lead a customer who does this through the survey."""
        attempt_id = attempt if isinstance(attempt, str) else attempt.attempt_id
        channel = FakeChannel(deeds(keys))
        channel.variables |= {"HF_CALL": attempt_id, "HF_DIR": "out"}
        environment = environment_bytes(
            agi_network_script="survey", agi_request="agi://127.0.0.1/survey", agi_arg_1=attempt_id
        )
        async with asyncio.timeout(20):
            return await call(self.server.port, channel, environment=environment)

    def heard(self, channel: FakeChannel) -> list[str]:
        """Return what was said, in order."""
        return [path.rsplit("/", 1)[-1] for path in channel.played if path.startswith("/said/")]

    async def task(self) -> Task:
        """Return the newest task."""
        return (await self.centre.all())[-1]

    async def task_of(self, attempt: Attempt) -> Task:
        """Return the task that a call was about."""
        talk = await self.talk(attempt)
        return next(task for task in await self.centre.all() if task.task_id == talk.task_id)

    async def talk(self, attempt: Attempt) -> Talk:
        """Return the talk of a call."""
        found = await self.talks.of_attempt(attempt.attempt_id)
        assert found is not None
        return found


@asynccontextmanager
async def survey_centre(
    folder: Path,
    database: Database,
    clock: FakeClock,
    *,
    port: int = 0,
    speaking: Speaking | None = None,
    tone: Path = Path("/sounds/tone"),
    open_within: timedelta = timedelta(seconds=2.5),
) -> AsyncIterator[SurveyCentre]:
    """Serve the route, over a database.

    Args:
        speaking: a voice to be heard; without one texts are files' names.
        open_within: how long a talk may take to open.
    """
    centre = make_centre(database, clock)
    led, voice = make_talks(centre), TextVoice()
    made: SurveyCentre
    rules = SurveyRules(company="慧家装饰", hotline="4008001234", is_open=lambda now: made.open)
    surveys = Surveys(centre.desk.office, centre.tasks, led.talks, rules)
    answers = folder / "answers"
    config = SurveyConfig(queue="service", tone=tone, open_within=open_within)
    heard = SurveyVoice(speaking or voice)
    spool = EntrySpool(folder / "spool")
    runner = SurveyRunner(surveys, heard, AnswerFiles(answers), spool, clock=clock, config=config)
    server = AgiServer(AgiConfig(port=port, command_timeout=timedelta(seconds=5)), runner.routes())
    await server.start()
    made = SurveyCentre(led, surveys, runner, answers, server, voice)
    try:
        yield made
    finally:
        await server.stop(timedelta(0))
        await runner.close()


QUICK = 380
"""Words a minute: twice as quick as customers hear it, and still speech."""


class QuickVoice(StoreVoice):
    """The voice that customers hear, in a hurry."""

    def __init__(self, store: PromptStore) -> None:
        super().__init__(store)
        self._paces = dict.fromkeys((False, True), Voice(speed=QUICK))


@asynccontextmanager
async def quick_voice(folder: Path) -> AsyncIterator[QuickVoice]:
    """Give a real voice; what was spoken once is kept for all tests."""
    espeak = (await Runtime.ensure(runtime_folder(), need={"espeak"})).espeak
    engine = EspeakSynthesiser(espeak.command(), version=espeak.version, environment=espeak.env())
    prompts, shared = folder / "prompts", runtime_folder() / "test-prompts"
    for place in (prompts, shared):
        place.mkdir(parents=True, exist_ok=True)
    if not (prompts / "clips").exists():
        (prompts / "clips").symlink_to(shared, target_is_directory=True)
    store = PromptStore(prompts, engine)
    await store.open()
    try:
        yield QuickVoice(store)
    finally:
        await store.close()
