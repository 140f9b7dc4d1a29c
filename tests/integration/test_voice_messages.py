"""Messages after the tone: on the list of those to be called back, with their text, and gone in time."""

import wave
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar
from sqlalchemy import select

from crm.domain.spoken import Opinion, Spoken, TextProgress
from crm.domain.voicemail import Route
from crm.notices.events import NoticeWanted
from crm.own_erasure import erase_customer
from crm.tables import CallbackRequest, Contact
from crm.voicemail import LeftMessage, VoiceMail
from crm.voicemail_tables import VoiceMessageRow
from kernel.audit import AuditRow
from kernel.clock import FakeClock
from kernel.events import decode
from kernel.ids import new_ulid
from kernel.outbox import OutboxRow
from kernel.phone import Phone
from tests.support.web_stage import Stage, web_stage
from tests.unit.callback_campaigns.times import at
from web.auth import SESSION_COOKIE
from web.crm_part import CRM

pytestmark = pytest.mark.integration

CUSTOMER = "13800138001"
STRANGER = "13999990000"
CARD = "6222021234567890128"
LEAK = Spoken(
    state=TextProgress.DONE,
    text="我家卫生间漏水了，请派人来修",
    opinion=Opinion.DISSATISFIED,
    sure=0.9,
    topics=("防水",),
    class_code=1,
)
ANGRY = Spoken(
    state=TextProgress.DONE,
    text="你们工期一拖再拖，我要投诉",
    opinion=Opinion.DISSATISFIED,
    sure=0.9,
    class_code=2,
)
SECRET = Spoken(
    state=TextProgress.DONE,
    text="工长私下收了我两千块钱",
    opinion=Opinion.DISSATISFIED,
    sure=0.9,
    class_code=9,
)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with web_stage(tmp_path) as found:
        yield found


@pytest.fixture
async def agent(stage: Stage) -> AsyncIterator[ClientSession]:
    headers = {"Origin": stage.url}
    async with ClientSession(
        base_url=stage.url, cookie_jar=CookieJar(unsafe=True), headers=headers
    ) as session:
        session.cookie_jar.update_cookies({SESSION_COOKIE: await stage.session_secret("agent")})
        yield session


def mail(stage: Stage) -> VoiceMail:
    assert stage.app is not None
    return stage.app[CRM].voicemail


def write(stage: Stage, path: str) -> Path:
    assert stage.app is not None
    file = stage.app[CRM].message_files._folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\1\0" * 800)
    return file


async def left(stage: Stage, number: str | None, *, spoken: Spoken | None = None) -> str:
    """Leave a message; told twice, it is one."""
    phone = Phone.parse(number) if number else None
    found = await stage.directory.find_by_phone(phone) if phone else ()
    call_id = new_ulid()
    message = LeftMessage(
        call_id=call_id,
        path=f"{call_id}/message.wav",
        seconds=7.5,
        at=stage.clock.now(),
        phone=phone,
        customer_id=found[0].customer_id if found else None,
        origin="closed",
    )
    write(stage, message.path)
    message_id = await mail(stage).keep(message)
    assert await mail(stage).keep(message) == message_id
    if spoken is not None:
        async with stage.database.transaction() as session:
            assert await mail(stage).waits(session, message_id)
            await mail(stage).keep_text(session, message_id, spoken)
    return message_id


async def page(agent: ClientSession, route: str = "") -> str:
    async with agent.get("/callbacks", params={"route": route}) as answer:
        assert answer.status == 200
        return await answer.text()


async def notices(stage: Stage) -> list[str]:
    async with stage.database.session() as session:
        rows = (await session.scalars(select(OutboxRow).order_by(OutboxRow.event_id))).all()
    facts = [decode(row.payload) for row in rows]
    return [fact.code for fact in facts if isinstance(fact, NoticeWanted)]


async def test_a_message_waits_to_be_called_back_and_its_text_says_whose_it_is(
    stage: Stage, agent: ClientSession
) -> None:
    message_id = await left(stage, CUSTOMER)
    assert "电话留言" in await page(agent)
    async with stage.database.transaction() as session:
        assert await mail(stage).waits(session, message_id)
        await mail(stage).keep_text(session, message_id, LEAK)
    shown = await page(agent, "repair")
    assert LEAK.text in shown
    assert f'src="/voice-messages/{message_id}.wav"' in shown
    assert LEAK.text not in await page(agent, "complaint")
    async with stage.database.session() as session:
        line = (await session.scalars(select(Contact).where(Contact.channel == "voicemail"))).one()
    assert (line.result, line.detail["text"]) == (Route.REPAIR.value, LEAK.text)
    assert await notices(stage) == ["voicemail.left", "voicemail.repair"]


async def test_two_messages_of_one_number_are_one_wish_and_of_a_hidden_number_as_well(
    stage: Stage, agent: ClientSession
) -> None:
    await left(stage, STRANGER, spoken=ANGRY)
    await left(stage, STRANGER, spoken=LEAK)
    await left(stage, None, spoken=ANGRY)
    async with stage.database.session() as session:
        wishes = (await session.scalars(select(CallbackRequest).order_by(CallbackRequest.id))).all()
        assert [wish.e164 for wish in wishes] == [f"+86{STRANGER}", ""]
    shown = await page(agent, "complaint")
    assert shown.count("data-message=") == 3
    assert "号码未显示" in shown


async def test_hearing_it_is_written_down_and_its_text_is_put_right(
    stage: Stage, agent: ClientSession
) -> None:
    message_id = await left(stage, CUSTOMER, spoken=LEAK)
    async with agent.get(f"/voice-messages/{message_id}.wav") as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (200, "audio/wav")
    async with stage.database.session() as session:
        played = select(AuditRow.actor).where(AuditRow.action == "voice_message.played")
        assert len(list(await session.scalars(played))) == 1
        version = (await session.get_one(VoiceMessageRow, message_id)).version
    path = f"/voice-messages/{message_id}/text"
    for text, number, leads in (
        (" ", version, "problem=text"),
        (f"卫生间漏水<i>，退到{CARD}", version, "done=text"),
        ("别的", version, "problem=stale"),
    ):
        fields = {"text": text, "version": str(number)}
        async with agent.post(path, data=fields, allow_redirects=False) as answer:
            assert answer.headers["Location"] == f"/callbacks?{leads}"
    shown = await page(agent)
    assert "卫生间漏水&lt;i&gt;，退到〔银行卡号已隐藏〕" in shown
    assert LEAK.text in shown  # as it was recognised
    assert (await agent.get(f"/voice-messages/{new_ulid()}.wav")).status == 404


async def test_of_integrity_only_managers_hear(stage: Stage, agent: ClientSession) -> None:
    message_id = await left(stage, CUSTOMER, spoken=SECRET)
    shown = await page(agent)
    assert SECRET.text not in shown
    assert "涉及廉洁" in shown
    assert (await agent.get(f"/voice-messages/{message_id}.wav")).status == 403
    async with stage.database.session() as session:
        line = (await session.scalars(select(Contact).where(Contact.channel == "voicemail"))).one()
    assert line.detail["text"] == ""


async def test_the_same_over_the_api(stage: Stage, agent: ClientSession) -> None:
    first = await left(stage, CUSTOMER, spoken=LEAK)
    second = await left(stage, STRANGER, spoken=SECRET)
    url = "/api/v1/voice-messages"
    async with agent.get(f"{url}?limit=1") as answer:
        page_ = await answer.json()
    async with agent.get(url, params={"limit": 1, "cursor": page_["next_cursor"]}) as answer:
        next_ = await answer.json()
    assert {one["message_id"] for one in page_["items"] + next_["items"]} == {first, second}
    assert next_["next_cursor"] is None
    async with agent.get(f"{url}?route=complaint&unheard=true") as answer:
        (one,) = (await answer.json())["items"]
    assert (one["message_id"], one["hidden"], one["text"]) == (second, True, "")
    async with agent.get(f"{url}/{first}") as answer:
        shown = await answer.json()
    assert (shown["route"], shown["text"]) == ("repair", LEAK.text)
    assert (await agent.get(f"{url}/{first}/audio")).status == 200
    assert (await agent.get(f"{url}/{second}/audio")).status == 403
    async with agent.get(f"{url}/{first}") as answer:
        version = (await answer.json())["version"]
    body, match = {"text": f"退到{CARD}"}, {"If-Match": f'"{version}"'}
    async with agent.post(f"{url}/{first}/text", json=body, headers=match) as answer:
        given = await answer.json()
    assert (given["text"], given["first"]) == ("退到〔银行卡号已隐藏〕", LEAK.text)
    assert (await agent.get(f"{url}?cursor=nonsense")).status == 400


async def test_a_message_that_nobody_hears_is_told_of_once(tmp_path: Path) -> None:
    clock = FakeClock(at("2026-03-02 15:00"))
    async with web_stage(tmp_path, clock=clock) as stage:
        message_id = await left(stage, STRANGER, spoken=LEAK)
        assert await mail(stage).tell_unheard() == 0
        clock.advance(timedelta(hours=5))
        assert await mail(stage).tell_unheard() == 1
        key = f"voicemail.unheard|{message_id}"
        async with stage.database.session() as session:
            rows = (await session.scalars(select(OutboxRow))).all()
        (fact,) = [
            fact
            for fact in (decode(row.payload) for row in rows)
            if isinstance(fact, NoticeWanted) and fact.key == key
        ]
        assert fact.parameters == {"caller": "139****0000"}
        async with stage.database.transaction() as session:
            row = await session.get_one(VoiceMessageRow, message_id)
            row.heard_at = clock.now()
        assert await mail(stage).tell_unheard() == 0


async def test_danger_is_told_at_once(stage: Stage) -> None:
    await left(stage, STRANGER, spoken=Spoken(state=TextProgress.DONE, text="水管爆了，家里全是水"))
    assert await notices(stage) == ["voicemail.left", "voicemail.urgent"]


async def test_erasing_a_customer_takes_message_text_and_file(stage: Stage) -> None:
    message_id = await left(stage, CUSTOMER, spoken=LEAK)
    assert stage.app is not None
    crm = stage.app[CRM]
    async with stage.database.session() as session:
        row = await session.get_one(VoiceMessageRow, message_id)
    file = crm.message_files.find(row.path)
    assert row.customer_id is not None
    async with stage.database.transaction() as session:
        index = crm.people.office.search.index
        await erase_customer(session, row.customer_id, index, crm.retention, now=row.at)
    assert not file.exists()
    assert not file.parent.exists()
    async with stage.database.session() as session:
        assert await session.get(VoiceMessageRow, message_id) is None
        lines = await session.scalars(select(Contact).where(Contact.channel == "voicemail"))
        assert lines.all() == []
