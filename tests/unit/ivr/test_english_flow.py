"""The hotline in English: reached by a key, spoken and read in English."""

from datetime import UTC, datetime
from importlib import resources

import pytest

from ivr.domain.effects import Ask, Heard, LookedUp, LookUp, Pressed, Say, Spoken, Start, ToFlow
from ivr.domain.engine import FlowRun, RunState
from ivr.domain.flow import Flow, OtherFlow
from ivr.domain.languages import LANGUAGES
from ivr.prompts.reading import CHINESE
from tests.unit.ivr.flows import HEAD, MENU, hotline, load, problems

pytestmark = pytest.mark.unit

OPEN = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)
NIGHT = datetime(2026, 11, 25, 14, 0, tzinfo=UTC)
CASE = {
    "case_count": "2",
    "case_no": "BX202611220001",
    "case_kind": "报修",
    "case_status": "已经安排维修人员",
    "case_department": "维修部",
}


def english(name: str) -> Flow:
    return load(resources.files("ivr.flows").joinpath(f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("now", [pytest.param(OPEN, id="open"), pytest.param(NIGHT, id="closed")])
def test_9_leads_into_the_english_flow(now: datetime) -> None:
    run = FlowRun(hotline(), {"caller_number": "13800138000"})
    run.handle(Start(), now=now)
    (effect,) = run.handle(LookedUp("none", {"greeting": ""}), now=now)
    while isinstance(effect, Say):
        (effect,) = run.handle(Heard(), now=now)
    assert isinstance(effect, Ask)
    report, ended = run.handle(Pressed("9"), now=now)
    assert ended == ToFlow(pieces=(), flow="hotline_en", queue="service")
    assert run.state is RunState.ENDED and "English" in str(report)


def test_numbers_and_words_of_the_records_are_read_in_english() -> None:
    run = FlowRun(english("hotline_en"), {"caller_number": "13800138000"})
    run.handle(Start(), now=OPEN)
    run.handle(Heard("3"), now=OPEN)
    (asked,) = run.handle(LookedUp("found", {"greeting": "王先生"}), now=OPEN)
    assert isinstance(asked, Ask)
    *_, look = run.handle(Pressed("1"), now=OPEN)
    assert look == LookUp(ask="case")
    (told,) = run.handle(LookedUp("found", CASE), now=OPEN)
    assert isinstance(told, Ask)
    assert [piece.text for piece in told.pieces if isinstance(piece, Spoken)] == ["two", "repair"]
    run.handle(Pressed("9"), now=OPEN)
    *_, confirm = run.handle(Pressed("4"), now=OPEN)
    assert isinstance(confirm, Ask)
    (number,) = (piece.text for piece in confirm.pieces if isinstance(piece, Spoken))
    assert number == "one three eight, zero zero one three, eight zero zero zero"


@pytest.mark.parametrize("name", ["hotline_en", "after_queue_en"])
def test_an_english_flow_says_nothing_in_chinese(name: str) -> None:
    flow = english(name)
    assert flow.language == "en" and flow.voice.name == "en"
    assert not [prompt.text for prompt in flow.prompts.values() if CHINESE.search(prompt.text)]
    assert set(LANGUAGES["zh"].stock) == set(LANGUAGES["en"].stock)


def test_another_flow_is_an_end_with_a_name_that_a_call_can_go_to() -> None:
    flow = load(HEAD + MENU + "  complaint: {kind: flow, flow: other}\n  bye: {kind: hangup, say: hello}\n")
    assert isinstance(flow.nodes["complaint"], OtherFlow)
    ends = "  complaint: {kind: flow, flow: other-flow}\n  bye: {kind: hangup, say: hello}\n"
    assert "no name that a call can go to" in problems(HEAD + MENU + ends)[0]


def test_a_prompt_may_have_a_voice_of_its_own() -> None:
    prompt = hotline().prompts["for_english"]
    assert prompt.voice is not None and prompt.voice.name == "en"
    wrong = HEAD.replace("hello: 您好。", "hello: {text: 您好。}") + MENU
    assert any("voice" in line for line in problems(wrong))
    assert any(
        "language" in line for line in problems(HEAD.replace("flow: test", "flow: test\nlanguage: fr") + MENU)
    )
