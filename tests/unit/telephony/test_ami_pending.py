"""The table of actions in flight."""

import asyncio

import pytest

from telephony.ami import AmiDown, AmiEvent, AmiInvalid, AmiRejected, AmiResponse, AmiTimeout
from telephony.ami.pending import ActionTable

pytestmark = pytest.mark.unit


def table(*, limit: int = 10, list_items: int = 10) -> ActionTable:
    return ActionTable(limit=limit, list_items=list_items)


def answer(action_id: str, *lines: str) -> AmiResponse:
    return AmiResponse("\r\n".join(["Response: Success", f"ActionID: {action_id}", *lines]).encode())


async def test_an_answer_finds_its_action() -> None:
    pending = table()
    first_id, first = pending.open(collect=False)
    second_id, second = pending.open(collect=False)
    assert first_id != second_id
    pending.settle(answer(second_id, "Value: 2"))
    pending.settle(answer(first_id, "Value: 1"))
    assert (await first).response.get("value") == "1"
    assert (await second).response.get("value") == "2"
    assert len(pending) == 0


async def test_strays_are_counted() -> None:
    pending = table()
    action_id, future = pending.open(collect=False)
    pending.settle(answer("other"))
    pending.settle(answer(""))
    pending.settle(answer(action_id))
    pending.settle(answer(action_id))
    assert pending.strays == 3
    assert (await future).response.success


async def test_a_list_is_collected_up_to_its_end() -> None:
    pending = table()
    action_id, future = pending.open(collect=True)
    rows = [AmiEvent.of("Row", {"ActionID": action_id, "N": str(number)}) for number in range(3)]
    pending.settle(rows[0])  # before the response: not of this list
    pending.settle(answer(action_id, "EventList: start"))
    for row in rows:
        pending.settle(row)
    end = AmiEvent.of("RowsComplete", {"ActionID": action_id, "EventList": "Complete"})
    pending.settle(end)
    reply = await future
    assert reply.items == tuple(rows)
    assert reply.closing is end
    assert len(pending) == 0


async def test_an_empty_answer_to_a_list_is_the_end_of_it() -> None:
    pending = table()
    action_id, future = pending.open(collect=True)
    pending.settle(answer(action_id, "Message: nothing to list"))
    assert (await future).items == ()


async def test_a_cancelled_list() -> None:
    pending = table()
    action_id, future = pending.open(collect=True)
    pending.settle(answer(action_id, "EventList: start"))
    pending.settle(AmiEvent.of("RowsComplete", {"ActionID": action_id, "EventList": "cancelled"}))
    with pytest.raises(AmiRejected):
        await future


async def test_a_list_has_a_limit() -> None:
    pending = table(list_items=2)
    action_id, future = pending.open(collect=True)
    pending.settle(answer(action_id, "EventList: start"))
    for _ in range(5):
        pending.settle(AmiEvent.of("Row", {"ActionID": action_id}))
    with pytest.raises(AmiRejected, match="without end"):
        await future
    assert len(pending) == 0


async def test_the_table_has_a_limit() -> None:
    pending = table(limit=2)
    pending.open(collect=False)
    action_id, _ = pending.open(collect=False)
    with pytest.raises(AmiDown) as failure:
        pending.open(collect=False)
    assert not failure.value.sent
    pending.close(action_id)
    pending.open(collect=False)


async def test_a_lost_link_fails_everything() -> None:
    pending = table()
    _, future = pending.open(collect=False)
    outcome = pending.dial("att-1", expires_in=60)
    pending.fail_all("eof")
    for waiting in (future, outcome):
        with pytest.raises(AmiDown) as failure:
            await waiting
        assert failure.value.sent
        assert failure.value.context == {"reason": "eof"}
    assert len(pending) == 0


async def test_the_end_of_a_call_may_come_before_the_answer_to_its_action() -> None:
    pending = table()
    outcome = pending.dial("att-1", expires_in=60)
    action_id, future = pending.open(collect=False, action_id="originate/att-1")
    ended = {"ActionID": action_id, "Response": "Failure", "Reason": "5", "Uniqueid": "<null>"}
    pending.settle(AmiEvent.of("OriginateResponse", ended))
    pending.settle(answer(action_id))
    assert (await future).response.success
    result = await outcome
    assert (result.channel_id, result.success) == ("att-1", False)
    pending.settle(AmiEvent.of("OriginateResponse", ended))  # again: nobody waits


async def test_one_call_per_channel_id() -> None:
    pending = table()
    pending.dial("att-1", expires_in=60)
    with pytest.raises(AmiInvalid) as failure:
        pending.dial("att-1", expires_in=60)
    assert not failure.value.sent
    pending.stop_dialling("att-1")
    pending.stop_dialling("att-1")
    pending.dial("att-1", expires_in=60)
    pending.fail_all("closed")


async def test_an_end_that_never_comes() -> None:
    pending = table()
    outcome = pending.dial("att-1", expires_in=0.01)
    with pytest.raises(AmiTimeout):
        await asyncio.wait_for(outcome, 20)
    assert len(pending) == 0
