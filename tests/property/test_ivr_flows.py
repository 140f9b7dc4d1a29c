"""Whatever callers do, a call ends: at a queue, a farewell or a callback, in a bounded number of steps."""

import importlib.resources
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.domain.effects import (
    Ask,
    AskDigits,
    Broken,
    CallbackNoted,
    Heard,
    Input,
    LookedUp,
    LookUp,
    Pressed,
    Reason,
    Recorded,
    RecordMessage,
    ReportMenu,
    RequestCallback,
    Say,
    Silence,
    Spoke,
    Start,
    ToFlow,
    ToHangup,
    ToQueue,
    Typed,
)
from ivr.domain.engine import MAX_INPUTS, FlowRun, RunState
from ivr.domain.flow import KEYS, LOOKUPS
from ivr.domain.problems import FlowInvalid
from ivr.domain.validate import load_flow
from tests.unit.ivr.flows import QUEUES

pytestmark = pytest.mark.property

FILES = {
    name: importlib.resources.files("ivr.flows").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    for name in ("hotline", "after_queue")
}
FLOWS = {name: load_flow(text, source=name, queues=QUEUES) for name, text in FILES.items()}
STATUSES = ("TIMEOUT", "FULL", "JOINEMPTY", "CONTINUE", "")

keys = st.sampled_from(KEYS)
said = st.text("投诉报修进度回电人工是不对好再说一遍，a", max_size=12)
digits = st.text("0123456789", max_size=14)
instants = st.datetimes(datetime(2025, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))


def answer(data: st.DataObject, wanted: object) -> Input:
    """Any answer the world may give."""
    if isinstance(wanted, Say):
        return Heard(data.draw(st.none() | keys) if wanted.barge_in else None)
    if isinstance(wanted, Ask):
        if wanted.listen is not None and data.draw(st.booleans()):
            return Spoke(data.draw(said), data.draw(st.none() | st.floats(0, 1)))
        key = data.draw(st.none() | keys)
        return Pressed(key) if key else Silence()
    if isinstance(wanted, AskDigits):
        return Typed(data.draw(digits), data.draw(st.sampled_from([None, "#", "*"])))
    if isinstance(wanted, LookUp):
        outcome = data.draw(st.sampled_from([*LOOKUPS[wanted.ask].outcomes, "failed"]))
        found = {name: f"<{name}>" for name in LOOKUPS[wanted.ask].gives} if outcome == "found" else {}
        return LookedUp(outcome, found)
    if isinstance(wanted, RecordMessage):
        return Recorded(data.draw(st.booleans())) if data.draw(st.booleans()) else Broken(Reason.MAILBOX)
    assert isinstance(wanted, RequestCallback)
    return Broken(Reason.CALLBACK) if data.draw(st.booleans()) else CallbackNoted()


@given(st.data(), st.sampled_from(sorted(FLOWS)), instants)
def test_every_walk_ends_and_speaks_personal_facts_only_after_the_identity_key(
    data: st.DataObject, name: str, now: datetime
) -> None:
    number = data.draw(st.sampled_from(["", "13800138000"]))
    status = data.draw(st.sampled_from(STATUSES))
    known = {"caller_number": number, "queue_status": status, "queue": "service"}
    run = FlowRun(FLOWS[name], known, listening=data.draw(st.booleans()))
    item: Input = Start()
    identified = False
    for step in range(MAX_INPUTS + 2):
        *reports, wanted = run.handle(item, now=now + timedelta(seconds=step))
        assert all(isinstance(report, ReportMenu) for report in reports)
        identified |= any(
            isinstance(report, ReportMenu) and report.label == "已确认身份" for report in reports
        )
        if not identified:
            assert "<case_" not in str(getattr(wanted, "pieces", ""))
        if isinstance(wanted, ToQueue | ToHangup | ToFlow):
            break
        item = answer(data, wanted)
    else:
        pytest.fail("the walk did not end")
    assert run.state is RunState.ENDED
    if isinstance(wanted, ToQueue):
        assert wanted.queue in QUEUES


@given(st.data())
def test_pressing_any_keys_for_ever_ends_at_a_person_or_a_farewell(data: st.DataObject) -> None:
    run = FlowRun(FLOWS["hotline"], {"caller_number": ""})
    now = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
    effects = run.handle(Start(), now=now)
    steps = 0
    # A caller who never lets a menu fail: always a key that the menu knows.
    while run.state is not RunState.ENDED:
        steps += 1
        assert steps <= MAX_INPUTS + 1
        wanted = effects[-1]
        if isinstance(wanted, Ask):
            effects = run.handle(Pressed(data.draw(st.sampled_from("39*42"))), now=now)
        elif isinstance(wanted, AskDigits):
            effects = run.handle(Typed("13900139000"), now=now)
        else:
            effects = run.handle(answer(data, wanted), now=now)
    assert isinstance(effects[-1], ToQueue | ToHangup | ToFlow)


@given(st.sampled_from(sorted(FILES)), st.data())
def test_a_flow_file_with_lines_lost_or_doubled_is_sound_or_refused_by_name(
    name: str, data: st.DataObject
) -> None:
    lines = FILES[name].splitlines()
    at = data.draw(st.integers(0, len(lines) - 1))
    count = data.draw(st.integers(1, 4))
    twice = data.draw(st.booleans())
    changed = lines[: at + count] + lines[at:] if twice else lines[:at] + lines[at + count :]
    found = mistakes("\n".join(changed))
    assert all(line.startswith("x.yaml") for line in found)


def mistakes(text: str) -> list[str]:
    try:
        load_flow(text, source="x.yaml", queues=QUEUES)
    except FlowInvalid as error:
        return error.message.splitlines() or ["an error without a message"]
    return []


@given(st.text(max_size=400))
def test_any_text_is_refused_with_a_message(text: str) -> None:
    with pytest.raises(FlowInvalid):
        load_flow(text, source="x.yaml", queues=QUEUES)
