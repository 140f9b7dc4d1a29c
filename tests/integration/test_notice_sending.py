"""Messages on their way out: once, paced, in their hours, again after trouble, never lost."""

import asyncio
import contextlib
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr
from sqlalchemy import select

from crm.notices.desk import NotFailed
from crm.notices.domain import ATTEMPTS, Channel, MessageState, NoticeRequest, Rate
from crm.notices.messages import CustomerMessage
from crm.notices.ports import Permanent, Temporary
from crm.notices.senders.outside import Outside
from crm.notices.senders.webhook import HttpPoster, WebhookSender
from crm.notices.sending import LEASE
from crm.notices.tables import NoticeRule, OutgoingMessage
from kernel.clock import FakeClock, SystemClock
from kernel.db import Database
from kernel.errors import Forbidden
from kernel.events import decode
from kernel.outbox import OutboxRow
from tests.support.notices import NoticeStage
from tests.support.outside import ok, receiver, status

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def stage(database: Database, clock: FakeClock) -> NoticeStage:
    return NoticeStage(database, clock)


async def queue(stage: NoticeStage, code: str = "limit.red", key: str = "k1", count: int = 1) -> None:
    """Queue mails for the manager."""
    if not await stage.messages():
        await stage.address("u-manager", Channel.EMAIL, "manager@example.com")
    async with stage.database.transaction() as session:
        for n in range(count):
            request = NoticeRequest(
                code=code,
                key=f"{key}-{n}",
                parameters={"no": f"TS20260302-{n:04}", "limit": "TS.T1"},
                link="/complaints/1",
                also=("role:manager",),
            )
            assert await stage.notices.give(session, request)


async def only(stage: NoticeStage) -> OutgoingMessage:
    (row,) = await stage.messages()
    return row


async def test_a_message_is_sent_in_the_persons_language(stage: NoticeStage) -> None:
    stage.people.language = "en"
    await queue(stage)
    assert await stage.worker().run_once() == 1
    (message,) = stage.sender.sent
    assert message.title == "On the red list: TS20260302-0000, accepting the complaint"
    assert message.address == "manager@example.com"
    assert message.link == "https://cc.example.com/complaints/1"
    row = await only(stage)
    assert (row.state, row.provider_ref, row.attempts, row.due_at) == ("sent", "ref-1", 1, None)
    assert await stage.worker().run_once() == 0


async def test_trouble_is_tried_again_with_growing_pauses_to_an_end(
    stage: NoticeStage, clock: FakeClock
) -> None:
    await queue(stage)
    stage.sender.outcomes = [Temporary("no answer in time") for _ in range(ATTEMPTS)]
    worker, pauses = stage.worker(), list[timedelta]()
    while True:
        assert await worker.run_once() == 1
        row = await only(stage)
        assert row.last_error == "no answer in time"
        if row.due_at is None:
            break
        assert await worker.run_once() == 0, "not before its time"
        pauses.append(row.due_at - clock.now())
        clock.advance(row.due_at - clock.now())
    assert row.state == "failed"
    assert len(stage.sender.sent) == ATTEMPTS
    assert pauses == sorted(pauses)
    assert pauses[0] == timedelta(seconds=30)
    assert len({message.message_id for message in stage.sender.sent}) == 1
    async with stage.database.session() as session:
        facts = [decode(payload) for payload in await session.scalars(select(OutboxRow.payload))]
    assert [type(fact).__name__ for fact in facts] == ["MessageFailed"]


async def test_a_refusal_is_final_until_somebody_tries_again(stage: NoticeStage) -> None:
    await queue(stage)
    stage.sender.outcomes = [Permanent("the receiver refuses (HTTP 410)")]
    worker = stage.worker()
    await worker.run_once()
    row = await only(stage)
    assert (row.state, row.due_at) == ("failed", None)
    desk, admin = stage.desk, stage.actor("u-admin")
    assert [failed.message_id for failed in (await desk.page(admin, state=MessageState.FAILED)).items]
    assert (await desk.try_again(admin, row.message_id)).state is MessageState.WAITING
    with pytest.raises(NotFailed):
        await desk.try_again(admin, row.message_id)
    with pytest.raises(Forbidden):
        await desk.try_again(stage.actor("u-manager"), row.message_id)
    await worker.run_once()
    assert (await only(stage)).state == "sent"


async def test_the_other_sides_wish_is_heeded(stage: NoticeStage, clock: FakeClock) -> None:
    await queue(stage)
    busy = Temporary("the receiver is in trouble (HTTP 429)", retry_after=timedelta(minutes=10))
    stage.sender.outcomes = [busy]
    await stage.worker().run_once()
    assert (await only(stage)).due_at == clock.now() + timedelta(minutes=10)


async def test_a_channel_that_is_not_set_up_says_so(stage: NoticeStage) -> None:
    await queue(stage)
    await stage.worker(senders={}).run_once()
    row = await only(stage)
    assert (row.state, row.last_error) == ("failed", "the channel is not set up")


async def test_killed_between_send_and_mark_sends_again_with_the_same_key(
    stage: NoticeStage, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At least once at the other side, which knows it by the key; nothing is lost."""
    await queue(stage)
    worker = stage.worker("killed")

    async def die(*_: Any) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(worker, "_mark", die)
    with contextlib.suppress(asyncio.CancelledError, BaseExceptionGroup):
        await worker.run_once()
    row = await only(stage)
    assert (row.state, row.claimed_by) == ("sending", "killed")
    other = stage.worker("other")
    assert await other.run_once() == 0, "the claim of the killed one still holds"
    clock.advance(LEASE + timedelta(seconds=1))
    assert await other.run_once() == 1
    assert (await only(stage)).state == "sent"
    assert [message.message_id for message in stage.sender.sent] == [row.message_id] * 2


async def test_a_stop_in_the_middle_of_the_mark_still_marks(
    stage: NoticeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await queue(stage)
    worker = stage.worker()
    marking, go_on = asyncio.Event(), asyncio.Event()
    finish = worker._finish

    async def slowly(*arguments: Any) -> None:
        marking.set()
        await go_on.wait()
        await finish(*arguments)

    monkeypatch.setattr(worker, "_finish", slowly)
    running = asyncio.create_task(worker.run_once())
    await marking.wait()
    running.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert (await only(stage)).state == "sent"


async def test_the_mark_waits_for_the_database(stage: NoticeStage, monkeypatch: pytest.MonkeyPatch) -> None:
    await queue(stage)
    monkeypatch.setattr("crm.notices.sending.MARK_PAUSES", (0.0, 0.0, 0.0))
    worker = stage.worker()
    finish, away = worker._finish, [OSError("the database is away")]

    async def shaky(*arguments: Any) -> None:
        if away:
            raise away.pop()
        await finish(*arguments)

    monkeypatch.setattr(worker, "_finish", shaky)
    await worker.run_once()
    assert (await only(stage)).state == "sent"
    assert len(stage.sender.sent) == 1


async def test_two_workers_send_each_message_once(stage: NoticeStage) -> None:
    await queue(stage, count=60)
    workers = [stage.worker(f"w{n}") for n in range(3)]

    async def work(n: int) -> None:
        while await workers[n].run_once():
            pass

    await asyncio.gather(*(work(n) for n in range(3)))
    counts = Counter(message.message_id for message in stage.sender.sent)
    assert len(counts) == 60
    assert set(counts.values()) == {1}


async def test_whoever_lost_the_claim_does_not_send(
    stage: NoticeStage, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await queue(stage)
    slow, quick = stage.worker("slow"), stage.worker("quick")
    begin = slow._begin

    async def late(row: OutgoingMessage) -> Any:
        # A pause longer than the lease, such as of a machine that sleeps.
        clock.advance(LEASE + timedelta(seconds=1))
        await quick.run_once()
        return await begin(row)

    monkeypatch.setattr(slow, "_begin", late)
    await slow.run_once()
    assert len(stage.sender.sent) == 1


async def test_the_channels_rate_holds_and_nothing_is_dropped(stage: NoticeStage, clock: FakeClock) -> None:
    await queue(stage, count=12)
    worker = stage.worker(rates={Channel.EMAIL: Rate(per_minute=4, burst=2)})
    sent_at: list[datetime] = []
    for _ in range(600):
        before = len(stage.sender.sent)
        while await worker.run_once():
            pass
        sent_at += [clock.now()] * (len(stage.sender.sent) - before)
        clock.advance(timedelta(seconds=1))
    assert len(sent_at) == 12
    assert all((row.state, row.attempts) == ("sent", 1) for row in await stage.messages())
    for first in sent_at:
        within = [at for at in sent_at if first <= at < first + MINUTE]
        assert len(within) <= 4 + 2
    assert sent_at[-1] - sent_at[0] <= timedelta(seconds=15 * 11)


async def test_one_person_is_not_flooded_and_others_do_not_wait(stage: NoticeStage, clock: FakeClock) -> None:
    await stage.address("u-gm", Channel.EMAIL, "gm@example.com")
    await queue(stage, count=5)
    await queue(stage, "limit.escalated", key="other", count=1)
    worker = stage.worker(per_recipient=Rate(per_minute=1, burst=2))
    await worker.run_once()
    assert Counter(message.address for message in stage.sender.sent) == {
        "manager@example.com": 2,
        "gm@example.com": 1,
    }
    clock.advance(MINUTE)
    await worker.run_once()
    assert len(stage.sender.sent) in {4, 5}


async def test_quiet_hours_hold_back_what_is_not_urgent(stage: NoticeStage, clock: FakeClock) -> None:
    clock.advance(timedelta(hours=13))  # 23:00 in Shanghai
    await queue(stage, "limit.warned", key="calm")
    await queue(stage, "limit.red", key="urgent")
    worker = stage.worker()
    await worker.run_once()
    assert [message.code for message in stage.sender.sent] == ["limit.red"]
    held = next(row for row in await stage.messages() if row.code == "limit.warned")
    assert held.due_at == datetime(2026, 3, 3, 0, 0, tzinfo=UTC), "08:00 in Shanghai"
    clock.advance(held.due_at - clock.now())
    await worker.run_once()
    assert [message.code for message in stage.sender.sent] == ["limit.red", "limit.warned"]


async def test_who_says_no_meanwhile_is_spared(stage: NoticeStage) -> None:
    async with stage.database.transaction() as session:
        sent = await stage.queue.send_to_customer(
            session, "13800138000", "callback.announced", {"greeting": "王先生"}, "k"
        )
    assert sent is CustomerMessage.QUEUED
    stage.do_not_call.add("+8613800138000")
    await stage.worker().run_once()
    assert stage.sender.sent == []
    assert (await only(stage)).state == "suppressed"


async def test_500_then_200_over_a_real_connection(stage: NoticeStage, clock: FakeClock) -> None:
    async with receiver() as hook:
        hook.answers = [status(500), ok]
        await stage.address("u-manager", Channel.WEBHOOK, hook.url)
        async with stage.database.transaction() as session:
            rule = NoticeRule(
                code="limit.red", recipients=["manager"], channels=["webhook"], severity="urgent", active=True
            )
            session.add(rule)
        async with stage.database.transaction() as session:
            assert await stage.notices.give(session, NoticeRequest(code="limit.red", key="k"))
        poster = HttpPoster(clock, Outside(("127.0.0.0/8",)))
        sender = WebhookSender(poster, url="", secret=SecretStr("geheim"))
        worker = stage.worker(senders={Channel.WEBHOOK: sender})
        await worker.run_once()
        row = await only(stage)
        assert (row.state, row.last_error) == ("waiting", "the receiver is in trouble (HTTP 500)")
        clock.advance(timedelta(minutes=1))
        await worker.run_once()
        assert (await only(stage)).state == "sent"
        assert {request.headers["Idempotency-Key"] for request, _ in hook.posts} == {row.message_id}


async def test_a_process_killed_while_it_sends_loses_nothing(database: Database) -> None:
    """A real process, ended by SIGKILL after the receiver has the message and before anything is noted."""
    stage = NoticeStage(database, SystemClock())
    arrived, never = asyncio.Event(), asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await never.wait()
        return web.Response()

    async with receiver() as hook:
        hook.answers = [hang, ok]
        await stage.address("u-manager", Channel.WEBHOOK, hook.url)
        async with database.transaction() as session:
            rule = {"code": "limit.red", "recipients": ["manager"], "channels": ["webhook"]}
            session.add(NoticeRule(**rule, severity="urgent", active=True))
        async with database.transaction() as session:
            assert await stage.notices.give(session, NoticeRequest(code="limit.red", key="k"))
        url = database.engine.url.render_as_string(hide_password=False)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.support.message_process", url, cwd=ROOT
        )
        try:
            async with asyncio.timeout(30):
                await arrived.wait()
        finally:
            process.kill()
            await process.wait()
        row = await only(stage)
        assert (row.state, row.claimed_by) == ("sending", "process")
        later = FakeClock(SystemClock().now() + LEASE + MINUTE)
        sender = WebhookSender(HttpPoster(later, Outside(("127.0.0.0/8",))), url="", secret=SecretStr("g"))
        other = NoticeStage(database, later).worker("other", senders={Channel.WEBHOOK: sender})
        assert await other.run_once() == 1
        assert (await only(stage)).state == "sent"
        assert [request.headers["Idempotency-Key"] for request, _ in hook.posts] == [row.message_id] * 2
