"""What every voice promises (``ivr.ports.Synthesiser``), of the tone, of espeak-ng and of Kokoro."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from app.runtime import Runtime
from app.voice import KOKORO_MODEL, espeak_voice
from ivr.ports import Synthesiser, SynthesisFailed
from ivr.prompts.audio import prepared
from ivr.prompts.kokoro import MODEL_FILE, KokoroSynthesiser
from telephony.audio import RATE, loudness
from tests.support.fake_voice import ToneVoice
from tests.support.models import installed
from tests.support.runtime import runtime_folder

pytestmark = [pytest.mark.contract, pytest.mark.asyncio(loop_scope="module")]

SAID = "人工服务请按0。"


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["tone", "espeak-ng", "kokoro"])
async def voice(request: pytest.FixtureRequest) -> AsyncIterator[Synthesiser]:
    """Each of them; Kokoro with one process for the whole module."""
    if request.param == "tone":
        yield ToneVoice()
        return
    espeak = espeak_voice((await Runtime.ensure(runtime_folder(), need={"espeak"})).espeak)
    if request.param == "espeak-ng":
        yield espeak
        return
    store = await installed(KOKORO_MODEL)
    kokoro = KokoroSynthesiser(store.folder(KOKORO_MODEL) / MODEL_FILE, english=espeak.ipa)
    yield kokoro
    await kokoro.close()


async def test_a_text_becomes_speech_at_telephone_rate_and_loudness(voice: Synthesiser) -> None:
    samples = await voice.synthesise(SAID, voice="cmn", speed=225)
    fit = prepared(samples)
    assert RATE // 8 < len(fit) < 5 * RATE
    assert 1500 < loudness(fit) < 6000


async def test_the_same_text_always_sounds_the_same(voice: Synthesiser) -> None:
    first = await voice.synthesise(SAID, voice="cmn", speed=225)
    await voice.synthesise("再见。", voice="cmn", speed=225)
    assert await voice.synthesise(SAID, voice="cmn", speed=225) == first


async def test_two_texts_at_once_are_both_spoken(voice: Synthesiser) -> None:
    spoken = await asyncio.gather(
        voice.synthesise("再见。", voice="cmn", speed=225), voice.synthesise(SAID, voice="cmn", speed=225)
    )
    assert len(spoken[0]) < len(spoken[1])


async def test_english_is_spoken_too(voice: Synthesiser) -> None:
    assert len(await voice.synthesise("Please press one.", voice="en", speed=225)) > RATE // 8


async def test_it_speaks_on_after_it_was_interrupted(voice: Synthesiser) -> None:
    speaking = asyncio.create_task(voice.synthesise(SAID * 10, voice="cmn", speed=225))
    await asyncio.sleep(0)
    speaking.cancel()
    await asyncio.gather(speaking, return_exceptions=True)
    assert len(await voice.synthesise("再见。", voice="cmn", speed=225)) > 0


@pytest.mark.parametrize(
    ("text", "name"), [("长" * 501, "cmn"), ("您好", "no such voice"), ("您好", "../../etc/passwd")]
)
async def test_what_cannot_be_spoken_is_said_so(voice: Synthesiser, text: str, name: str) -> None:
    if isinstance(voice, ToneVoice):
        voice.mute.add(text)
    with pytest.raises(SynthesisFailed):
        await voice.synthesise(text, voice=name, speed=165)


async def test_hostile_texts_are_only_words(voice: Synthesiser) -> None:
    for text in ("-h --version 再见", "[[d'eI]]<break/>再见&", "再见\n{}\x00\n", "再见🙂٣"):
        assert len(await voice.synthesise(text, voice="cmn", speed=225)) > 0


async def test_its_name_is_part_of_what_a_prompt_is_kept_under(voice: Synthesiser) -> None:
    assert voice.identity
