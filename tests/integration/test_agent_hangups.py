"""How often agents hang up first (domain.md §1.14)."""

from datetime import UTC, datetime, timedelta

import pytest

from kernel.db import Database
from kernel.ids import new_ulid
from telephony.agent_hangups import read_hangups
from telephony.tables import CallRow

pytestmark = pytest.mark.integration

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


def call(agent: str | None, by: str | None, **changes: object) -> CallRow:
    known: dict[str, object] = {
        "call_id": new_ulid(),
        "node": "pbx1",
        "direction": "in",
        "from_number": "13800138001",
        "to_number": "01065558800",
        "from_name": "",
        "agent_number": agent,
        "state": "ended",
        "menu_path": [],
        "started_at": NOW,
        "answered_at": NOW,
        "ended_at": NOW,
        "talk_ms": 1000,
        "hold_ms": 0,
        "hangup_by": by,
    }
    return CallRow(**(known | changes))


async def test_1_14_the_ratio_counts_talks_whose_end_is_known(sqlite: Database) -> None:
    rows = [call("1001", "agent"), call("1001", "caller"), call("1001", "caller"), call("1001", "caller")]
    rows += [call("1002", "agent"), call("1002", "caller", direction="out")]
    nothing = [
        call("1002", None),
        call("1002", "unknown"),
        call("1002", "system"),
        call(None, "caller"),
        call("1002", "agent", answered_at=None),
        call("1002", "agent", direction="internal"),
        call("1002", "agent", started_at=NOW - timedelta(days=1)),
        call("1002", "agent", merged_into=rows[0].call_id),
    ]
    async with sqlite.transaction() as session:
        session.add_all(rows + nothing)
    async with sqlite.session() as session:
        found = await read_hangups(session, NOW, NOW + timedelta(days=1))
    assert [(one.number, one.calls, one.by_agent, one.share) for one in found] == [
        ("1002", 2, 1, 0.5),
        ("1001", 4, 1, 0.25),
    ]
