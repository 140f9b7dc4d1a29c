"""A queue that is changed or added while callers wait: Asterisk goes by it, and no call hears of it."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from telephony.domain.queue import QueueSettings
from telephony.roster import Roster
from tests.support.centre import running_centre
from tests.support.sipp import agent_phone, choose, customer
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx


async def test_asterisk_follows_while_somebody_waits(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"centre": {"hotline": "4008001234"}}
    async with running_centre(tmp_path, **changes) as centre:
        roster = Roster(centre.database, centre.clock, centre.service.base.bus)
        complaint = next(queue for queue in await roster.queues() if queue.name == "complaint")
        async with (
            agent_phone(centre.pbx, "1001") as phone,
            customer(centre.pbx, number="13800138001") as caller,
        ):
            await choose(caller, "1")

            async def waits() -> bool:
                return " 1. PJSIP/" in await centre.pbx.cli("queue show complaint")

            await eventually(waits, timeout=30, what="the caller waits")
            await roster.put_queue(replace(complaint, ring_timeout=timedelta(seconds=37), weight=9))
            await roster.put_queue(
                QueueSettings(name="vip", label_zh="贵宾", label_en="VIP", strategy="ringall", position=9)
            )

            async def followed() -> bool:
                shown = await centre.pbx.cli("queue show vip")
                dialled = await centre.pbx.cli("dialplan show vip@huifang-queue")
                return "'ringall' strategy" in shown and "Set(__HF_QUEUE=vip)" in dialled

            await eventually(followed, timeout=30, what="Asterisk knows the new queue")
            # Nobody who waits has lost their place, and the agent who comes now is connected with them.
            assert await waits()
            assert "W:9" in await centre.pbx.cli("queue show complaint")
            await centre.service.desk.sign_in(await centre.agent_id("1001"))
            ring = await phone.rings(within=30)
            await ring.answer()
            before = caller.ear.packets
            await eventually(lambda: caller.ear.packets > before + 20, what="they speak with each other")
            await caller.hang_up()
            await ring.ended()
            # A queue that is taken out of use goes with its members, and nothing is told as an error.
            await roster.set_memberships(await centre.agent_id("1001"), {"complaint": 0, "vip": 0})

            async def inside() -> bool:
                return "PJSIP/1001" in await centre.pbx.cli("queue show vip")

            await eventually(inside, timeout=20, what="the agent is in the new queue")
            await roster.retire_queue("vip")

            async def gone() -> bool:
                shown = await centre.pbx.cli("queue show vip")
                dialled = await centre.pbx.cli("dialplan show vip@huifang-queue")
                return "PJSIP" not in shown and "Set(__HF_QUEUE=vip)" not in dialled

            await eventually(gone, timeout=30, what="Asterisk has forgotten the queue")
            assert "PJSIP/1001" in await centre.pbx.cli("queue show complaint")
        await eventually(centre.pbx.idle, timeout=20, what="no channel is left")
        assert centre.pbx.log("ERROR") == []
