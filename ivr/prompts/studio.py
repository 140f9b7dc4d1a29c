"""The studio: gives every prompt of a flow its voice before a caller can hear it."""

import asyncio
import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog

from ivr.domain.effects import Clip, Piece, Spoken
from ivr.domain.flow import Flow, Prompt, Voice
from ivr.domain.languages import LANGUAGES
from ivr.domain.text import Literal
from ivr.ports import SynthesisFailed, VoiceMissing
from ivr.prompts.audio import NotAudio, length_of, prepared, samples_of_wav
from ivr.prompts.store import PromptStore, SoundFile, write_whole
from kernel.errors import Invalid

log = structlog.get_logger(__name__)

LONGEST_RECORDING = timedelta(minutes=2)
MOST_RECORDINGS = 2000

# Spoken by the dialplan itself: when this service does not answer, and to staff who call a customer.
DIALPLAN_PROMPTS: Mapping[str, str] = {
    "huifang-fallback": "非常抱歉，系统繁忙，正在为您转接人工客服，请稍候。",
    "huifang-apology": "非常抱歉，现在没有客服人员可以接听您的电话，请您稍后再拨。感谢您的来电，再见。",
    "huifang-call-again": "您好，非常抱歉，现在暂时无法为您接通，我们稍后再与您联系。打扰您了，再见。",
    "huifang-waiting": "让您久等了，请继续等待。想挂机等我们回电并保留排队位置请按1，想给我们留言请按2。",
    "huifang-goodbye": "感谢您的接听，再见。",
    "huifang-connecting": "您好，正在为您接通客户，请稍候。",
    "huifang-recording": "为了保证服务质量，您的通话将被录音。",
    "huifang-try": "您好，请在提示音后说一句话，说完会放给您听。",
    "huifang-no-customer": "客户的电话没有接通，请稍后再拨。",
}

DIALPLAN_PROMPTS_EN: Mapping[str, str] = {
    "huifang-fallback": "We are very sorry, our system is busy. One moment please, we are connecting you.",
    "huifang-waiting": "Thank you for waiting. Press 1 to be called back in turn, or 2 to leave a message.",
    "huifang-recording": "This call will be recorded to help us serve you better.",
    "huifang-apology": "We are very sorry, nobody can take your call now. Please call again later. Goodbye.",
}
"""What callers hear who are spoken to in English; it lies in a folder of Asterisk's name of the language."""
ENGLISH_FOLDER = LANGUAGES["en"].channel
ENGLISH = Voice(name=LANGUAGES["en"].voice)


@dataclass(frozen=True, slots=True)
class VoicedFlow:
    """A flow whose every literal piece has its audio.

    Attributes:
        version: the published version, 0 for the one that came with the program.
        clips: (prompt, piece) → audio.
    """

    flow: Flow
    version: int
    clips: Mapping[Clip, SoundFile]


class Studio:
    """Makes audio for flows.

    Args:
        store: where audio is kept.
        recordings: folder with ``<flow>/<prompt>.wav``; of a prompt with variables, whose pieces are
            recorded one by one, ``<flow>/<prompt>-1.wav`` and so on.
        speak_deadline: longest wait for a text during a call.
    """

    def __init__(
        self,
        store: PromptStore,
        recordings: Path,
        *,
        speak_deadline: timedelta = timedelta(milliseconds=300),
    ) -> None:
        self._store = store
        self._recordings = recordings
        self._deadline = speak_deadline

    async def voiced(
        self, flow: Flow, *, version: int, told: Callable[[int], None] | None = None
    ) -> VoicedFlow:
        """Give every prompt its audio.

        Args:
            told: hears after each prompt how many have theirs.

        Raises:
            VoiceMissing: a prompt is to be made and there is no voice.
            SynthesisFailed: names the prompt that has none.
        """
        clips: dict[Clip, SoundFile] = {}
        for done, prompt in enumerate(flow.prompts.values(), 1):
            for index, piece in enumerate(prompt.template.pieces):
                if isinstance(piece, Literal):
                    clips[Clip(prompt.name, index)] = await self.piece(flow, prompt, index)
            if told is not None:
                told(done)
        return VoicedFlow(flow, version, clips)

    def _uploaded(self, recording: str) -> Path:
        # No flow has a name that begins so.
        return self._recordings / "_uploaded" / f"{recording}.wav"

    def has_recordings(self, names: Collection[str]) -> frozenset[str]:
        """Return which of these recordings are there."""
        return frozenset(name for name in names if self._uploaded(name).is_file())

    def keep_recording(self, raw: bytes) -> str:
        """Keep a WAV and return its name; the same sound has the same one.

        Raises:
            Invalid: no sound in it, too long, or no room for more.
        """
        try:
            length = length_of(prepared(samples_of_wav(raw)))
        except NotAudio as error:
            raise Invalid(f"this recording cannot be used: {error}", field="sound") from error
        if length > LONGEST_RECORDING:
            limit = round(LONGEST_RECORDING.total_seconds())
            raise Invalid(f"a prompt lasts {limit} seconds at most", field="sound")
        name = f"r{hashlib.sha256(raw).hexdigest()[:15]}"
        path = self._uploaded(name)
        if not path.is_file():
            if path.parent.is_dir() and sum(1 for _ in path.parent.iterdir()) >= MOST_RECORDINGS:
                raise Invalid(f"there are {MOST_RECORDINGS} recordings; delete some first", field="sound")
            write_whole(path, raw)
        return name

    async def said(self, text: str, voice: Voice) -> SoundFile:
        """Return a text of an example. Raises SynthesisFailed."""
        return await self._store.clip(text, voice)

    async def piece(self, flow: Flow, prompt: Prompt, index: int) -> SoundFile:
        """Return one literal piece of a prompt. Raises VoiceMissing, SynthesisFailed."""
        piece = prompt.template.pieces[index]
        text = piece.text if isinstance(piece, Literal) else ""
        if prompt.recording:
            try:
                return await self._store.recording(self._uploaded(prompt.recording))
            except SynthesisFailed as error:
                log.warning("ivr_recording_unusable", flow=flow.name, prompt=prompt.name, error=error.message)
        name = recorded_as(prompt, index)
        recording = self._recordings / flow.name / f"{name}.wav"
        if await asyncio.to_thread(recording.is_file):
            try:
                return await self._store.recording(recording)
            except SynthesisFailed as error:
                # A voice that can be understood is better than a recording that cannot be played.
                log.warning("ivr_recording_unusable", flow=flow.name, prompt=name, error=error.message)
        try:
            return await self._store.clip(text, prompt.voice or flow.voice)
        except VoiceMissing:
            raise
        except SynthesisFailed as error:
            raise SynthesisFailed(f"prompt “{prompt.name}” has no audio: {error.message}") from error

    async def sounds(self, voiced: VoicedFlow, piece: Piece) -> tuple[SoundFile, ...]:
        """Return what to play for one piece; nothing for an optional text that is not ready in time.

        Raises:
            SynthesisFailed: a text that may not be left out is not ready in time.
        """
        if isinstance(piece, Clip):
            return (voiced.clips[piece],)
        if not piece.text:
            return ()
        digits = _digits(voiced, piece)
        if digits and not self._store.sounds_like_stock(voiced.flow.voice, digits[0]):
            return digits
        try:
            # Two voices in one sentence are worse than a name left out or digits one by one.
            apart = piece.optional or bool(digits)
            sound = await self._store.spoken(
                piece.text, voiced.flow.voice, deadline=self._deadline, one_voice=apart
            )
            return (sound,)
        except SynthesisFailed:
            if digits:
                return digits
            if piece.optional:
                return ()
            raise

    async def forget(self, ids: Collection[str]) -> None:
        """Forget the names and numbers that were spoken to callers: whose they were nobody knows any more."""
        await self._store.forget_spoken()

    async def write_dialplan_prompts(
        self, folder: Path, texts: Mapping[str, str] | None = None, *, voice: Voice | None = None
    ) -> bool:
        """Put the prompts that the dialplan plays without us into ``folder``, a recording where there is one.

        Returns whether all are there. One that is not stops nothing: it is for the day when we do not answer,
        and the dialplan plays a chime in its place.
        """
        if texts is None:
            english = folder / ENGLISH_FOLDER
            told = await self.write_dialplan_prompts(folder, DIALPLAN_PROMPTS)
            return await self.write_dialplan_prompts(english, DIALPLAN_PROMPTS_EN, voice=ENGLISH) and told
        whole = True
        for name, text in texts.items():
            try:
                sound = await self._dialplan_prompt(folder.name, name, text, voice or Voice())
                await asyncio.to_thread(_copy, sound, folder / f"{name}.wav")
            except (SynthesisFailed, OSError) as error:
                whole = False
                if not isinstance(error, VoiceMissing):
                    log.error("ivr_dialplan_prompt_not_made", prompt=name, error=str(error)[:500])
        return whole

    async def _dialplan_prompt(self, folder: str, name: str, text: str, voice: Voice) -> SoundFile:
        recordings = self._recordings / "dialplan"
        recording = (recordings / folder if folder == ENGLISH_FOLDER else recordings) / f"{name}.wav"
        if await asyncio.to_thread(recording.is_file):
            try:
                return await self._store.recording(recording)
            except SynthesisFailed as error:
                log.warning("ivr_recording_unusable", flow="dialplan", prompt=name, error=error.message)
        return await self._store.clip(text, voice)


def recorded_as(prompt: Prompt, index: int) -> str:
    """Return the name of the recording that replaces a piece."""
    return prompt.name if len(prompt.template.pieces) == 1 else f"{prompt.name}-{index + 1}"


def _digits(voiced: VoicedFlow, piece: Spoken) -> tuple[SoundFile, ...]:
    """The audio of a number digit by digit."""
    return tuple(voiced.clips[Clip(f"stock_digit_{digit}", 0)] for digit in piece.digits if digit.isdecimal())


def _copy(sound: SoundFile, target: Path) -> None:
    content = sound.path.with_suffix(".wav").read_bytes()
    if not target.is_file() or target.read_bytes() != content:
        write_whole(target, content)
