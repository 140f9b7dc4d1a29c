"""Files that follow the database, as that of the agents' telephones: read until Asterisk has read them."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kernel.bus import Bus
from kernel.errors import Unavailable
from telephony.agent_events import RosterChanged
from telephony.asterisk.checks import InvalidPbxConfig
from telephony.asterisk.kept_files import KeptFiles
from telephony.asterisk.model import AgentEndpoint
from telephony.asterisk.render import AGENT_PHONES, write_agents
from tests.support.waiting import eventually

PHONE = AgentEndpoint(number="1001", display_name="李静", secret="desk-1001")
BROWSER = AgentEndpoint(number="1002", display_name="张伟", secret="now", former_secret="before", webrtc=True)


class Stage:
    def __init__(self, folder: Path) -> None:
        self.agents: tuple[AgentEndpoint, ...] = (PHONE,)
        self.reloads: list[str] = []
        self.away = False
        self.bus = Bus()
        self.file = folder / AGENT_PHONES
        self.keeper = KeptFiles(
            "agent-phones",
            write=self._write,
            modules=("res_pjsip.so",),
            reload=self._reload,
            until_next=lambda: timedelta(hours=1),
            bus=self.bus,
            retry=timedelta(milliseconds=20),
        )

    async def _write(self) -> bool:
        return write_agents(self.agents, self.file.parent)

    async def _reload(self, module: str) -> None:
        if self.away:
            raise Unavailable("no link")
        self.reloads.append(module)


async def test_it_is_read_again_only_when_something_is_new(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    assert await stage.keeper.refresh()
    assert stage.reloads == ["res_pjsip.so"]
    assert await stage.keeper.refresh()
    assert len(stage.reloads) == 1
    stage.agents = (PHONE, BROWSER)
    assert await stage.keeper.refresh()
    assert len(stage.reloads) == 2
    text = stage.file.read_text(encoding="utf-8")
    assert "auth = 1002,1002-former" in text
    assert "[1002](agent-browser)" in text
    assert stage.file.stat().st_mode & 0o777 == 0o600


async def test_what_could_not_be_read_is_read_later(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.away = True
    assert not await stage.keeper.refresh()
    stage.away = False
    assert await stage.keeper.refresh()
    assert stage.reloads == ["res_pjsip.so"]


async def test_it_hears_of_changes_and_comes_back_from_failures(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.away = True
    task = asyncio.create_task(stage.keeper.run())
    try:
        await asyncio.sleep(0.05)
        stage.away = False
        await eventually(lambda: stage.reloads, what="read after the failure")
        stage.agents = (BROWSER,)
        stage.bus.publish(RosterChanged(at=datetime(2026, 11, 23, tzinfo=UTC)))
        await eventually(lambda: "[1001]" not in stage.file.read_text(encoding="utf-8"), what="the change")
        await eventually(lambda: len(stage.reloads) == 2, what="read")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_a_value_that_may_not_be_written_changes_nothing(tmp_path: Path) -> None:
    write_agents((PHONE,), tmp_path)
    before = (tmp_path / AGENT_PHONES).read_text(encoding="utf-8")
    bad = AgentEndpoint(number="1003", display_name="x\n[1001]", secret="abc")
    with pytest.raises(InvalidPbxConfig, match=r"agents\[1\].display_name"):
        write_agents((PHONE, bad), tmp_path)
    with pytest.raises(InvalidPbxConfig, match="1001 twice"):
        write_agents((PHONE, PHONE), tmp_path)
    assert (tmp_path / AGENT_PHONES).read_text(encoding="utf-8") == before
