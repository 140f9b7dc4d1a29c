"""The recording of a call: on its page, for those who may hear it, and each time written down (§6.4)."""

from array import array
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import select

from kernel.audit import AuditRow
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from telephony.audio import write_wav
from tests.support.fake_telephony import ringing_call
from tests.support.web_stage import Stage
from web.auth import SESSION_COOKIE

pytestmark = pytest.mark.integration


async def test_agents_hear_their_own_calls_and_supervisors_all(
    tmp_path: Path, sqlite: Database, clock: FakeClock
) -> None:
    stage, now = Stage(sqlite, clock, tmp_path), clock.now()
    await stage.seed()
    await stage.start()
    try:
        own, other, silent = (new_ulid() for _ in range(3))
        agent_id = stage.agents[stage.agent_number]
        for call_id, led in ((own, agent_id), (other, new_ulid()), (silent, agent_id)):
            rang = ringing_call(call_id, "+8613800138000", "", "service", (), now, now)
            stage.history.calls[call_id] = replace(rang, agent_id=led, ended_at=now, state="ended")
        folder = tmp_path / "recordings"
        folder.mkdir()
        for call_id in (own, other):
            for part in ("", "-agent", "-customer"):
                write_wav(folder / f"{call_id}-att-{call_id}{part}.wav", array("h", [1000] * 800))

        async def heard(login: str, call_id: str) -> tuple[int, bool]:
            cookies = {SESSION_COOKIE: await stage.session_secret(login)}
            async with aiohttp.ClientSession(cookies=cookies) as client:
                path = f"{stage.url}/calls/{call_id}"
                async with client.get(f"{path}/recording.wav") as answer:
                    status = answer.status
                async with client.get(path) as page:
                    return status, "recording.wav" in await page.text()

        assert await heard("agent", own) == (200, True)
        assert await heard("agent", other) == (403, False)
        assert await heard("agent", silent) == (404, False)
        assert await heard("supervisor", other) == (200, True)
    finally:
        await stage.stop()
    async with sqlite.session() as session:
        mine = select(AuditRow.entity_id).where(AuditRow.action == "call.recording_played")
        assert list(await session.scalars(mine.order_by(AuditRow.seq))) == [own, other]
