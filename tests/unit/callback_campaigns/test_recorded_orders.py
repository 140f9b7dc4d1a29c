"""A campaign that is not to be recorded says so to the dialplan, on every channel of a call."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from callback_campaigns.exchange import DialOrder, Sending, Way
from callback_campaigns.exchange_ami import AmiExchange
from kernel.ids import new_ulid

pytestmark = pytest.mark.unit


class Actions:
    """Takes down the variables of each Originate."""

    def __init__(self) -> None:
        self.variables: list[dict[str, str]] = []

    async def originate(self, _channel: str, *, variables: dict[str, str], **_: Any) -> None:
        self.variables.append(variables)


@pytest.mark.parametrize("way", [Way.PERSON, Way.SURVEY, Way.PREVIEW], ids=str)
async def test_the_dialplan_is_told(way: Way) -> None:
    actions, nothing = Actions(), SimpleNamespace()
    exchange = AmiExchange(actions, nothing, status=None, board=None, bus=None, clock=None)  # type: ignore[arg-type]
    for record in (True, False):
        order = DialOrder(
            attempt_id=new_ulid(),
            number="+8613800138000",
            trunk="main",
            caller_id="4008001234",
            way=way,
            ring=timedelta(seconds=1),
            agent_number="1001",
            record=record,
        )
        assert await exchange.originate(order) is Sending.SENT
    assert [told.get("__HF_RECORD", "") for told in actions.variables] == ["", "no"]
