"""Calls of a fake Asterisk walk the delivered flows from ANSWER to the decision."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.erasure import when_erased
from crm.events_people import PersonErased
from ivr.service import AFTER_QUEUE
from kernel.clock import FakeClock
from kernel.db import Database
from tests.support.fake_agi import CALL_ID, FakeChannel, deeds, environment_bytes
from tests.support.menus import Customer, Menus, running_menus
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

WELCOME = ["welcome", "recording_notice", "for_english"]


@pytest.fixture
async def menus(tmp_path: Path, sqlite: Database, clock: FakeClock) -> AsyncIterator[Menus]:
    async with running_menus(tmp_path, sqlite, clock) as made:
        yield made


def caller(keys: str = "", **variables: str) -> FakeChannel:
    channel = FakeChannel(deeds(keys))
    channel.variables |= variables
    return channel


def decision(channel: FakeChannel) -> tuple[str | None, str | None]:
    return channel.variables.get("HF_NEXT"), channel.variables.get("HF_QUEUE")


class TestHotline:
    async def test_a_stranger_presses_one_and_goes_to_complaints(self, menus: Menus) -> None:
        channel = await menus.call(caller("1"))
        assert menus.heard(channel) == [*WELCOME, "main_menu", "to_complaint"]
        assert decision(channel) == ("queue", "complaint")
        assert channel.variables["HF_QUEUE_TIMEOUT"] == "300"
        assert channel.commands[:2] == ["ANSWER", "GET VARIABLE HF_CALL"]
        assert channel.events == [
            {"UserEvent": "HuifangMenu", "Call": CALL_ID, "Node": "main", "Key": "1", "Label": "投诉"}
        ]

    async def test_a_known_caller_is_greeted_by_name(self, menus: Menus) -> None:
        menus.directory.customers = [Customer()]
        channel = await menus.call(caller("0"))
        assert menus.heard(channel)[: 1 + len(WELCOME)] == ["…", *WELCOME]
        assert "王先生" in menus.voice.said

    async def test_a_family_on_one_number_is_greeted_without_a_name(self, menus: Menus) -> None:
        menus.directory.customers = [Customer(), Customer(greeting="刘女士")]
        channel = await menus.call(caller("3"))
        assert menus.heard(channel) == [*WELCOME, "main_menu", "case_unknown"]
        assert decision(channel) == ("queue", "service")

    async def test_barge_in_stops_the_prompt(self, menus: Menus) -> None:
        channel = await menus.call(caller("!2"))
        assert menus.heard(channel) == ["welcome", "to_repair"]
        assert decision(channel) == ("queue", "repair")

    async def test_progress_of_my_case_after_the_identity_key(self, menus: Menus) -> None:
        menus.directory.customers = [Customer()]
        channel = await menus.call(caller("310"))
        assert {"投诉", "负责部门已经受理", "工程部"} <= set(menus.voice.said)
        assert [event["Label"] for event in channel.events] == ["查询进度", "已确认身份", "人工服务"]
        assert decision(channel) == ("queue", "service")

    async def test_a_wrong_key_then_silence_then_a_person(self, menus: Menus) -> None:
        channel = await menus.call(caller("8~"))
        assert menus.heard(channel) == [
            *WELCOME,
            *("main_menu", "stock_wrong", "main_menu", "stock_silence", "main_menu", "stock_transfer"),
        ]
        assert decision(channel) == ("queue", "service")

    async def test_callback_to_the_callers_own_number(self, menus: Menus) -> None:
        menus.directory.customers = [Customer()]
        channel = await menus.call(caller("41"))
        assert menus.callbacks.noted == [(CALL_ID, "+8613800138000", Customer().customer_id, "热线请求回电")]
        assert menus.heard(channel)[-1] == "callback_noted"
        assert decision(channel) == ("hangup", None)

    async def test_callback_to_another_number_typed_and_confirmed(self, menus: Menus) -> None:
        channel = await menus.call(caller("4201065551234#1"))
        assert menus.callbacks.noted == [(CALL_ID, "+861065551234", None, "热线请求回电")]
        assert decision(channel) == ("hangup", None)

    async def test_star_while_typing_a_number_starts_again(self, menus: Menus) -> None:
        await menus.call(caller("42138*13900139000#1"))
        assert [noted[1] for noted in menus.callbacks.noted] == ["+8613900139000"]

    @pytest.mark.parametrize("number", ["unknown", "anonymous", "'; DROP TABLE--", "1" * 300, "12"])
    async def test_withheld_and_malformed_numbers_are_asked_for(self, menus: Menus, number: str) -> None:
        menus.directory.customers = [Customer()]
        environment = environment_bytes(agi_callerid=number)
        channel = await menus.call(caller("413900139000#1"), environment=environment)
        assert "王先生" not in menus.voice.said
        assert [noted[1:3] for noted in menus.callbacks.noted] == [("+8613900139000", None)]
        assert decision(channel) == ("hangup", None)

    async def test_at_night_the_hours_are_said_and_a_burst_pipe_gets_through(
        self, menus: Menus, clock: FakeClock
    ) -> None:
        clock.advance(timedelta(hours=12))
        channel = await menus.call(caller("1"))
        assert menus.heard(channel)[len(WELCOME) :] == [
            *("closed_hours", "closed_menu", "for_english", "to_emergency")
        ]
        assert decision(channel) == ("queue", "repair")
        assert channel.variables["HF_QUEUE_PRIO"] == "10"

    async def test_the_decision_is_told_before_the_last_prompt(self, menus: Menus) -> None:
        channel = await menus.call(caller("1"))
        said = channel.commands.index("SET VARIABLE HF_NEXT queue")
        assert channel.commands[said + 1].startswith("STREAM FILE")


class TestTrouble:
    async def test_a_caller_who_hangs_up_ends_it_quietly(self, menus: Menus) -> None:
        with capture_logs() as logs:
            for keys in ("X", "~X", "4X", "42138X"):
                channel = await menus.call(caller(keys))
                assert decision(channel) == (None, None)
        assert [entry for entry in logs if entry["log_level"] in {"warning", "error"}] == []

    async def test_records_that_are_late_or_broken_cost_the_name_only(self, menus: Menus) -> None:
        menus.directory.customers = [Customer()]
        menus.directory.delay = 30
        channel = await menus.call(caller("1"))
        assert menus.heard(channel)[0] == "welcome"
        menus.directory.broken = True
        channel = await menus.call(caller("1"))
        assert decision(channel) == ("queue", "complaint")

    async def test_a_callback_that_cannot_be_stored_leads_to_a_person(self, menus: Menus) -> None:
        menus.callbacks.broken = True
        channel = await menus.call(caller("41"))
        assert menus.heard(channel)[-1] == "stock_transfer"
        assert decision(channel) == ("queue", "service")

    async def test_a_prompt_that_asterisk_cannot_play_leads_to_a_person(self, menus: Menus) -> None:
        voiced = menus.library.named("hotline")
        assert voiced is not None
        channel = caller()
        channel.broken_files = {str(sound.path) for sound in voiced.clips.values()}
        with capture_logs() as logs:
            await menus.call(channel)
        assert decision(channel) == ("queue", "service")
        assert [entry["event"] for entry in logs].count("ivr_prompt_not_played") == 1

    async def test_a_crash_in_our_code_leads_to_a_person_and_is_logged_once(
        self, menus: Menus, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def crash(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr("ivr.lookups.CallerFacts.answer", crash)
        with capture_logs() as logs:
            channel = await menus.call(caller("1"))
        assert decision(channel) == ("queue", "service")
        assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["ivr_flow_crashed"]

    async def test_an_unknown_number_gets_the_default_flow(self, menus: Menus) -> None:
        for script in ("flow/999", "flow", "flow/%00", "flow/../x"):
            channel = await menus.call(caller("1"), environment=environment_bytes(agi_network_script=script))
            assert decision(channel) == ("queue", "complaint")

    async def test_a_call_without_our_id_is_served(self, menus: Menus) -> None:
        channel = caller("1")
        del channel.variables["HF_CALL"]
        await menus.call(channel)
        assert channel.events[0]["Call"] == ""
        assert decision(channel) == ("queue", "complaint")


class TestAfterQueue:
    ENVIRONMENT = environment_bytes(agi_network_script="after-queue", agi_arg_1="TIMEOUT", agi_arg_2="repair")

    async def test_apologises_and_notes_a_callback(self, menus: Menus) -> None:
        channel = await menus.call(caller("11"), environment=self.ENVIRONMENT)
        assert menus.heard(channel, AFTER_QUEUE) == ["busy", "offer", "confirm", "…", "confirm", "noted"]
        assert [noted[1] for noted in menus.callbacks.noted] == ["+8613800138000"]
        assert decision(channel) == ("hangup", None)

    async def test_asked_twice_it_does_nothing_more(self, menus: Menus) -> None:
        channel = caller("11")
        await menus.call(channel, environment=self.ENVIRONMENT)
        channel.deeds, channel.played = deeds("11"), []
        await menus.call(channel, environment=self.ENVIRONMENT)
        assert channel.played == []
        assert len(menus.callbacks.noted) == 1
        assert decision(channel) == ("hangup", None)

    async def test_status_may_come_as_a_variable(self, menus: Menus) -> None:
        environment = environment_bytes(agi_network_script="after-queue")
        channel = await menus.call(caller("~~", QUEUESTATUS="JOINEMPTY"), environment=environment)
        assert menus.heard(channel, AFTER_QUEUE)[0] == "nobody"
        assert menus.heard(channel, AFTER_QUEUE)[-1] == "stock_goodbye"

    async def test_after_a_conversation_nothing_is_said(self, menus: Menus) -> None:
        environment = environment_bytes(agi_network_script="after-queue", agi_arg_1="CONTINUE")
        channel = await menus.call(caller(), environment=environment)
        assert channel.played == []
        assert decision(channel) == ("hangup", None)

    async def test_without_its_flow_the_dialplan_decides(self, menus: Menus) -> None:
        menus.library._active.pop(AFTER_QUEUE)
        channel = await menus.call(caller(), environment=self.ENVIRONMENT)
        assert channel.variables["HF_NEXT"] == ""


class TestEnglish:
    async def test_9_sends_the_call_on_to_the_english_flow(self, menus: Menus) -> None:
        channel = await menus.call(caller("9"))
        assert channel.variables["HF_FLOW"] == "hotline_en" and decision(channel)[0] == "flow"
        assert "__HF_LANG" not in channel.variables

    async def test_the_english_flow_tells_the_channel_and_the_record(self, menus: Menus) -> None:
        environment = environment_bytes(agi_network_script="flow/hotline_en", agi_language="en")
        channel = await menus.call(caller("1"), environment=environment)
        played = menus.heard(channel, "hotline_en")
        assert played == ["welcome", "recording_notice", "main_menu", "to_complaint"]
        assert channel.variables["__HF_LANG"] == "en"
        assert channel.variables["CHANNEL(language)"] == "en_US"
        told = {"UserEvent": "HuifangLanguage", "Call": CALL_ID, "Language": "en"}
        assert channel.events[0] == told and decision(channel) == ("queue", "complaint")

    async def test_back_in_the_mandarin_flow_the_channel_is_told(self, menus: Menus) -> None:
        channel = await menus.call(caller("1"), environment=environment_bytes(agi_language="en_US"))
        assert channel.variables["__HF_LANG"] == "zh" and channel.variables["CHANNEL(language)"] == "zh"

    async def test_after_the_queue_it_is_english_still(self, menus: Menus) -> None:
        changes = {"agi_network_script": "after-queue", "agi_arg_1": "TIMEOUT", "agi_language": "en_US"}
        channel = await menus.call(caller("11"), environment=environment_bytes(**changes))
        played = menus.heard(channel, f"{AFTER_QUEUE}-en")
        assert played == ["busy", "offer", "confirm", "…", "confirm", "noted"]
        assert "one three eight, zero zero one three, eight zero zero zero" in menus.voice.said


async def test_names_spoken_to_callers_are_forgotten_when_somebody_is_erased(
    menus: Menus, tmp_path: Path
) -> None:
    menus.directory.customers = [Customer()]
    await menus.call(caller("0"))
    spoken = tmp_path / "prompts" / "spoken"
    assert list(spoken.glob("*.wav"))
    forgetting = asyncio.create_task(when_erased(menus.bus, menus.studio.forget, name="menus_forget"))
    await asyncio.sleep(0)
    menus.bus.publish(PersonErased(at=datetime(2026, 3, 2, tzinfo=UTC), customer_ids=(), call_ids=()))
    await eventually(lambda: not list(spoken.glob("*.wav")), timeout=20, what="nothing spoken is left")
    channel = await menus.call(caller("0"))
    assert menus.heard(channel)[: 1 + len(WELCOME)] == ["…", *WELCOME]
    assert menus.voice.said.count("王先生") == 2
    forgetting.cancel()
    await asyncio.gather(forgetting, return_exceptions=True)
