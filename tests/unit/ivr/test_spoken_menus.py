"""A menu that listens: what is said leads on, is asked back, or leaves the keys; mistakes in wishes."""

from datetime import UTC, datetime

import pytest

from ivr.domain.effects import (
    Ask,
    Clip,
    Effect,
    Heard,
    Input,
    LookedUp,
    Pressed,
    ReportMenu,
    Say,
    Silence,
    Spoke,
    Start,
    ToQueue,
)
from ivr.domain.engine import FlowRun, RunState
from tests.unit.ivr.flows import ENDS, HEAD, hotline, problems

pytestmark = pytest.mark.unit

OPEN = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)
HOTLINE = hotline()


def walk(run: FlowRun, *inputs: Input) -> tuple[Effect, ...]:
    effects: tuple[Effect, ...] = ()
    for item in inputs:
        effects = run.handle(item, now=OPEN)
    return effects


def at_menu(*, listening: bool = True) -> tuple[FlowRun, Ask]:
    run = FlowRun(HOTLINE, {"caller_number": ""}, listening=listening)
    ask = walk(run, Start(), LookedUp("none", {}), Heard())[-1]
    assert isinstance(ask, Ask)
    return run, ask


def prompts(effect: Effect) -> list[str]:
    return [piece.prompt for piece in getattr(effect, "pieces", ()) if isinstance(piece, Clip)]


def test_only_who_can_be_listened_to_is_invited_to_speak() -> None:
    _, ask = at_menu()
    assert prompts(ask) == ["say_or_press", "main_menu"]
    assert ask.listen is not None
    _, deaf = at_menu(listening=False)
    assert prompts(deaf) == ["main_menu"]
    assert deaf.listen is None


def test_a_clear_wish_is_taken_with_a_word_and_is_on_the_time_line() -> None:
    run, _ = at_menu()
    report, say = walk(run, Spoke("我要投诉", 0.9))
    assert report == ReportMenu(
        node="main", key="", label="投诉", said="我要投诉", understood="投诉", confidence=1.0
    )
    assert isinstance(say, Say)
    assert prompts(say) == ["stock_taken"]
    (end,) = walk(run, Heard())
    assert isinstance(end, ToQueue)
    assert (end.queue, prompts(end)) == ("complaint", ["to_complaint"])


def asked_back() -> FlowRun:
    run, _ = at_menu()
    report, ask = walk(run, Spoke("我要投诉", 0.1))
    assert isinstance(report, ReportMenu)
    assert (report.label, report.understood) == ("", "投诉")
    assert isinstance(ask, Ask)
    assert prompts(ask) == ["confirm_main_1"]
    assert ask.listen is not None
    assert ask.listen.means("是的", 0.9)
    assert run.state is RunState.CONFIRMING
    return run


@pytest.mark.parametrize(("yes", "sure"), [("是的", 0.9), ("对，投诉", 0.9), ("投诉", 0.1)])
def test_a_yes_takes_what_was_asked_back(yes: str, sure: float) -> None:
    run = asked_back()
    report, _say = walk(run, Spoke(yes, sure))
    assert isinstance(report, ReportMenu)
    assert report.label == "投诉"
    (end,) = walk(run, Heard())
    assert isinstance(end, ToQueue)
    assert end.queue == "complaint"


def test_key_1_says_yes_and_key_2_asks_for_a_key() -> None:
    _report, end = walk(asked_back(), Pressed("1"))
    assert isinstance(end, ToQueue)
    run = asked_back()
    (again,) = walk(run, Pressed("2"))
    assert prompts(again) == ["stock_wrong", "main_menu"]
    assert run.state is RunState.ASKING


@pytest.mark.parametrize("no", ["不是", "不对", "不是投诉"])
def test_a_no_asks_for_a_key(no: str) -> None:
    report, again = walk(asked_back(), Spoke(no, 0.9))
    assert isinstance(report, ReportMenu)
    assert report.label == ""
    assert prompts(again) == ["stock_wrong", "main_menu"]


def test_another_wish_instead_of_yes_is_taken() -> None:
    run = asked_back()
    walk(run, Spoke("不是，我要报修", 0.9))
    (end,) = walk(run, Heard())
    assert isinstance(end, ToQueue)
    assert end.queue == "repair"


def test_any_other_key_wins_while_it_is_asked_back() -> None:
    _report, end = walk(asked_back(), Pressed("0"))
    assert isinstance(end, ToQueue)
    assert end.queue == "service"


def test_who_is_not_understood_is_asked_for_keys_and_then_goes_to_a_person() -> None:
    run, _ = at_menu()
    for _ in range(2):
        report, again = walk(run, Spoke("今天天气不错", 0.9))
        assert isinstance(report, ReportMenu)
        assert (report.said, report.confidence) == ("今天天气不错", 0.0)
        assert prompts(again) == ["stock_wrong", "main_menu"]
    _, end = walk(run, Spoke("今天天气不错", 0.9))
    assert isinstance(end, ToQueue)
    assert (end.queue, end.cause) == ("service", "not_understood")


def test_silence_and_a_wish_to_hear_it_again() -> None:
    run = asked_back()
    (again,) = walk(run, Silence())
    assert prompts(again)[0] == "stock_silence"
    _, repeated = walk(run, Spoke("再说一遍", 0.9))
    assert isinstance(repeated, Ask)


MENU = """\
  menu:
    kind: menu
    say: ask
    keys:
      "1": {{to: complaint, label: 投诉, says: [{one}]{extra}}}
      "2": {{to: bye, label: 再见, says: [{two}]}}
"""


def mistakes(one: str = "投诉", two: str = "再见", extra: str = "") -> list[str]:
    return problems(HEAD + MENU.format(one=one, two=two, extra=extra) + ENDS)


def test_a_sound_flow_with_wishes_is_accepted() -> None:
    assert mistakes() == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"one": "投诉", "two": "投诉"}, "said for key 1 and for key 2"),
        ({"one": "报修", "two": "保修"}, "sound the same"),
        ({"one": "投诉, 投诉"}, "stands there twice"),
        ({"one": "诉"}, "has 1 characters"),
        ({"one": "按1键"}, "not wholly Chinese"),
        ({"extra": ', over: ["9"]'}, "over names “9”"),
        ({"extra": ", identity: true"}, "takes the key, not a word"),
    ],
    ids=["same", "sounds_alike", "twice", "short", "digits", "over", "identity"],
)
def test_wishes_that_mean_two_things_or_nothing_are_refused(given: dict[str, str], said: str) -> None:
    found = mistakes(**given)
    assert len(found) == 1
    assert "node “menu”" in found[0]
    assert said in found[0]


def test_a_wish_without_a_label_has_no_question_to_ask_back() -> None:
    text = HEAD + MENU.format(one="投诉", two="再见", extra="").replace("label: 投诉, ", "") + ENDS
    assert ["has no label" in line for line in problems(text)] == [True]
