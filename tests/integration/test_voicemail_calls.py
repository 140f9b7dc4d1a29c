"""Callers leave messages: recorded, kept once whatever fails, and the caller is told."""

import json
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

import app.models  # noqa: F401 - every table
from app.voicemail_part import MessageBox
from crm.service import CustomerDirectory
from crm.tables import CallbackRequest
from crm.voicemail import LeftMessage, VoiceMail
from crm.voicemail_tables import VoiceMessageRow
from kernel.clock import FakeClock
from kernel.db import Database
from tests.support.fake_agi import CALL_ID, FakeChannel, deeds, environment_bytes
from tests.support.menus import Menus, running_menus
from tests.support.people import make_desk
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.integration


class Box:
    """A mailbox over a database that may be away."""

    def __init__(self, database: Database, clock: FakeClock, folder: Path) -> None:
        self.database, self.folder = database, folder
        self.mail = VoiceMail(make_desk(database, clock).office)
        self.box = MessageBox(folder, self.mail, CustomerDirectory(database), clock)

    async def messages(self) -> list[VoiceMessageRow]:
        async with self.database.session() as session:
            return list(await session.scalars(select(VoiceMessageRow).order_by(VoiceMessageRow.id)))

    def notes(self) -> list[Path]:
        return list(self.folder.rglob("*.json"))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("2026-03-02 22:00"))


@pytest.fixture
def box(sqlite: Database, clock: FakeClock, tmp_path: Path) -> Box:
    return Box(sqlite, clock, tmp_path / "messages")


@pytest.fixture
async def menus(tmp_path: Path, sqlite: Database, clock: FakeClock, box: Box) -> AsyncIterator[Menus]:
    async with running_menus(tmp_path, sqlite, clock, mailbox=box.box) as found:
        yield found


def caller(keys: str) -> FakeChannel:
    return FakeChannel(deeds=deeds(keys))


async def test_at_night_a_message_is_kept_and_its_caller_waits_to_be_called(menus: Menus, box: Box) -> None:
    channel = await menus.call(caller("3v"))
    assert menus.heard(channel)[-2:] == ["leave_message", "message_noted"]
    assert [event["Label"] for event in channel.events] == ["留言", "已留言"]
    (row,) = await box.messages()
    assert (row.call_id, row.e164, row.origin) == (CALL_ID, "+8613800138000", "hotline/message")
    assert (box.folder / row.path).is_file()
    assert box.notes() == []
    async with box.database.session() as session:
        wish = (await session.scalars(select(CallbackRequest))).one()
    assert (wish.id, wish.e164) == (row.request_id, row.e164)


async def test_after_the_queue_as_well(menus: Menus, box: Box) -> None:
    environment = environment_bytes(agi_network_script="after-queue", agi_arg_1="TIMEOUT", agi_arg_2="repair")
    channel = await menus.call(caller("2v"), environment=environment)
    assert menus.heard(channel, "after-queue")[-1] == "message_noted"
    assert [row.origin for row in await box.messages()] == ["after-queue/message"]


async def test_in_english_as_well(menus: Menus, box: Box) -> None:
    environment = environment_bytes(agi_network_script="flow/hotline_en", agi_language="en")
    channel = await menus.call(caller("3v"), environment=environment)
    assert menus.heard(channel, "hotline_en")[-3:] == ["closed_menu", "leave_message", "message_noted"]
    (row,) = await box.messages()
    assert (row.origin, row.e164) == ("hotline_en/message", "+8613800138000")
    async with box.database.session() as session:
        wish = (await session.scalars(select(CallbackRequest))).one()
    assert wish.id == row.request_id


async def test_who_says_nothing_is_asked_again_and_offered_a_call(menus: Menus, box: Box) -> None:
    channel = await menus.call(caller("3~~1"))
    assert "message_nothing" in menus.heard(channel)
    assert await box.messages() == []
    assert box.notes() == []
    assert not list(box.folder.rglob("*.wav"))


async def test_while_the_database_is_away_the_message_lies_there_and_is_stored_later(
    menus: Menus, box: Box, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(left: LeftMessage) -> str:
        raise OperationalError("no", {}, OSError("away"))

    with monkeypatch.context() as patched:
        patched.setattr(box.mail, "keep", away)
        channel = await menus.call(caller("3v"))
    assert menus.heard(channel)[-1] == "message_noted"
    assert await box.messages() == []
    (note,) = box.notes()
    assert await box.box.run_once() == 0  # somebody may be recording still
    old = (clock.now() - timedelta(minutes=10)).timestamp()
    os.utime(note, (old, old))
    assert await box.box.run_once() == 1
    assert await box.box.run_once() == 0
    assert len(await box.messages()) == 1
    assert box.notes() == []


async def test_killed_after_it_was_stored_it_is_still_one_message(
    menus: Menus, box: Box, clock: FakeClock
) -> None:
    await menus.call(caller("3v"))
    (row,) = await box.messages()
    note = (box.folder / row.path).with_suffix(".json")
    note.write_text(
        json.dumps(
            {
                "call_id": row.call_id,
                "number": row.e164,
                "customer_id": None,
                "origin": row.origin,
                "at": clock.now().isoformat(),
            }
        )
    )
    old = (clock.now() - timedelta(minutes=10)).timestamp()
    os.utime(note, (old, old))
    await box.box.run_once()
    assert len(await box.messages()) == 1


async def test_without_room_the_caller_is_offered_a_call(
    menus: Menus, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(talk_id: str, item_id: str) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(box.box._files, "fresh", full)
    channel = await menus.call(caller("31"))
    assert menus.heard(channel)[-1] == "callback_noted"
