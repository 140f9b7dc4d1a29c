"""Waiting callers' places as the PBX is told them: only what is new, and nothing where nobody waits."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from telephony.ami.actions import AmiActions
from telephony.ami.errors import AmiDown, AmiError, AmiNoSuch
from telephony.ami.results import QueueStatus
from telephony.domain.call import CallState
from telephony.waiting_told import WaitingTold

pytestmark = pytest.mark.unit


@dataclass
class Pbx:
    """Queues with callers by uniqueid, in their order."""

    line: list[str] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)
    asked: int = 0
    fails: AmiError | None = None
    gone: set[str] = field(default_factory=set)

    async def queue_status(self) -> QueueStatus:
        self.asked += 1
        if self.fails is not None:
            raise self.fails
        rows = [
            {"Uniqueid": one, "Channel": f"PJSIP/{one}", "Position": str(at + 1)}
            for at, one in enumerate(self.line)
        ]
        return QueueStatus(queues=(), members=(), callers=cast(Any, tuple(rows)))

    async def setvar(self, name: str, value: str, *, channel: str) -> None:
        assert name == "CHANNEL(language)"
        if channel in self.gone:
            raise AmiNoSuch("no such channel")
        self.told.append((channel, value))


@dataclass
class Line:
    """What is looked at, and who looks."""

    pbx: Pbx = field(default_factory=Pbx)
    calls: list[Any] = field(default_factory=list)
    wanted: bool = True

    def __post_init__(self) -> None:
        self.told = WaitingTold(
            cast(AmiActions, self.pbx),
            lambda: self.calls,
            channel_language=lambda code, ahead: (code or "zh") + ("" if ahead is None else str(ahead)),
            wanted=lambda: self.wanted,
            most_ahead=2,
        )

    def joins(self, name: str, language: str = "") -> None:
        """Somebody comes to the end of the line."""
        leg = SimpleNamespace(uniqueid=name)
        call = SimpleNamespace(state=CallState.QUEUED, language=language, live={name: leg})
        self.calls.append(call)
        self.pbx.line.append(name)

    async def look(self) -> list[tuple[str, str]]:
        self.pbx.told.clear()
        await self.told.look()
        return list(self.pbx.told)


async def test_each_place_is_told_once_and_again_when_it_changes() -> None:
    line = Line()
    assert (await line.look(), line.pbx.asked) == ([], 0), "nobody waits: nothing is asked"
    line.joins("a")
    line.joins("b", "en")
    line.joins("c")
    line.joins("d")
    assert await line.look() == [("PJSIP/a", "zh0"), ("PJSIP/b", "en1"), ("PJSIP/c", "zh2")], "d is too far"
    assert await line.look() == []
    line.pbx.line.remove("a")
    assert await line.look() == [("PJSIP/b", "en0"), ("PJSIP/c", "zh1"), ("PJSIP/d", "zh2")]
    line.pbx.line.insert(0, line.pbx.line.pop())
    assert await line.look() == [("PJSIP/d", "zh0"), ("PJSIP/b", "en1"), ("PJSIP/c", "zh2")], "a priority"


async def test_switched_off_they_hear_what_everybody_hears() -> None:
    line = Line()
    line.joins("a")
    await line.look()
    line.wanted = False
    assert await line.look() == [("PJSIP/a", "zh")]
    line.joins("b")
    assert await line.look() == []


async def test_what_fails_is_for_the_next_time() -> None:
    line = Line()
    line.joins("a")
    line.joins("b")
    line.pbx.fails = AmiDown("the link is down", sent=False)
    assert await line.look() == []
    line.pbx.fails = None
    line.pbx.gone = {"PJSIP/a"}
    assert await line.look() == [("PJSIP/b", "zh1")]
    line.pbx.gone = set()
    assert await line.look() == [("PJSIP/a", "zh0")]


async def test_nobody_but_callers_of_ours_is_told() -> None:
    line = Line()
    line.joins("a")
    line.pbx.line.insert(0, "a stranger to the model")
    assert await line.look() == [("PJSIP/a", "zh1")], "the place is Asterisk's"
