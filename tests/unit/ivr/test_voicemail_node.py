"""A node that records what the caller says: announced, asked again, never a dead end."""

from datetime import UTC, datetime, timedelta

import pytest

from ivr.domain.effects import (
    Ask,
    Broken,
    Clip,
    Heard,
    Input,
    LookedUp,
    Pressed,
    Reason,
    Recorded,
    RecordMessage,
    ReportMenu,
    Say,
    Start,
    ToHangup,
    ToQueue,
)
from ivr.domain.engine import FlowRun, RunState
from tests.unit.ivr.flows import HEAD, hotline, load, problems

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 25, 14, 0, tzinfo=UTC)
"""At night."""
MENU = """\
  menu: {kind: menu, say: ask, keys: {"1": mail, "2": complaint}}
  complaint: {kind: queue, queue: complaint}
  bye: {kind: hangup, say: hello}
"""
MAIL = "  mail: {kind: voicemail, say: ask, silence: hello, next: bye, limit_seconds: 30}\n"


def at_the_tone(text: str = HEAD + MENU + MAIL) -> tuple[FlowRun, RecordMessage]:
    run = FlowRun(load(text), {})
    run.handle(Start(), now=NOW)
    *_, record = run.handle(Pressed("1"), now=NOW)
    assert isinstance(record, RecordMessage)
    return run, record


def test_it_is_announced_and_what_was_said_leads_on() -> None:
    run, record = at_the_tone()
    assert (record.pieces, record.node) == ((Clip("ask", 0),), "mail")
    assert (record.limit, record.silence) == (timedelta(seconds=30), timedelta(seconds=4))
    report, end = run.handle(Recorded(True), now=NOW)
    assert report == ReportMenu(node="mail", key="", label="已留言")
    assert isinstance(end, ToHangup)


def test_who_says_nothing_is_asked_once_more_and_goes_to_a_person() -> None:
    run, _ = at_the_tone()
    (again,) = run.handle(Recorded(False), now=NOW)
    assert isinstance(again, RecordMessage)
    assert [piece.prompt for piece in again.pieces if isinstance(piece, Clip)] == ["hello", "ask"]
    (end,) = run.handle(Recorded(False), now=NOW)
    assert isinstance(end, ToQueue)
    assert end.cause == Reason.SILENCE


@pytest.mark.parametrize("answer", [Recorded(False), Broken(Reason.MAILBOX)], ids=["silent", "full"])
def test_a_way_out_of_its_own_is_taken(answer: Input) -> None:
    run, _ = at_the_tone(HEAD + MENU + MAIL.replace("}", ", retries: 0, failed: complaint}"))
    (end,) = run.handle(answer, now=NOW)
    assert isinstance(end, ToQueue)
    assert (end.queue, end.cause) == ("complaint", "flow")


def test_it_must_be_announced_and_lead_somewhere() -> None:
    bare = HEAD + MENU + "  mail: {kind: voicemail, next: nowhere, limit_seconds: 4000}\n"
    found = " ".join(problems(bare))
    assert "say is missing" in found
    assert "nowhere" in found
    assert "limit_seconds" in found


def test_at_night_the_hotline_takes_messages() -> None:
    run = FlowRun(hotline(), {"caller_number": ""})
    item: Input = Start()
    for _ in range(6):
        *_, wanted = run.handle(item, now=NOW)
        if isinstance(wanted, Ask):
            break
        item = Heard() if isinstance(wanted, Say) else LookedUp("none")
    _, record = run.handle(Pressed("3"), now=NOW)
    assert isinstance(record, RecordMessage)
    *_, end = run.handle(Recorded(True), now=NOW)
    assert (isinstance(end, ToHangup), run.state) == (True, RunState.ENDED)
