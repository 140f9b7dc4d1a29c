"""``huifang stats rebuild``: what is stored of a day is what its events give, on both databases."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from app.cli import cli
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Invalid
from kernel.ids import new_ulid
from telephony.agent_tables import AgentRow, AgentStateLogRow
from telephony.day_tables import QueueSlotRow
from telephony.rebuild import DayRebuild
from telephony.tables import CallEventRow, CallRow

pytestmark = pytest.mark.integration

SHANGHAI = ZoneInfo("Asia/Shanghai")
MIDNIGHT = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)
"""With which the third of March begins in Shanghai."""
MINUTE = timedelta(minutes=1)


def rebuild(database: Database, clock: FakeClock) -> DayRebuild:
    return DayRebuild(
        database,
        clock,
        node="pbx1",
        zone=SHANGHAI,
        short_abandon=timedelta(seconds=5),
        answer_within={"repair": timedelta(seconds=20)},
    )


async def history(database: Database) -> None:
    """A call over midnight that is talked of till a quarter past, one that is given up after midnight."""
    late, early = new_ulid(), new_ulid()
    async with database.transaction() as session:
        session.add(
            AgentRow(agent_id="jing", number="1001", name="李静", sip_password="x" * 8, created_at=MIDNIGHT)
        )
        for call_id, at in ((late, MIDNIGHT - MINUTE), (early, MIDNIGHT + MINUTE)):
            session.add(
                CallRow(
                    call_id=call_id,
                    node="pbx1",
                    direction="in",
                    from_number="",
                    to_number="",
                    from_name="",
                    queue="repair",
                    state="ended",
                    result="ANSWERED" if call_id == late else "ABANDONED_QUEUE",
                    menu_path=[],
                    started_at=at,
                    talk_ms=0,
                    hold_ms=0,
                    adopted=False,
                    told=True,
                )
            )
        await session.flush()
        for call_id, seq, at, kind in (
            (late, 1, MIDNIGHT - MINUTE, "queued"),
            (late, 2, MIDNIGHT + MINUTE, "answered"),
            (late, 3, MIDNIGHT + 15 * MINUTE, "ended"),
            (early, 1, MIDNIGHT + MINUTE, "queued"),
            (early, 2, MIDNIGHT + 2 * MINUTE, "left_queue"),
        ):
            # The details of the second were erased with its numbers: its result tells the same.
            session.add(CallEventRow(call_id=call_id, seq=seq, at=at, kind=kind, queue="repair", detail={}))
        for state, since, until in (("available", -30, 1), ("on_call", 1, 15), ("wrap_up", 15, 16)):
            session.add(
                AgentStateLogRow(
                    entry_id=new_ulid(),
                    agent_id="jing",
                    state=state,
                    call_id=None if state == "available" else late,
                    queue=None if state == "available" else "repair",
                    started_at=MIDNIGHT + since * MINUTE,
                    ended_at=MIDNIGHT + until * MINUTE,
                )
            )


async def test_a_call_counts_in_the_day_in_which_it_came_to_the_queue(database: Database) -> None:
    await history(database)
    made = rebuild(database, FakeClock(MIDNIGHT + timedelta(days=3)))
    seen: list[tuple[int, int]] = []
    second = (MIDNIGHT - MINUTE).astimezone(SHANGHAI).date()
    found = await made.run(second, told=lambda done, whole: seen.append((done, whole)))
    assert (found.total.offered, found.total.answered, found.total.abandoned) == (1, 1, 0)
    assert found.total.answered_wait == 2 * MINUTE
    assert found.total.ready == 30 * MINUTE
    assert found.total.handled == 0
    assert seen == [(1, 1)]
    third = second + timedelta(days=1)
    found = await made.run(third)
    assert (found.total.offered, found.total.abandoned, found.total.abandoned_short) == (1, 1, 0)
    assert (found.total.handled, found.total.handling, found.total.busy) == (1, 15 * MINUTE, 15 * MINUTE)
    assert found.over
    assert {one.stored for one in found.differences} == {0}
    for day in (second, third):
        assert (await made.run(day)).differences == ()


async def test_what_was_stored_otherwise_is_told_and_mended(database: Database) -> None:
    await history(database)
    made = rebuild(database, FakeClock(MIDNIGHT + timedelta(hours=2)))
    await made.run(made.today())
    async with database.transaction() as session:
        await session.execute(update(QueueSlotRow).where(QueueSlotRow.queue == "repair").values(abandoned=7))
    checked = await made.run(made.today(), write=False)
    assert not checked.over
    assert [(one.figure, one.stored, one.computed) for one in checked.differences] == [("abandoned", 7, 1)]
    assert (await made.run(made.today())).differences == checked.differences
    assert (await made.run(made.today(), write=False)).differences == ()
    with pytest.raises(Invalid, match="has not come"):
        await made.run(made.today() + timedelta(days=1))


def test_the_command_says_what_is_wrong_with_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUIFANG_DATA_DIR", str(tmp_path / "data"))
    runner = CliRunner()
    assert "no database" in runner.invoke(cli, ["stats", "rebuild"]).output
    assert runner.invoke(cli, ["db", "upgrade"]).exit_code == 0
    assert "a day as 2026-03-02" in runner.invoke(cli, ["stats", "rebuild", "--day", "yesterday"]).output
    found = runner.invoke(cli, ["stats", "rebuild", "--check"])
    assert (found.exit_code, "0 offered" in found.output) == (0, True)
