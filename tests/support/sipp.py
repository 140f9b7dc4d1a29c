"""Customers and agents on the telephone, played by SIPp against a test's own PBX."""

from collections.abc import Callable
from typing import Any

from app.caller import CallerReport, CallPlan, run
from tests.support.pbx import HOTLINE, NETWORK_HOST, Pbx


def plan(**changes: Any) -> CallPlan:
    """A customer who calls the hotline, waits a second after what the steps say, and hangs up."""
    return CallPlan(**{"from_number": "13800138000", "did": HOTLINE, "hold_seconds": 1.0, **changes})


async def play(pbx: Pbx, wanted: CallPlan, progress: Callable[[str], None] | None = None) -> CallerReport:
    """Play customers over the trunk until all calls are over."""
    return await run(
        wanted,
        sipp=pbx.runtime.sipp.command(),
        env=pbx.runtime.sipp.env(),
        host=pbx.config.sip_host,
        port=pbx.config.sip_port,
        local_host=NETWORK_HOST,
        progress=progress or (lambda line: None),
    )
