"""Audio that comes with the program: made, kept, proven, preferred to every voice."""

import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from ivr.domain.flow import Voice
from ivr.ports import SynthesisFailed, VoiceMissing
from ivr.prompts.kokoro import KokoroSynthesiser
from ivr.prompts.stock import MANIFEST, Stock, StockDamaged, Wanted
from ivr.prompts.stock_build import build
from ivr.prompts.store import PromptStore
from telephony.audio import loudness, read_wav
from tests.support.fake_voice import ToneVoice

pytestmark = pytest.mark.integration

HELLO, BYE, LATER = (Wanted(text, Voice(), "test") for text in ("您好，", "再见。", "稍候。"))
SOON = timedelta(seconds=20)

# A model that hums: as many samples as there are symbols, and dies, hangs or lies when told to.
HUMMER = """
import json, sys, time
for line in sys.stdin.buffer:
    asked = json.loads(line)
    count = 800 * sum(map(len, asked["tokens"]))
    if asked["speed"] == 2.0:
        sys.exit(3)
    if asked["speed"] == 0.5:
        time.sleep(600)
    if asked["speed"] == 1.55:
        sys.stdout.buffer.write(b"no json\\n")
    elif asked["speed"] == 1.45:
        sys.stdout.buffer.write(json.dumps({"samples": 10**9}).encode() + b"\\n")
    elif asked["speed"] == 1.35:
        sys.stdout.buffer.write(json.dumps({"error": "no such voice"}).encode() + b"\\n")
    else:
        hum = b"\\x00\\x10\\x00\\xf0" * (count // 2)
        sys.stdout.buffer.write(json.dumps({"samples": count}).encode() + b"\\n" + hum)
    sys.stdout.buffer.flush()
"""


@pytest.fixture
async def hummer(tmp_path: Path) -> AsyncIterator[KokoroSynthesiser]:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"weights")
    voice = KokoroSynthesiser(model, timeout=SOON, command=(sys.executable, "-c", HUMMER))
    yield voice
    await voice.close()


class TestBuild:
    async def test_what_is_there_is_kept_and_what_nobody_wants_is_dropped(
        self, hummer: KokoroSynthesiser, tmp_path: Path
    ) -> None:
        folder = tmp_path / "stock"
        first = await build(folder, [HELLO, BYE], hummer)
        assert (first.made, first.kept, first.dropped) == (2, 0, 0)
        assert Stock.read(folder).problems([HELLO, BYE]) == []

        again = await build(folder, [BYE, LATER], hummer)
        assert (again.made, again.kept, again.dropped) == (1, 1, 1)
        assert Stock.read(folder).problems([BYE, LATER]) == []
        clip = Stock.read(folder).find("稍候。", Voice())
        assert clip is not None
        assert clip.speaker == "zf_xiaobei"
        assert clip.engine == hummer.identity

    async def test_a_build_that_broke_off_goes_on(self, hummer: KokoroSynthesiser, tmp_path: Path) -> None:
        unspeakable = Wanted("🙂", Voice(), "flow x, smile")
        with pytest.raises(SynthesisFailed, match="flow x, smile"):
            await build(tmp_path / "stock", [HELLO, unspeakable, BYE], hummer)
        rest = await build(tmp_path / "stock", [HELLO, BYE], hummer)
        assert (rest.made, rest.kept) == (1, 1)

    async def test_a_comma_typed_otherwise_needs_no_other_audio(
        self, hummer: KokoroSynthesiser, tmp_path: Path
    ) -> None:
        await build(tmp_path, [HELLO], hummer)
        assert Stock.read(tmp_path).problems([Wanted("您好,", Voice(), "test")]) == []

    async def test_an_unhurried_pace_is_the_brisk_one_slowed_down(
        self, hummer: KokoroSynthesiser, tmp_path: Path
    ) -> None:
        brisk, slow = Voice(speed=225), Voice(speed=165)
        wanted = [Wanted("再见。", brisk, "test"), Wanted("再见。", slow, "test", slower_than=brisk)]
        await build(tmp_path, wanted, hummer)
        quick, calm = (Stock.read(tmp_path).find("再见。", one) for one in (brisk, slow))
        assert quick is not None
        assert calm is not None
        assert calm.seconds > quick.seconds * 1.15
        assert calm.engine.endswith("slowed 1.235")

    async def test_every_difference_is_named(self, hummer: KokoroSynthesiser, tmp_path: Path) -> None:
        await build(tmp_path, [HELLO, BYE, LATER], hummer)
        stock = Stock.read(tmp_path)
        damaged, missing = stock.find("您好，", Voice()), stock.find("再见。", Voice())
        assert damaged is not None
        assert missing is not None
        (tmp_path / damaged.file).write_bytes(b"\xff" * 8)
        (tmp_path / missing.file).unlink()
        (tmp_path / "cmn-165" / "stray.ulaw").write_bytes(b"\xff")
        wanted = [HELLO, BYE, Wanted("稍候。", Voice(speed=225), "survey")]
        assert {line.split(":")[0] for line in stock.problems(wanted)} == {
            "no audio",
            "no text",
            damaged.file,
            missing.file,
            "not in the manifest",
        }

    @pytest.mark.parametrize(
        "content", ["", "[]", '{"format": 2, "prompts": []}', '{"format": 1, "prompts": [{}]}']
    )
    def test_a_manifest_that_cannot_be_read_is_an_error(self, tmp_path: Path, content: str) -> None:
        (tmp_path / MANIFEST).write_text(content)
        with pytest.raises(StockDamaged):
            Stock.read(tmp_path)


class TestChild:
    @pytest.mark.parametrize("speed", [510, 375, 345, 315])
    async def test_one_that_dies_or_lies_is_ended_and_the_next_text_is_spoken(
        self, hummer: KokoroSynthesiser, speed: int
    ) -> None:
        with pytest.raises(SynthesisFailed):
            await hummer.synthesise("您好", voice="cmn", speed=speed)
        assert len(await hummer.synthesise("您好", voice="cmn", speed=165)) > 0

    async def test_one_that_hangs_is_ended(self, tmp_path: Path) -> None:
        model = tmp_path / "model.onnx"
        model.write_bytes(b"weights")
        quick = timedelta(seconds=1)
        voice = KokoroSynthesiser(model, timeout=quick, command=(sys.executable, "-c", HUMMER))
        with pytest.raises(SynthesisFailed, match="too long"):
            await voice.synthesise("您好", voice="cmn", speed=0)
        await voice.close()

    async def test_one_that_ended_for_lack_of_work_starts_again(self, tmp_path: Path) -> None:
        model = tmp_path / "model.onnx"
        model.write_bytes(b"weights")
        once = HUMMER + "    break\n"
        voice = KokoroSynthesiser(model, timeout=SOON, command=(sys.executable, "-c", once))
        for _ in range(3):
            assert len(await voice.synthesise("您好", voice="cmn", speed=165)) > 0
        await voice.close()

    async def test_without_the_model_it_says_what_to_install(self, tmp_path: Path) -> None:
        voice = KokoroSynthesiser(tmp_path / "model.onnx")
        assert not voice.speaks("cmn")
        with pytest.raises(VoiceMissing, match="huifang speech install voice-zh"):
            await voice.synthesise("您好", voice="cmn", speed=165)


class TestStore:
    @pytest.fixture
    async def stock(self, hummer: KokoroSynthesiser, tmp_path: Path) -> Stock:
        await build(tmp_path / "stock", [HELLO], hummer)
        return Stock.read(tmp_path / "stock")

    async def test_stock_is_played_and_no_voice_is_asked(self, stock: Stock, tmp_path: Path) -> None:
        tone = ToneVoice()
        store = PromptStore(tmp_path / "prompts", tone, stock=stock)
        await store.open()
        sound = await store.clip("您好，", Voice())
        passing = await store.spoken("您好，", Voice(), deadline=SOON)
        assert sound == passing
        assert loudness(read_wav(sound.path.with_suffix(".wav"))) > 1000
        assert tone.said == []
        # Another text, and another pace, are spoken.
        await store.clip("您好！", Voice(speed=200))
        assert tone.said == ["您好！"]

    async def test_a_damaged_file_of_the_stock_is_spoken_instead(self, stock: Stock, tmp_path: Path) -> None:
        for clip in stock:
            (stock.folder / clip.file).write_bytes(b"")
        tone = ToneVoice()
        store = PromptStore(tmp_path / "prompts", tone, stock=stock)
        await store.open()
        await store.clip("您好，", Voice())
        assert tone.said == ["您好，"]

    async def test_the_better_voice_speaks_and_the_other_stands_in(
        self, hummer: KokoroSynthesiser, tmp_path: Path
    ) -> None:
        tone = ToneVoice()
        store = PromptStore(tmp_path / "prompts", tone, best=hummer)
        await store.open()
        await store.clip("再见。", Voice())
        assert tone.said == []
        await store.clip("再见。", Voice(speed=510))
        assert tone.said == ["再见。"]

    async def test_a_better_voice_that_is_late_is_heard_the_next_time(
        self, hummer: KokoroSynthesiser, tmp_path: Path
    ) -> None:
        tone, slow = ToneVoice(), ToneVoice("slow 1")
        better = Better(slow)
        store = PromptStore(tmp_path / "prompts", tone, best=better)
        await store.open()
        slow.gate.clear()
        soon = timedelta(milliseconds=50)
        with pytest.raises(SynthesisFailed):
            await store.spoken("王先生", Voice(), deadline=soon, one_voice=True)
        now = await store.spoken("王先生", Voice(), deadline=soon)
        slow.gate.set()
        later = await store.spoken("王先生", Voice(), deadline=SOON)
        assert now.path != later.path
        assert (tone.said, slow.said) == (["王先生"], ["王先生"])
        assert store.ready("王先生", Voice()) == later
        await store.close()


class Better:
    """A tone that counts as the better voice."""

    def __init__(self, tone: ToneVoice) -> None:
        self._tone = tone
        self.identity = tone.identity
        self.synthesise = tone.synthesise

    def speaks(self, voice: str) -> bool:
        """Everything."""
        return bool(voice)
