"""Plans of played calls, the lines SIPp reports, and the fields it is given."""

from array import array
from typing import Any
from xml.etree import ElementTree

import pytest

from app.caller import (
    CallerReport,
    CallPlan,
    PlayedCall,
    Press,
    Say,
    Wait,
    display_name,
    menu_steps,
    sipp_rate,
)
from app.sipp import SippEvent, render_scenario
from app.sipp.phone import PHONE_REFUSALS
from app.sipp.process import csv_field
from kernel.errors import Invalid

pytestmark = pytest.mark.unit


def plan(**changes: Any) -> CallPlan:
    return CallPlan(**{"from_number": "13800138000", "did": "4008001234", **changes})


def test_a_menu_path_is_keys_with_time_to_listen() -> None:
    assert menu_steps("1,2", first=3.0, between=1.0) == (
        Wait(3.0),
        Press("1"),
        Wait(2.0),
        Wait(1.0),
        Press("2"),
    )
    assert menu_steps("") == ()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"calls": 0}, "calls"),
        ({"rate": 0}, "rate"),
        ({"rate": 5000}, "rate"),
        ({"steps": (Press("12"),)}, "menu"),
        ({"steps": (Press("x"),)}, "menu"),
        ({"from_number": "138;00"}, "from_number"),
        ({"from_number": "13\r\n800"}, "from_number"),
        ({"did": "400 800"}, "did"),
    ],
)
def test_a_plan_that_cannot_be_played_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        plan(**changes)
    assert caught.value.field == field


def test_few_calls_have_audio_and_a_load_has_none() -> None:
    assert plan(calls=5).with_audio
    assert not plan(calls=500).with_audio
    assert not plan(audio=False).with_audio


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (1.0, ["-r", "1", "-rp", "1000"]),
        (20, ["-r", "20", "-rp", "1000"]),
        (0.5, ["-r", "5", "-rp", "10000"]),
        (2.5, ["-r", "25", "-rp", "10000"]),
        (0.01, ["-r", "1", "-rp", "100000"]),
    ],
)
def test_a_rate_in_sipps_words(rate: float, words: list[str]) -> None:
    assert sipp_rate(plan(calls=100, rate=rate)) == words


def test_a_single_call_begins_at_once() -> None:
    assert sipp_rate(plan()) == ["-r", "50"]


def test_a_hostile_name_stays_one_quoted_field() -> None:
    assert display_name("") == ""
    assert display_name('张"三\\;\r\nX: y') == '"张\\"三\\\\X: y"'


def test_the_report_counts_what_was_answered_and_ended() -> None:
    calls = (
        PlayedCall(number=1, answered=1.0, ended=2.0, ended_by="far"),
        PlayedCall(number=2, refused=486),
        PlayedCall(number=3, answered=1.0),
    )
    report = CallerReport(calls=calls)
    assert (report.successful, report.failed) == (1, 2)


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (
            "answered 3 3-77@127.0.0.2 127.0.0.1 4000",
            SippEvent("answered", 3, "3-77@127.0.0.2", ("127.0.0.1", "4000")),
        ),
        ("ended 1 c far", SippEvent("ended", 1, "c", ("far",))),
        ("ringing 1 c", SippEvent("ringing", 1, "c")),
        ("", None),
        ("noise", None),
        ("ended x c", None),
    ],
)
def test_lines_of_sipp(line: str, event: SippEvent | None) -> None:
    assert SippEvent.parse(line) == event


@pytest.mark.parametrize("value", ["a;b", "a\nb", "a\rb"])
def test_a_field_cannot_become_two(value: str) -> None:
    with pytest.raises(Invalid):
        csv_field(value)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        (
            "customer",
            {"did": "400", "keys": [(500, "1"), (20, "#")], "refusals": (486,), "ring_ms": 1, "talk_ms": 2},
        ),
        ("register", {"user": "1001", "secret": "a&b", "expires": 60}),
        ("phone_rings", {"user": "1001", "refusals": PHONE_REFUSALS}),
        (
            "phone_dials",
            {"user": "1001", "secret": "s", "number": "1002", "media_port": 9, "refusals": PHONE_REFUSALS},
        ),
    ],
)
def test_scenarios_are_well_formed_and_jump_only_to_labels_they_have(
    name: str, values: dict[str, Any]
) -> None:
    tree = ElementTree.fromstring(render_scenario(name, **values))
    labels = {element.get("id") for element in tree.iter("label")}
    jumps = {element.get(word) for element in tree.iter() for word in ("next", "ontimeout")} - {None}
    assert jumps <= labels


def test_speech_counts_as_time_when_sipp_plays_alone() -> None:
    steps = (Wait(1.0), Say("你好", array("h", [0] * 4000)), Press("2"))
    assert plan(audio=False, steps=steps).timed_keys() == ([(1500, "2")], 0.0)
