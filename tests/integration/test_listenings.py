"""Wishes of supervisors who listen: one at a time, one who takes over, each in the audit log."""

import pytest

from kernel.access import Actor, Role
from kernel.audit import AuditLog
from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Forbidden, NotFound
from telephony.domain.listening import ListeningEnd, Mode
from telephony.listening_events import ListeningWished
from telephony.listenings import ListeningOver, Listenings, ListensAlready, NotListenable, TakenOver
from tests.support.agents import Heard
from tests.support.stored_talks import store_talk

pytestmark = pytest.mark.integration

ZHOU = Actor(user_id="01JZZZZZZZZZZZZZZZZZZZZZU1", name="周班长", role=Role.SUPERVISOR)
SUN = Actor(user_id="01JZZZZZZZZZZZZZZZZZZZZZU2", name="孙班长", role=Role.SUPERVISOR)
JING = Actor(user_id="01JZZZZZZZZZZZZZZZZZZZZZU3", name="李静", role=Role.AGENT)
CALL, OTHER, RINGS = (f"01JZZZZZZZZZZZZZZZZZZZZZ0{n}" for n in (1, 2, 3))


@pytest.fixture
async def service(database: Database, clock: FakeClock) -> Listenings:
    await store_talk(database, clock, CALL)
    await store_talk(database, clock, OTHER)
    await store_talk(database, clock, RINGS, agent=None)
    return Listenings(database, clock, Bus())


async def test_one_call_at_a_time_and_one_who_takes_it(service: Listenings) -> None:
    mine = await service.begin(ZHOU, CALL, "1008", Mode.LISTEN)
    with pytest.raises(ListensAlready):
        await service.begin(ZHOU, OTHER, "1008", Mode.LISTEN)
    theirs = await service.begin(SUN, CALL, "1009", Mode.WHISPER)
    taking = await service.change(ZHOU, mine.listening_id, Mode.TAKE_OVER)
    assert taking.wanted is Mode.TAKE_OVER
    with pytest.raises(TakenOver):
        await service.change(SUN, theirs.listening_id, Mode.TAKE_OVER)
    # it did not succeed: the way is free for the other one
    await service.not_taken(mine.listening_id)
    assert (await service.change(SUN, theirs.listening_id, Mode.TAKE_OVER)).wanted is Mode.TAKE_OVER
    with pytest.raises(TakenOver):
        await service.change(ZHOU, mine.listening_id, Mode.TAKE_OVER)
    await service.end(mine.listening_id, ListeningEnd.LEFT)
    with pytest.raises(TakenOver):
        await service.begin(ZHOU, CALL, "1008", Mode.TAKE_OVER)
    again = await service.begin(ZHOU, OTHER, "1008", Mode.LISTEN)
    assert [one.listening_id for one in await service.open_ones(ZHOU)] == [
        theirs.listening_id,
        again.listening_id,
    ]


async def test_what_cannot_be_listened_to(service: Listenings) -> None:
    with pytest.raises(Forbidden):
        await service.begin(JING, CALL, "1002", Mode.LISTEN)
    with pytest.raises(NotFound):
        await service.begin(ZHOU, "01JZZZZZZZZZZZZZZZZZZZZZ09", "1008", Mode.LISTEN)
    with pytest.raises(NotListenable):
        await service.begin(ZHOU, RINGS, "1008", Mode.LISTEN)
    with pytest.raises(NotListenable, match="own"):
        await service.begin(ZHOU, CALL, "1001", Mode.LISTEN)


async def test_only_ones_own_and_only_while_it_lasts(
    service: Listenings, database: Database, clock: FakeClock
) -> None:
    mine = await service.begin(ZHOU, CALL, "1008", Mode.LISTEN)
    for act in (service.change(SUN, mine.listening_id, Mode.BARGE), service.leave(SUN, mine.listening_id)):
        with pytest.raises(NotFound):
            await act
    await service.keep(mine.listening_id, now=Mode.LISTEN.value, answered_at=clock.now())
    await service.pressed(mine.listening_id, Mode.WHISPER)
    left = await service.leave(ZHOU, mine.listening_id)
    assert (left.wanted, left.now, left.ended_at) == (None, Mode.LISTEN, None)
    with pytest.raises(ListeningOver):
        await service.change(ZHOU, mine.listening_id, Mode.BARGE)
    await service.end(mine.listening_id, ListeningEnd.LEFT)
    await service.end(mine.listening_id, ListeningEnd.FAILED)  # the first word stands
    over = await service.leave(ZHOU, mine.listening_id)
    assert (over.is_open, over.ended_why) == (False, ListeningEnd.LEFT)
    assert await service.open_ones(SUN) == ()
    told = [(row.actor, row.action, row.entity_id) for row in await AuditLog(database, clock).recent()]
    assert told[::-1] == [
        ("周班长", "call.listen", CALL),
        ("周班长", "call.whisper", CALL),
        ("周班长", "call.listening_ended", CALL),
    ]


async def test_the_process_with_the_link_is_told(database: Database, clock: FakeClock) -> None:
    await store_talk(database, clock, CALL)
    bus = Bus()
    async with Heard(bus, ListeningWished) as heard:
        mine = await Listenings(database, clock, bus).begin(ZHOU, CALL, "1008", Mode.LISTEN)
    assert [getattr(one, "listening_id", "") for one in heard.events] == [mine.listening_id]
