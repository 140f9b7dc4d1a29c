"""What the dialplan promises a customer who calls, with our service there and without it."""

import asyncio
import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.caller import Press, Say, Wait
from app.runtime import Runtime
from kernel.ids import is_ulid, ulid_time
from telephony.agi.session import AgiSession
from telephony.audio import loudness, read_wav
from tests.support.agi_routes import agi_routes, hang_up_after_queue, to_queue
from tests.support.pbx import HOTLINE, running_pbx
from tests.support.sipp import plan, play
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx

NAME = "张三的公司 <b>x</b>, ${SHELL(id)} & [1] 😀"


async def test_a_customer_hears_the_menu_presses_a_key_and_waits_with_music(
    tmp_path: Path, runtime: Runtime
) -> None:
    seen: list[dict[str, str | None]] = []

    async with running_pbx(tmp_path, runtime=runtime) as pbx:
        chime = str(pbx.config.prompts_dir / "huifang-chime")

        async def menu(agi: AgiSession) -> None:
            await agi.answer()
            await agi.stream_file(chime)
            key = await agi.wait_for_digit(timedelta(seconds=5))
            seen.append(
                {
                    "key": key,
                    "call": await agi.get_variable("HF_CALL"),
                    "direction": await agi.get_variable("HF_DIR"),
                    "did": await agi.get_variable("HF_DID"),
                    "name": agi.environment["agi_calleridname"],
                }
            )
            await to_queue(agi, "repair")

        lines: list[str] = []
        voice = Say("你好", read_wav(Path(chime + ".wav")))
        async with agi_routes(pbx.config.agi_port, {"flow": menu, "after-queue": hang_up_after_queue}):
            steps = (voice, Wait(0.5), Press("1"))
            before = datetime.now(UTC)
            report = await play(pbx, plan(caller_name=NAME, steps=steps, hold_seconds=2.0), lines.append)

        assert (report.successful, report.failed) == (1, 0)
        assert lines == ["13800138000 拨号中 …", "振铃", "已接通", "说：你好", "按 1", "挂断"]
        assert len(seen) == 1
        assert seen[0]["key"] == "1"
        assert seen[0]["direction"] == "in"
        assert seen[0]["did"] == HOTLINE
        assert seen[0]["name"] == NAME
        call_id = seen[0]["call"] or ""
        assert is_ulid(call_id)
        assert abs(ulid_time(call_id) - before) < timedelta(seconds=3)

        ear = report.calls[0].ear
        assert ear is not None
        assert ear.loudness() > 300
        assert ear.silences(longer_than=1.0, until=report.calls[0].ended) == ()
        assert pbx.log("ERROR") == []
        rows = list(csv.reader(pbx.events()))
        assert {row[5] for row in rows if row[0] != "CHAN_START"} == {call_id}
        assert [row[0] for row in rows][:2] == ["CHAN_START", "ANSWER"]


async def test_without_our_service_the_caller_hears_something_and_reaches_the_default_queue(
    tmp_path: Path, runtime: Runtime
) -> None:
    async with running_pbx(tmp_path, runtime=runtime) as pbx:
        report = await play(pbx, plan(hold_seconds=4.0))
        ear = report.calls[0].ear
        assert report.successful == 1
        assert ear is not None
        assert ear.silences(longer_than=0.7, until=report.calls[0].ended) == ()
        assert any("service,c,,,60" in line for line in pbx.events())


async def test_a_load_of_calls_each_with_its_own_identity(tmp_path: Path, runtime: Runtime) -> None:
    identities: list[str | None] = []
    keys: list[str | None] = []

    async def menu(agi: AgiSession) -> None:
        await agi.answer()
        identities.append(await agi.get_variable("HF_CALL"))
        keys.append(await agi.wait_for_digit(timedelta(seconds=5)))
        await agi.set_variable("HF_NEXT", "hangup")

    async with running_pbx(tmp_path, runtime=runtime) as pbx:
        async with agi_routes(pbx.config.agi_port, {"flow": menu}):
            steps = (Wait(0.2), Press("5"))
            report = await play(pbx, plan(calls=40, rate=40, audio=False, steps=steps))
        assert (report.successful, report.failed) == (40, 0)
        assert {played.ended_by for played in report.calls} == {"far"}
        assert len(set(identities)) == 40
        assert keys == ["5"] * 40
        assert loudness(read_wav(pbx.config.music_dir / "huifang-music.wav")) > 300


async def test_who_stops_playing_hangs_up_first(tmp_path: Path, runtime: Runtime) -> None:
    async with running_pbx(tmp_path, runtime=runtime) as pbx:
        lines: list[str] = []
        playing = asyncio.create_task(play(pbx, plan(calls=3, rate=50, hold_seconds=60.0), lines.append))
        await eventually(lambda: sum("已接通" in line for line in lines) == 3)
        playing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await playing
        await eventually(pbx.idle)
        assert sum("挂断" in line for line in lines) == 3
