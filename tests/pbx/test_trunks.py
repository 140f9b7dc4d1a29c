"""The trunk as a real Asterisk has it: calls over it, and what its server answers."""

from pathlib import Path

import pytest

from telephony.trunks import Trunks
from tests.support.centre import running_centre
from tests.support.sip_server import sip_server
from tests.support.sipp import customer
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx


async def test_seen_and_tested(tmp_path: Path) -> None:
    async with (
        sip_server("200 OK", host="127.0.0.2") as (_, port),
        running_centre(tmp_path, pbx={"trunk": {"host": "127.0.0.2", "port": port}}) as centre,
    ):
        trunks = Trunks(centre.service.base.bus, centre.clock, node="pbx1")
        (main,) = await trunks.look()
        assert (main.name, main.registration, main.channels) == ("main", "", 0)
        async with customer(centre.pbx, number="13800138001") as caller:
            await caller.until("answered")
            (main,) = await trunks.look(test="main")
            assert (main.channels, main.tested, main.status) == (1, True, 200)
            assert main.took_ms is not None
            await caller.hang_up()
        await eventually(centre.pbx.idle, timeout=20, what="no channel is left")


async def test_nobody_answers_where_it_registers(tmp_path: Path) -> None:
    async with sip_server(host="127.0.0.2") as (_, port):
        pass  # nobody has this port once the server is gone
    async with running_centre(
        tmp_path,
        pbx={
            "trunk": {
                "host": "127.0.0.2",
                "port": port,
                "username": "huifang",
                "secret": "carrier-secret",
                "register_with": True,
            }
        },
    ) as centre:
        (main,) = await Trunks(centre.service.base.bus, centre.clock, node="pbx1").look(test="main")
        assert (main.tested, main.status) == (True, None)
        assert main.registration in {"Unregistered", "Rejected"}
