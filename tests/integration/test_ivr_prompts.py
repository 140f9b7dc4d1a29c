"""Prompts on disk: made once, replaced by recordings, never half written; and the real voice."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.runtime import Runtime
from ivr.domain.effects import Clip, Spoken
from ivr.domain.flow import Voice
from ivr.ports import SynthesisFailed, VoiceMissing
from ivr.prompts.audio import wav_bytes
from ivr.prompts.espeak import EspeakSynthesiser
from ivr.prompts.store import PromptStore
from ivr.prompts.studio import DIALPLAN_PROMPTS, DIALPLAN_PROMPTS_EN, Studio, VoicedFlow
from ivr.service import delivered
from telephony.audio import loudness, read_wav
from tests.support.fake_voice import ToneVoice
from tests.support.runtime import runtime_folder
from tests.support.waiting import eventually
from tests.unit.ivr.flows import ENDS, HEAD, MENU, load

pytestmark = pytest.mark.integration

VOICE = Voice()
SOON = timedelta(milliseconds=100)
PATIENT = timedelta(seconds=5)


@pytest.fixture
async def voice() -> ToneVoice:
    return ToneVoice()


@pytest.fixture
async def store(tmp_path: Path, voice: ToneVoice) -> AsyncIterator[PromptStore]:
    made = PromptStore(tmp_path / "prompts", voice, spoken_limit=3)
    await made.open()
    yield made
    voice.gate.set()
    await made.close()


@pytest.fixture
def studio(store: PromptStore, tmp_path: Path) -> Studio:
    return Studio(store, tmp_path / "recordings", speak_deadline=SOON)


class TestStore:
    async def test_a_text_is_spoken_once_and_lasts_as_long_as_its_file(
        self, store: PromptStore, voice: ToneVoice
    ) -> None:
        first = await store.clip("您好", VOICE)
        assert await store.clip("您好", VOICE) == first
        assert voice.said == ["您好"]
        samples = read_wav(first.path.with_suffix(".wav"))
        assert first.length.total_seconds() == pytest.approx(len(samples) / 8000)

    async def test_another_voice_speed_or_engine_makes_another_file(
        self, store: PromptStore, voice: ToneVoice
    ) -> None:
        paths = {
            (await store.clip("您好", changed)).path
            for changed in (VOICE, Voice(speed=200), Voice(name="yue"))
        }
        voice.identity_name = "tone 2"
        paths.add((await store.clip("您好", VOICE)).path)
        assert len(paths) == 4

    async def test_a_damaged_file_is_made_again(self, store: PromptStore, voice: ToneVoice) -> None:
        sound = await store.clip("您好", VOICE)
        sound.path.with_suffix(".wav").write_bytes(b"RIFF")
        assert await store.clip("您好", VOICE) == sound
        assert len(voice.said) == 2

    async def test_no_temporary_file_is_left(self, store: PromptStore, tmp_path: Path) -> None:
        await store.clip("您好", VOICE)
        assert [path.suffix for path in (tmp_path / "prompts").rglob("*") if path.is_file()] == [".wav"]

    async def test_least_used_texts_of_calls_are_dropped(self, store: PromptStore, tmp_path: Path) -> None:
        for name in ("甲", "乙", "丙", "甲", "丁"):
            await store.spoken(name, VOICE, deadline=PATIENT)
        kept = {path.stem for path in (tmp_path / "prompts" / "spoken").glob("*.wav")}
        first = await store.spoken("甲", VOICE, deadline=PATIENT)
        assert len(kept) == 3
        assert first.path.name in kept

    async def test_texts_of_calls_are_recalled_after_a_restart(
        self, store: PromptStore, voice: ToneVoice, tmp_path: Path
    ) -> None:
        sound = await store.spoken("王先生", VOICE, deadline=PATIENT)
        again = PromptStore(tmp_path / "prompts", voice, spoken_limit=3)
        await again.open()
        assert await again.spoken("王先生", VOICE, deadline=PATIENT) == sound
        assert voice.said == ["王先生"]

    async def test_what_is_late_for_one_call_is_ready_for_the_next(
        self, store: PromptStore, voice: ToneVoice
    ) -> None:
        voice.gate.clear()
        with pytest.raises(SynthesisFailed, match="in time"):
            await store.spoken("王先生", VOICE, deadline=SOON)
        voice.gate.set()
        assert (await store.spoken("王先生", VOICE, deadline=PATIENT)).length > timedelta(0)
        assert voice.said == ["王先生"]

    async def test_a_call_that_waits_for_a_text_goes_on_when_texts_are_forgotten(
        self, store: PromptStore, voice: ToneVoice
    ) -> None:
        voice.gate.clear()
        waits, ended = (asyncio.create_task(store.spoken("王先生", VOICE, deadline=PATIENT)) for _ in "12")
        await eventually(lambda: voice.said == ["王先生"], timeout=20, what="it is being spoken")
        ended.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ended
        await store.forget_spoken()
        with pytest.raises(SynthesisFailed, match="forgotten"):
            await waits


class TestStudio:
    FLOW = HEAD.replace("您好。", "'{queue?}，您好，请稍候。'") + MENU + ENDS

    async def voiced(self, studio: Studio) -> VoicedFlow:
        return await studio.voiced(load(self.FLOW), version=1)

    async def test_every_literal_piece_has_audio(self, studio: Studio) -> None:
        voiced = await self.voiced(studio)
        assert Clip("hello", 1) in voiced.clips
        assert Clip("stock_digit_0", 0) in voiced.clips
        assert all(sound.path.with_suffix(".wav").is_file() for sound in voiced.clips.values())

    async def test_a_prompt_that_cannot_be_spoken_is_named(self, studio: Studio, voice: ToneVoice) -> None:
        voice.mute = {"投诉请按1。"}
        with pytest.raises(SynthesisFailed, match="prompt “ask” has no audio"):
            await self.voiced(studio)

    async def test_a_recording_replaces_a_prompt_or_a_piece_of_one(
        self, studio: Studio, voice: ToneVoice, tmp_path: Path
    ) -> None:
        folder = tmp_path / "recordings" / "test"
        folder.mkdir(parents=True)
        tone = wav_bytes(await ToneVoice().synthesise("一二三四五六七八九十", voice="x", speed=1))
        (folder / "ask.wav").write_bytes(tone)
        (folder / "hello-2.wav").write_bytes(tone)
        voiced = await self.voiced(studio)
        assert voiced.clips[Clip("ask", 0)] == voiced.clips[Clip("hello", 1)]
        assert "投诉请按1。" not in voice.said
        assert "您好，请稍候。" not in voice.said

    async def test_a_recording_that_is_no_audio_is_passed_over(self, studio: Studio, tmp_path: Path) -> None:
        folder = tmp_path / "recordings" / "test"
        folder.mkdir(parents=True)
        (folder / "ask.wav").write_bytes(b"MP3?")
        assert Clip("ask", 0) in (await self.voiced(studio)).clips

    async def test_texts_of_calls(self, studio: Studio, voice: ToneVoice) -> None:
        voiced = await self.voiced(studio)
        assert len(await studio.sounds(voiced, Spoken("王先生", optional=True))) == 1
        assert await studio.sounds(voiced, Spoken("")) == ()
        voice.gate.clear()
        assert await studio.sounds(voiced, Spoken("李女士", optional=True)) == ()
        with pytest.raises(SynthesisFailed):
            await studio.sounds(voiced, Spoken("正在处理"))
        digits = await studio.sounds(voiced, Spoken("幺幺零", digits="110"))
        assert [sound.path for sound in digits] == [
            voiced.clips[Clip(f"stock_digit_{digit}", 0)].path for digit in "110"
        ]

    async def test_the_dialplans_own_prompts_are_written(self, studio: Studio, tmp_path: Path) -> None:
        await studio.write_dialplan_prompts(tmp_path / "pbx")
        await studio.write_dialplan_prompts(tmp_path / "pbx")
        wanted = {f"{name}.wav" for name in DIALPLAN_PROMPTS}
        assert {path.name for path in (tmp_path / "pbx").glob("*.wav")} == wanted
        english = {path.name for path in (tmp_path / "pbx" / "en_US").iterdir()}
        assert english == {f"{name}.wav" for name in DIALPLAN_PROMPTS_EN} and english < wanted

    async def test_a_dialplan_prompt_that_cannot_be_spoken_stops_nothing(
        self, studio: Studio, voice: ToneVoice, tmp_path: Path
    ) -> None:
        first, *others = DIALPLAN_PROMPTS
        voice.mute.add(DIALPLAN_PROMPTS[first])
        assert not await studio.write_dialplan_prompts(tmp_path / "pbx")
        assert {path.name for path in (tmp_path / "pbx").glob("*.wav")} == {f"{name}.wav" for name in others}

    async def test_a_dialplan_recording_that_is_no_audio_is_passed_over(
        self, studio: Studio, tmp_path: Path
    ) -> None:
        (tmp_path / "recordings" / "dialplan").mkdir(parents=True)
        for name in DIALPLAN_PROMPTS:
            (tmp_path / "recordings" / "dialplan" / f"{name}.wav").write_bytes(b"no audio")
        assert await studio.write_dialplan_prompts(tmp_path / "pbx")
        assert len(list((tmp_path / "pbx").glob("*.wav"))) == len(DIALPLAN_PROMPTS)


@pytest.fixture
async def espeak() -> EspeakSynthesiser:
    tool = (await Runtime.ensure(runtime_folder(), need={"espeak"})).espeak
    return EspeakSynthesiser(tool.command(), version=tool.version, environment=tool.env())


class TestEspeak:
    async def test_mandarin_is_spoken_at_telephone_rate(self, espeak: EspeakSynthesiser) -> None:
        samples = await espeak.synthesise("为了保证服务质量，您的通话将被录音。", voice="cmn", speed=165)
        assert 2 < len(samples) / 8000 < 8
        assert loudness(samples) > 300

    async def test_hostile_texts_are_only_words(self, espeak: EspeakSynthesiser) -> None:
        for text in ("-h", "--version", "[[h@l'oU]] <audio src='/etc/passwd'/>你好", "王\n先生"):
            assert len(await espeak.synthesise(text, voice="cmn", speed=165)) > 0

    async def test_bad_voice_and_long_text_are_refused(self, espeak: EspeakSynthesiser) -> None:
        for text, voice in (("你好", "xx"), ("你好", "../etc"), ("长" * 501, "cmn")):
            with pytest.raises(SynthesisFailed):
                await espeak.synthesise(text, voice=voice, speed=165)

    async def test_nothing_to_say_is_an_error_in_the_store(
        self, espeak: EspeakSynthesiser, tmp_path: Path
    ) -> None:
        store = PromptStore(tmp_path, espeak)
        await store.open()
        with pytest.raises(SynthesisFailed):
            await store.clip(" ", VOICE)

    async def test_old_versions_get_pinyin(self, espeak: EspeakSynthesiser) -> None:
        old = EspeakSynthesiser(espeak.command, version="1.51", environment=espeak.environment)
        samples = await old.synthesise("您好，这里是客服", voice="cmn", speed=165)
        assert 0.8 < len(samples) / 8000 < 4

    async def test_a_hanging_program_is_ended_at_its_deadline(self) -> None:
        hanging = EspeakSynthesiser(["sleep", "60", "#"], version="1.52", timeout=SOON)
        stuck = EspeakSynthesiser(["sh", "-c", "exec sleep 60"], version="1.52", timeout=SOON)
        with pytest.raises(SynthesisFailed):
            await hanging.synthesise("你好", voice="cmn", speed=165)
        with pytest.raises(SynthesisFailed, match="too long"):
            await stuck.synthesise("你好", voice="cmn", speed=165)

    async def test_a_missing_program_says_so(self) -> None:
        with pytest.raises(VoiceMissing, match="cannot be started"):
            await EspeakSynthesiser(["/no/such/espeak-ng"], version="1.52").synthesise(
                "好", voice="cmn", speed=165
            )

    async def test_cancelling_ends_the_program(self) -> None:
        stuck = EspeakSynthesiser(["sh", "-c", "exec sleep 60"], version="1.52")
        task = asyncio.create_task(stuck.synthesise("你好", voice="cmn", speed=165))
        await eventually(lambda: stuck.running == 1)
        task.cancel()
        await asyncio.wait([task])
        assert stuck.running == 0

    async def test_a_delivered_flow_can_be_heard(self, espeak: EspeakSynthesiser, tmp_path: Path) -> None:
        store = PromptStore(tmp_path, espeak)
        await store.open()
        voiced = await Studio(store, tmp_path).voiced(load(delivered("after-queue")), version=1)
        for sound in voiced.clips.values():
            assert loudness(read_wav(sound.path.with_suffix(".wav"))) > 1000
