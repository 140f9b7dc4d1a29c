"""How a call's line was: kept for who spoke in it, replaced by what is told later, shown with the call."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert

from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, NotFound
from kernel.ids import new_ulid
from telephony.call_quality import MOST, CallQualities, Measures, Spread
from telephony.history import CallHistory
from telephony.tables import CallRow
from web.pages.call_quality import lines_of
from web.softphone_quality import Report

pytestmark = pytest.mark.integration

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
AGENT: dict[str, Any] = {"agent_id": new_ulid(), "agent_number": "1001"}


async def stored_call(database: Database, **changes: Any) -> str:
    call_id = new_ulid()
    values: dict[str, Any] = {
        "call_id": call_id,
        "node": "pbx1",
        "direction": "in",
        "from_number": "+8613800138001",
        "to_number": "4008001234",
        "from_name": "",
        "agent_number": "1001",
        "state": "ended",
        "menu_path": [],
        "started_at": NOW,
        "talk_ms": 0,
        "hold_ms": 0,
        "told": True,
        "adopted": False,
    }
    async with database.transaction() as session:
        await session.execute(insert(CallRow).values(values | changes))
    return call_id


async def test_what_is_told_later_replaces_what_was_told(database: Database) -> None:
    lines, history = CallQualities(database, FakeClock(NOW)), CallHistory(database)
    call_id = await stored_call(database)
    first = Measures(rtt_ms=Spread(20, 25, 40))
    await lines.keep(call_id, **AGENT, stretch="ab", seconds=30, poor_seconds=0, measures=first)
    whole = Measures(rtt_ms=Spread(18, 30.5, 400), loss_in=Spread(0, 1.25, 12), jitter_out_ms=Spread(1, 2, 3))
    await lines.keep(call_id, **AGENT, stretch="ab", seconds=60, poor_seconds=4, measures=whole)
    await lines.keep(call_id, **AGENT, stretch="cd", seconds=2, poor_seconds=0, measures=Measures())
    found = await history.get(call_id)
    assert [(one.agent, one.seconds, one.poor_seconds) for one in found.quality] == [
        ("1001", 60, 4),
        ("1001", 2, 0),
    ]
    assert found.quality[0].measures == whole
    shown, empty = lines_of(found)
    assert (shown.rtt, shown.loss_in, shown.jitter) == ("30 (18–400) ms", "1.2 (0.0–12.0) %", "2 (1–3) ms")
    assert (empty.rtt, empty.loss_out) == ("–", "–")


async def test_a_call_that_became_part_of_another_is_measured_there(sqlite: Database) -> None:
    lines = CallQualities(sqlite, FakeClock(NOW))
    whole = await stored_call(sqlite)
    part = await stored_call(sqlite, merged_into=whole)
    await lines.keep(part, **AGENT, stretch="ab", seconds=2, poor_seconds=0, measures=Measures())
    assert len((await CallHistory(sqlite).get(whole)).quality) == 1


async def test_nobody_measures_the_calls_of_others(sqlite: Database) -> None:
    lines = CallQualities(sqlite, FakeClock(NOW))
    call_id = await stored_call(sqlite, agent_number="1002")
    told: dict[str, Any] = {"stretch": "ab", "seconds": 2, "poor_seconds": 0, "measures": Measures()}
    with pytest.raises(Forbidden):
        await lines.keep(call_id, **AGENT, **told)
    for unknown in (new_ulid(), "no id"):
        with pytest.raises(NotFound):
            await lines.keep(unknown, **AGENT, **told)


async def test_pieces_of_a_call_have_a_limit(sqlite: Database) -> None:
    lines, call_id = CallQualities(sqlite, FakeClock(NOW)), await stored_call(sqlite)
    told: dict[str, Any] = {"seconds": 2, "poor_seconds": 0, "measures": Measures()}
    for number in range(MOST):
        await lines.keep(call_id, **AGENT, stretch=f"{number:08x}", **told)
    with pytest.raises(Conflict):
        await lines.keep(call_id, **AGENT, stretch="ffffffff", **told)


GOOD = {"call_id": "x", "stretch": "0123456789abcdef", "seconds": 10, "poor_seconds": 2}


@pytest.mark.parametrize(
    "wrong",
    [
        {"stretch": "../etc"},
        {"seconds": 0},
        {"poor_seconds": 11},
        {"rtt_ms": {"low": 3, "mean": 2, "high": 4}},
        {"rtt_ms": {"low": -1, "mean": 2, "high": 4}},
        {"rtt_ms": {"low": 1, "mean": 2, "high": float("inf")}},
        {"unknown": 1},
    ],
    ids=["stretch", "nothing", "longer", "disorder", "negative", "endless", "unknown"],
)
def test_a_report_that_cannot_be_true_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"validation error"):
        Report.model_validate(GOOD | wrong)


def test_a_report_is_read() -> None:
    report = Report.model_validate(GOOD | {"loss_out": {"low": 0, "mean": 0.333, "high": 1}})
    assert asdict(report.measures())["loss_out"] == {"low": 0, "mean": 0.33, "high": 1}
