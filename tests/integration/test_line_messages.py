"""Messages before the queue: switched on and off by a supervisor, and what one caller is told."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from ivr.domain.flow import Voice
from ivr.line_messages import LineMessages, MessageKind, NewMessage, Then
from ivr.line_words import LineWords, ahead_text, told_minutes, wait_text
from ivr.ports import SynthesisFailed
from ivr.prompts.store import SoundFile
from kernel.access import Actor, Role
from kernel.audit import AuditLog
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid, NotFound
from tests.support.menus import FakeQueues

pytestmark = pytest.mark.integration

SUPERVISOR = Actor(user_id="01JD0000000000000000000001", name="陈主管", role=Role.SUPERVISOR)
AGENT = Actor(user_id="01JD0000000000000000000002", name="林晓", role=Role.AGENT)


@dataclass
class Reader:
    """Implements :class:`ivr.line_words.Speaking`: a file named by language and text."""

    mute: bool = False
    spoken: list[str] = field(default_factory=list)

    async def clip(self, text: str, voice: Voice) -> SoundFile:
        if self.mute:
            raise SynthesisFailed("no voice")
        self.spoken.append(text)
        return SoundFile(Path(f"{voice.name}/{text}"), timedelta(seconds=1))


@pytest.fixture
def messages(sqlite: Database, clock: FakeClock) -> LineMessages:
    return LineMessages(sqlite, clock, AuditLog(sqlite, clock), queues=FakeQueues())


def new(clock: FakeClock, text: str = "台风天气，请注意安全。", **changes: object) -> NewMessage:
    values = {"kind": MessageKind.EMERGENCY, "text_zh": text, "ends_at": clock.now() + timedelta(hours=2)}
    return NewMessage(**{**values, **changes})  # type: ignore[arg-type]


def told(words: LineWords, clock: FakeClock, queue: str = "service", language: str = "") -> list[str]:
    return [str(path) for path in words.for_caller(queue, language, clock.now(), ahead=None, wait=None).files]


async def test_it_is_heard_until_its_time_and_in_the_callers_language(
    messages: LineMessages, clock: FakeClock
) -> None:
    reader = Reader()
    words = LineWords(messages, reader, clock)
    await messages.switch_on(SUPERVISOR, new(clock, text_en="There is a storm."))
    await messages.switch_on(SUPERVISOR, new(clock, "只说中文。", kind=MessageKind.NOTICE, queue="repair"))
    assert told(words, clock) == []
    await words.look()
    assert told(words, clock) == ["cmn/台风天气，请注意安全。"]
    assert told(words, clock, "repair") == ["cmn/台风天气，请注意安全。", "cmn/只说中文。"]
    assert told(words, clock, "repair", "en") == ["en/There is a storm."]
    await words.look()
    assert len(reader.spoken) == 3
    clock.advance(timedelta(hours=2))
    assert told(words, clock, "repair") == []


async def test_switched_off_it_is_heard_no_more_and_each_act_is_written_down(
    messages: LineMessages, sqlite: Database, clock: FakeClock
) -> None:
    words = LineWords(messages, Reader(), clock)
    on = await messages.switch_on(SUPERVISOR, new(clock, then=Then.HANGUP))
    await words.look()
    assert words.for_caller("service", "", clock.now(), ahead=3, wait=None).then is Then.HANGUP
    clock.advance(timedelta(minutes=1))
    off = await messages.switch_off(SUPERVISOR, on.message_id)
    assert (await messages.switch_off(SUPERVISOR, on.message_id)) == off
    await words.look()
    assert told(words, clock) == []
    found = [one.action for one in await AuditLog(sqlite, clock).recent()]
    assert found == ["line_message.switched_off", "line_message.switched_on"]


async def test_without_a_voice_nobody_is_hung_up_on_in_silence(
    messages: LineMessages, clock: FakeClock
) -> None:
    words = LineWords(messages, Reader(mute=True), clock)
    await messages.switch_on(SUPERVISOR, new(clock, then=Then.HANGUP))
    await words.look()
    found = words.for_caller("service", "", clock.now(), ahead=2, wait=timedelta(minutes=3))
    assert (found.files, found.then) == ((), Then.QUEUE)


async def test_what_cannot_be_switched_on(messages: LineMessages, clock: FakeClock) -> None:
    with pytest.raises(Forbidden):
        await messages.switch_on(AGENT, new(clock))
    for wrong, match in (
        (new(clock, " "), "200"),
        (new(clock, "长" * 201), "200"),
        (new(clock, text_en="x" * 401), "400"),
        (new(clock, ends_at=clock.now()), "later"),
        (new(clock, ends_at=clock.now() + timedelta(days=32)), "31"),
        (new(clock, queue="gone"), "queue"),
    ):
        with pytest.raises(Invalid, match=match):
            await messages.switch_on(SUPERVISOR, wrong)
    with pytest.raises(NotFound):
        await messages.switch_off(SUPERVISOR, "nothing")
    for _ in range(20):
        await messages.switch_on(SUPERVISOR, new(clock))
    with pytest.raises(Conflict):
        await messages.switch_on(SUPERVISOR, new(clock))


async def test_place_and_wait_are_told_where_they_are_known(messages: LineMessages, clock: FakeClock) -> None:
    words = LineWords(messages, Reader(), clock)
    await words.prepare()

    def heard(language: str, ahead: int | None, wait: timedelta | None) -> list[str]:
        found = words.for_caller("service", language, clock.now(), ahead=ahead, wait=wait)
        return [str(path) for path in found.files]

    assert heard("", 2, timedelta(seconds=170)) == ["cmn/您前面还有两位客户。", "cmn/预计等待约三分钟。"]
    assert heard("en", 1, timedelta(minutes=2)) == [
        "en/There is one caller before you.",
        "en/The expected waiting time is about two minutes.",
    ]
    assert heard("", 0, None) == ["cmn/您是下一位。"]
    assert heard("", 11, timedelta(hours=1)) == []
    assert heard("fr", None, timedelta(0)) == []


def test_what_is_said_is_never_less_than_what_is_expected() -> None:
    assert [told_minutes(timedelta(seconds=one)) for one in (1, 60, 61, 400, 1800, 1801)] == [
        *(1, 1, 2, 8, 30, None)
    ]
    assert told_minutes(timedelta(seconds=-5)) is None
    assert ahead_text(3, "en") == "There are three callers before you."
    assert wait_text(1, "en") == "The expected waiting time is about one minute."
