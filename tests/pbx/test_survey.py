"""Customers are called by a real Asterisk and led through the survey: they press keys, speak, say nothing."""

import asyncio
import math
from array import array
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from app.runtime import Runtime
from app.sipp.phone import AgentPhone, PhoneCall
from app.survey_part import StoreVoice
from callback_campaigns.domain import survey
from callback_campaigns.domain.attempt import Attempt
from callback_campaigns.domain.survey_words import Wording
from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import Verdict
from callback_campaigns.questionnaire_sets import shipped
from callback_campaigns.rule_files import shipped_dialling
from callback_campaigns.talk_store import Talk
from callback_campaigns.talk_sweep import TalkSweep
from crm.people_tables import DoNotCallNumber
from ivr.prompts.espeak import EspeakSynthesiser
from ivr.prompts.store import PromptStore
from kernel.clock import FakeClock
from kernel.db import Database
from telephony.asterisk.sounds import TONE
from tests.support.callback_effects import Followed, make_followed
from tests.support.pbx import Pbx, running_pbx
from tests.support.sipp import outside_phone
from tests.support.survey_calls import originate
from tests.support.survey_child import survey_child
from tests.support.surveys import SurveyCentre, quick_voice, survey_centre
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx

SPEECH = array("h", [round(4000 * math.sin(index / 5)) for index in range(8000)])
SILENT_AT_MOST = 3.0


@dataclass
class Line:
    """A PBX, the surveys behind it, and the telephone network in front."""

    pbx: Pbx
    site: SurveyCentre
    network: AgentPhone
    followed: Followed

    async def call(self, number: str) -> "Customer":
        """Call a customer who picks up at once."""
        attempt = await self.site.called(number)
        await originate(self.pbx, attempt, number)
        phone = await self.network.rings(within=20)
        await phone.answer()
        return Customer(self, attempt, phone)


@dataclass
class Customer:
    """Somebody who was called."""

    line: Line
    attempt: Attempt
    phone: PhoneCall

    @property
    def site(self) -> SurveyCentre:
        return self.line.site

    async def hears_something(self) -> None:
        """Wait until something new is said."""
        packets = self.phone.ear.packets
        await eventually(lambda: self.phone.ear.packets > packets + 25, timeout=10)

    async def listens_to_the_opening(self) -> None:
        await eventually(lambda: self.phone.ear.packets > 25 and self.phone.ear.loudness() > 300, timeout=10)

    async def answers(self, keys: str) -> None:
        """Press keys, each as soon as the next question has begun."""
        for key in keys:
            await self.phone.press(key)
            await self.hears_something()

    async def speaks(self, *, to_the_end: bool = True) -> None:
        """Wait until the recording begins, say something and press the hash key."""
        # Their own folder: others speak at the same time.
        folder = self.site.answers / (await self.site.talk(self.attempt)).talk_id
        before = set(folder.rglob("*.wav"))
        await eventually(lambda: set(folder.rglob("*.wav")) - before, timeout=15, what="recording")
        self.phone.handset.say(SPEECH)
        await self.phone.handset.finished()
        if to_the_end:
            await self.phone.press("#")

    async def ended(self) -> Talk:
        assert await self.phone.ended(within=60) == "far"
        self.was_never_left_in_silence()
        return await self.site.talk(self.attempt)

    def was_never_left_in_silence(self) -> None:
        assert self.phone.ear.silences(longer_than=SILENT_AT_MOST) == ()

    async def status(self) -> TaskStatus:
        return (await self.site.task_of(self.attempt)).status


@pytest.fixture
async def line(
    tmp_path: Path,
    runtime: Runtime,
    sqlite: Database,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Line]:
    # Silence then means that something is wrong; how long keys are waited for is the rules' own test.
    monkeypatch.setattr(survey, "WAIT", timedelta(seconds=1))
    async with (
        quick_voice(tmp_path) as voice,
        running_pbx(tmp_path, runtime=runtime) as pbx,
    ):
        call_again = pbx.config.prompts_dir / "huifang-call-again.wav"
        sound = await voice.speak("非常抱歉，我们稍后再与您联系。")
        call_again.write_bytes(sound.path.with_suffix(".wav").read_bytes())
        served = survey_centre(
            tmp_path,
            sqlite,
            clock,
            port=pbx.config.agi_port,
            speaking=voice,
            tone=pbx.config.prompts_dir / TONE,
        )
        async with served as site, outside_phone(pbx, "outside") as network:
            yield Line(pbx, site, network, await make_followed(site.led))


async def satisfied(customer: Customer) -> None:
    await customer.answers("11111151#")
    talk = await customer.ended()
    assert (talk.ended, talk.verdict, talk.score) == (TalkEnding.FINISHED, Verdict.SATISFIED, 100)
    assert await customer.status() is TaskStatus.DONE


async def dissatisfied(customer: Customer) -> None:
    await customer.answers("1")
    await customer.phone.press("3")

    async def on_their_desks() -> bool:
        await customer.line.followed.follow()
        tickets = await customer.line.followed.tickets()
        return tickets.get("KG1") == ("DES", "ENG")

    await eventually(on_their_desks, timeout=10, interval=0.2)
    assert customer.phone.up
    await customer.speaks()
    await customer.hears_something()
    await customer.answers("1111151#")
    talk = await customer.ended()
    assert talk.verdict is Verdict.DISSATISFIED
    (voice,) = talk.voices["KG1"]
    assert 0.8 <= voice.seconds <= 6
    assert (customer.site.answers / voice.path).is_file()


async def wants_no_more_calls(customer: Customer) -> None:
    await customer.answers("91")
    assert (await customer.ended()).ended is TalkEnding.DO_NOT_CALL
    assert await customer.status() is TaskStatus.REFUSED
    await customer.line.followed.follow()
    async with customer.site.centre.database.session() as session:
        refused = list(await session.scalars(select(DoNotCallNumber.e164)))
    assert refused == [customer.attempt.number]


async def has_no_time(customer: Customer) -> None:
    await customer.answers("22")
    assert (await customer.ended()).ended is TalkEnding.APPOINTED
    assert await customer.status() is TaskStatus.APPOINTED


async def wants_a_person(customer: Customer) -> None:
    await customer.answers("110")

    async def waits() -> bool:
        return "has 1 calls" in await customer.line.pbx.cli("queue show service")

    await eventually(waits, timeout=15)
    talk = await customer.site.talk(customer.attempt)
    assert (talk.ended, talk.handed_over, set(talk.answers)) == (None, True, {"KG1"})
    customer.was_never_left_in_silence()
    await customer.phone.hang_up()


async def says_nothing(customer: Customer) -> None:
    await customer.answers("11")
    talk = await customer.ended()
    assert talk.ended is TalkEnding.BROKEN_OFF
    assert (set(talk.skipped), set(talk.answers)) == ({"KG2", "KG3"}, {"KG1"})


async def hangs_up_while_speaking(customer: Customer) -> None:
    await customer.answers("11")
    await customer.phone.press("3")
    await customer.speaks(to_the_end=False)
    await customer.phone.hang_up()

    async def kept() -> bool:
        talk = await customer.site.talk(customer.attempt)
        return talk.ended is TalkEnding.BROKEN_OFF and set(talk.answers) == {"KG1", "KG2"}

    await eventually(kept, timeout=10)
    (voice,) = (await customer.site.talk(customer.attempt)).voices["KG2"]
    assert voice.seconds >= 0.5


async def test_every_way_through_a_survey(line: Line) -> None:
    stories = (
        says_nothing,
        dissatisfied,
        satisfied,
        wants_no_more_calls,
        has_no_time,
        wants_a_person,
        hangs_up_while_speaking,
    )
    async with asyncio.TaskGroup() as group:
        for index, story in enumerate(stories):
            customer = await line.call(f"+861380013800{index}")
            await customer.listens_to_the_opening()
            group.create_task(story(customer), name=story.__name__)
    await eventually(line.pbx.idle, timeout=10)


async def test_the_service_is_killed_in_the_middle_and_the_customer_still_hears_a_word(
    line: Line, tmp_path: Path, sqlite: Database, clock: FakeClock
) -> None:
    await line.site.server.stop(timedelta(0))
    serves = survey_child(
        url=sqlite.engine.url.render_as_string(hide_password=False),
        port=line.pbx.config.agi_port,
        folder=str(tmp_path),
        tone=str(line.pbx.config.prompts_dir / TONE),
        moment=clock.now().isoformat(),
    )
    async with serves as child:
        customer = await line.call("+8613800138001")
        await customer.listens_to_the_opening()
        await customer.answers("111")

        async def two_answers() -> bool:
            talk = await line.site.talks.of_attempt(customer.attempt.attempt_id)
            return talk is not None and set(talk.answers) >= {"KG1", "KG2"}

        # What is heard after a key may still be the text that it stops: the answers tell how far they are.
        await eventually(two_answers, timeout=20, interval=0.05, what="two answers")
        await customer.hears_something()
        child.kill()
    spoken = customer.phone.ear.packets
    assert await customer.phone.ended(within=60) == "far"
    assert customer.phone.ear.packets - spoken > 75
    # Of a wait for a key that was on, its five seconds are waited; then the dialplan speaks, on a machine
    # that stands still now and then.
    assert customer.phone.ear.silences(longer_than=SILENT_AT_MOST + 15) == ()
    talk = await line.site.talk(customer.attempt)
    assert talk.ended is None
    assert set(talk.answers) >= {"KG1", "KG2"}
    await line.site.over(customer.attempt)
    clock.advance(timedelta(minutes=5))
    office, dialling = line.site.centre.desk.office, shipped_dialling()
    assert await TalkSweep(office, line.site.centre.tasks, line.site.talks, dialling).run_once() == 1
    talk = await line.site.talk(customer.attempt)
    assert (talk.ended, await customer.status()) == (TalkEnding.BROKEN_OFF, TaskStatus.RETRY_WAIT)


async def test_the_opening_is_over_within_twenty_seconds_in_the_voice_that_is_heard(
    tmp_path: Path, runtime: Runtime
) -> None:
    espeak = runtime.espeak
    engine = EspeakSynthesiser(espeak.command(), version=espeak.version, environment=espeak.env())
    store = PromptStore(tmp_path, engine)
    await store.open()
    wording = Wording(company="安居装饰", hotline="01065558800", community="翠湖花园")
    for code in ("KG", "YB", "ZQ", "WG", "TS", "BX", "JG"):
        opening = wording.opening(shipped(code)).text
        assert (await StoreVoice(store).speak(opening)).length <= timedelta(seconds=20)
