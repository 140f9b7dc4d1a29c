"""Who is shown beside a call: looked up early, once, and never in the way of the call."""

from dataclasses import replace
from typing import Any

import pytest

from kernel.errors import Conflict, Invalid
from kernel.phone import Phone
from telephony.domain.agent_state import AgentState
from tests.support.desktop import CALL, PHONE, Desktop
from tests.support.waiting import eventually
from tests.support.web import customer_card
from tests.unit.web.test_pop import end

pytestmark = pytest.mark.unit


async def test_a_quick_look_up_goes_out_with_the_call_in_one_message(desktop: Desktop) -> None:
    await desktop.open()
    desktop.ring()
    ((name, pop),) = await desktop.told()
    assert name == "pop"
    assert (pop["phase"], pop["number"], pop["lookup"]) == ("ringing", "138 0013 8000", "found")
    assert pop["customers"][0]["name"] == "王建国"


async def test_a_customer_looked_up_when_the_call_began_is_there_at_the_ring(desktop: Desktop) -> None:
    await desktop.open()
    await desktop.offered()
    desktop.customers.gate.clear()
    desktop.ring()
    ((name, pop),) = await desktop.told()
    assert (name, pop["phase"], pop["lookup"]) == ("pop", "ringing", "found")
    assert desktop.customers.asked == 1


async def test_a_look_up_that_runs_since_the_call_began_is_waited_for(desktop: Desktop) -> None:
    await desktop.open()
    desktop.customers.gate.clear()
    desktop.offer()
    desktop.ring()
    assert (await desktop.until("pop"))["lookup"] == "pending"
    desktop.customers.gate.set()
    assert (await desktop.until("pop"))["lookup"] == "found"
    assert desktop.customers.asked == 1


async def test_what_was_found_too_long_before_the_ring_is_looked_up_again(desktop: Desktop) -> None:
    await desktop.open()
    await desktop.offered()
    desktop.pass_time(31)
    desktop.customers.cards = (customer_card("C1", name="王小红"),)
    desktop.ring()
    assert (await desktop.until("pop"))["customers"][0]["name"] == "王小红"


async def test_a_look_up_that_failed_before_the_ring_is_made_again(desktop: Desktop) -> None:
    await desktop.open()
    desktop.customers.broken = True
    desktop.offer()
    await eventually(lambda: desktop.customers.asked == 1)
    desktop.customers.broken = False
    desktop.ring()
    assert (await desktop.until("pop"))["lookup"] == "found"
    assert desktop.customers.asked == 2


async def test_customers_of_a_call_are_forgotten_with_it_and_of_many_calls_the_oldest(
    desktop: Desktop,
) -> None:
    await desktop.open()
    await desktop.offered()
    desktop.bus.publish(end())
    await eventually(lambda: desktop.lookup.known(CALL, PHONE) is None)
    calls = [f"01JZZZZZZZZZZZZZZZZZZZZZ1{number}" for number in range(4)]
    for call_id in calls:
        assert await desktop.lookup.find(call_id, PHONE)
    known = [desktop.lookup.known(call_id, PHONE) is not None for call_id in calls]
    assert known == [False, True, True, True]
    assert desktop.lookup.known(calls[1], Phone.parse("13900139000")) is None


@pytest.mark.parametrize(
    "facts", [{"direction": "out"}, {"direction": "internal"}, {"from_number": "anonymous"}]
)
async def test_calls_that_nobody_known_can_have_begun_are_not_looked_up(
    desktop: Desktop, facts: dict[str, Any]
) -> None:
    await desktop.open()
    desktop.offer(**facts)
    await desktop.offered(call_id=CALL)
    assert desktop.customers.asked == 1


async def test_a_slow_look_up_never_holds_up_the_call(desktop: Desktop) -> None:
    await desktop.open()
    desktop.customers.gate.clear()
    desktop.ring()
    assert (await desktop.until("pop"))["lookup"] == "pending"
    desktop.customers.gate.set()
    assert (await desktop.until("pop"))["lookup"] == "found"


@pytest.mark.parametrize("fault", ["broken", "silent"])
async def test_a_failed_look_up_says_so_and_the_call_is_there(desktop: Desktop, fault: str) -> None:
    await desktop.open()
    if fault == "silent":
        desktop.customers.gate.clear()
    desktop.customers.broken = True
    desktop.ring()
    pop = await desktop.until("pop")
    if pop["lookup"] == "pending":
        pop = await desktop.until("pop")
    assert (pop["lookup"], pop["number"]) == ("failed", "138 0013 8000")


async def test_a_caller_who_is_gone_before_the_look_up_stays_gone(desktop: Desktop) -> None:
    await desktop.open()
    desktop.customers.gate.clear()
    desktop.ring()
    assert (await desktop.until("pop"))["lookup"] == "pending"
    desktop.stop_ringing("abandoned")
    assert await desktop.until("pop") is None
    desktop.customers.gate.set()
    assert [name for name, _ in await desktop.told(0.1)] in ([], ["notice"])
    assert dict(desktop.pops.snapshot("agent:a"))["pop"] is None


async def test_nobody_is_looked_up_while_no_page_is_open(desktop: Desktop) -> None:
    desktop.offer()
    desktop.ring()
    await eventually(lambda: dict(desktop.pops.snapshot("agent:a"))["pop"] is not None)
    assert desktop.customers.asked == 0
    desktop.desk.agent = replace(desktop.desk.agent, state=AgentState.RINGING, call_id=CALL)
    assert (await desktop.open())["pop"]["lookup"] == "found"


async def test_an_anonymous_caller_is_an_empty_form_at_once(desktop: Desktop) -> None:
    await desktop.open()
    desktop.ring(from_number="anonymous", caller_name="")
    pop = await desktop.until("pop")
    assert (pop["lookup"], pop["number"]) == ("unknown", "")
    assert desktop.customers.asked == 0


async def test_a_family_is_a_choice_and_only_those_offered_can_be_chosen(desktop: Desktop) -> None:
    desktop.customers.cards = (customer_card("C1"), customer_card("C2", name="王小红"))
    await desktop.open()
    desktop.ring()
    assert (await desktop.until("pop"))["lookup"] == "several"
    with pytest.raises(Invalid):
        desktop.pops.choose("a", CALL, "C9")
    with pytest.raises(Conflict):
        desktop.pops.choose("a", "01JZZZZZZZZZZZZZZZZZZZZZ09", "C2")
    desktop.pops.choose("a", CALL, "C2")
    assert (await desktop.until("pop"))["chosen"] == "C2"
    assert desktop.pops.chosen("a", CALL) == "C2"
    desktop.pops.choose("a", CALL, "")
    assert desktop.pops.chosen("a", CALL) is None
