"""Which number those see whom we call: that of the call, else the hotline; no agent's, no customer's."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.sipp.phone import answers
from kernel.ids import new_ulid
from telephony.ami.results import CallerId
from tests.support.centre import RunningCentre, running_centre
from tests.support.sip_capture import SipMessage, sip_capture
from tests.support.sipp import agent_phone, outside_phone
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx

HOTLINE, OTHER, CUSTOMER = "4008001234", "01065551234", "13512340001"


@contextlib.asynccontextmanager
async def centre_with(folder: Path, **trunk: object) -> AsyncIterator[RunningCentre]:
    async with running_centre(
        folder, centre={"hotline": HOTLINE}, pbx={"trunk": {"caller_ids": [HOTLINE, OTHER], **trunk}}
    ) as found:
        yield found


def invite(said: list[SipMessage]) -> SipMessage:
    """What the carrier was sent; an agent's own telephone asked for it before."""
    return [one for one in said if one.first.startswith(f"INVITE sip:{CUSTOMER}@")][-1]


def user_of(header: str) -> str:
    return header.partition("sip:")[2].partition("@")[0]


async def dialled(centre: RunningCentre, channel: str, context: str, exten: str) -> None:
    """What the dialler does for a campaign that shows the other number."""
    assert centre.service.telephony is not None
    call_id = new_ulid()
    await centre.service.telephony.link.actions.originate(
        channel,
        channel_id=f"att-{call_id}",
        context=context,
        exten=exten,
        variables={
            "__HF_CALL": call_id,
            "__HF_DIR": "out",
            "__HF_DID": OTHER,
            "__HF_TO": CUSTOMER,
            "HF_AMD": "no",
            "HF_TRUNK": "main",
            "HF_CALLER": OTHER,
        },
        caller_id=CallerId(number=CUSTOMER if context == "huifang-preview" else OTHER),
        account=call_id,
    )


@pytest.mark.parametrize("way", ["survey", "huifang-preview", "huifang-masked"])
async def test_a_campaign_shows_its_own_number(tmp_path: Path, way: str) -> None:
    async with (
        centre_with(tmp_path) as centre,
        outside_phone(centre.pbx, CUSTOMER) as customer,
        agent_phone(centre.pbx, "1001") as phone,
        sip_capture(centre.pbx, tmp_path / "sip.pcap") as said,
    ):
        if way == "survey":
            await dialled(centre, f"PJSIP/{CUSTOMER}@trunk-main", "huifang-dialled", "survey")
        else:
            await dialled(centre, "PJSIP/1001", way, CUSTOMER)
            await (await phone.rings(within=20)).answer()
        ring = await customer.rings(within=30)
        await ring.answer()
        await ring.hang_up()
        await eventually(centre.pbx.idle, timeout=20, what="no channel is left")
    shown = invite(said)
    assert user_of(shown.header("From")) == OTHER, shown.header("From")
    assert shown.header("From").startswith("<"), "no name of anybody of ours"


async def test_an_agent_shows_the_hotline_and_no_name(tmp_path: Path) -> None:
    async with (
        centre_with(tmp_path) as centre,
        outside_phone(centre.pbx, CUSTOMER, answers()) as customer,
        agent_phone(centre.pbx, "1001") as phone,
        sip_capture(centre.pbx, tmp_path / "sip.pcap") as said,
    ):
        call = await phone.dial(CUSTOMER)
        await customer.rings(within=20)
        await call.hang_up()
        await eventually(centre.pbx.idle, timeout=20, what="no channel is left")
    shown = invite(said).header("From")
    assert user_of(shown) == HOTLINE, shown
    assert shown.startswith("<"), "no name of anybody of ours"


async def test_a_carrier_that_wants_its_own_name_in_from(tmp_path: Path) -> None:
    async with (
        centre_with(tmp_path, from_user="acc-77") as centre,
        outside_phone(centre.pbx, CUSTOMER) as customer,
        sip_capture(centre.pbx, tmp_path / "sip.pcap") as said,
    ):
        await dialled(centre, f"PJSIP/{CUSTOMER}@trunk-main", "huifang-dialled", "survey")
        ring = await customer.rings(within=30)
        await ring.answer()
        await ring.hang_up()
        await eventually(centre.pbx.idle, timeout=20, what="no channel is left")
    shown = invite(said)
    assert user_of(shown.header("From")) == "acc-77"
    assert user_of(shown.header("P-Asserted-Identity")) == OTHER
