"""Asterisk starts with what is rendered, without a complaint, and does what the dialplan promises."""

from pathlib import Path

import pytest

from app.runtime import Runtime
from telephony.asterisk.model import AgentEndpoint
from tests.support.pbx import AGENTS, running_pbx

pytestmark = pytest.mark.pbx


async def test_boots_without_errors_or_warnings(tmp_path: Path, runtime: Runtime) -> None:
    browser = AgentEndpoint(number="1009", display_name="赵敏", secret="browser-1009", webrtc=True)
    async with running_pbx(tmp_path, runtime=runtime, agents=(*AGENTS, browser)) as pbx:
        assert pbx.log("ERROR", "WARNING") == []
        endpoints = await pbx.cli("pjsip show endpoints")
        for name in ("1001/1001", "1009/1009", "trunk-main"):
            assert name in endpoints
        queues = await pbx.cli("queue show")
        assert all(name in queues for name in ("complaint", "repair", "service"))
        assert "huifang-music" in await pbx.cli("moh show files")


async def test_restarts_on_the_same_ports(tmp_path: Path, runtime: Runtime) -> None:
    async with running_pbx(tmp_path, runtime=runtime) as pbx:
        before = pbx.server.pid
        await pbx.restart()
        assert pbx.server.pid != before
        assert pbx.log("ERROR", "WARNING") == []
        assert "trunk-main" in await pbx.cli("pjsip show endpoints")
