"""A voice whose every text is a tone of its own: whoever is called knows by it what was said to them.

What a real customer understands, a played one hears in fifth of a second: the pitch names the text. The list
of texts is computed on both sides from the questionnaires, so that nothing passes between them but sound.
"""

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Final

from callback_campaigns.domain import questionnaire_frame as frame
from callback_campaigns.domain import survey_words as words
from callback_campaigns.domain.questionnaire import Item, ItemKind, Questionnaire
from callback_campaigns.domain.survey_words import Wording
from callback_campaigns.domain.terms import Channel
from callback_campaigns.ports import Sound
from telephony.audio import FRAME_SAMPLES, RATE, write_wav

LENGTH: Final = timedelta(milliseconds=500)
LOWEST, STEP = 407, 40
"""None of them is near the sound before a recording."""
LOUD: Final = 8000
NEAR: Final = 15
HALF: Final = 5
"""Frames of 20 ms; two halves that agree are a tone."""


class Said(StrEnum):
    """What a text is for."""

    OPENING = "opening"
    REFUSAL = "refusal"
    WHEN = "when"
    QUESTION = "question"
    RECORD = "record"
    GOING_ON = "going_on"
    OFFER = "offer"
    WRONG_KEY = "wrong_key"
    TRANSFER = "transfer"
    GOODBYE = "goodbye"
    SORRY = "sorry"
    """The dialplan's own words, when nobody of ours leads the call any more."""
    PARTING = "parting"
    """The dialplan's own goodbye, when nobody of ours said it to the end."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text, and what it is for.

    Attributes:
        items: the questions that are asked in these words.
        keys: key → the value that is stored.
    """

    text: str
    said: Said
    items: tuple[str, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)


DIALPLAN: Final = {Said.SORRY: "huifang-call-again", Said.PARTING: "huifang-goodbye"}
_FIXED: Final = {
    frame.REFUSAL: Said.REFUSAL,
    frame.NOT_THEM: Said.GOODBYE,
    frame.WRONG_KEY: Said.WRONG_KEY,
    frame.OFFER_AGENT: Said.OFFER,
    frame.AFTER_BAD: Said.RECORD,
    frame.MESSAGE: Said.RECORD,
    words.GOING_ON: Said.GOING_ON,
    words.EXPLAIN: Said.RECORD,
    words.MAIL: Said.RECORD,
    words.MAIL_TAKEN: Said.GOODBYE,
    words.TRANSFER: Said.TRANSFER,
    words.LATER: Said.GOODBYE,
    words.NO_MORE: Said.GOODBYE,
    words.NOT_NOW: Said.GOODBYE,
    words.NOBODY: Said.GOODBYE,
}


class Tones:
    """The texts of some questionnaires, each with its tone."""

    def __init__(self, company: str, hotline: str, questionnaires: Sequence[Questionnaire]) -> None:
        wording = Wording(company=company, hotline=hotline)
        days = tuple(words.When)
        found = [Prompt("", Said.OTHER), Prompt("sorry", Said.SORRY), Prompt("parting", Said.PARTING)]
        found += [Prompt(text, said) for text, said in _FIXED.items()]
        found += [Prompt(wording.closing().text, Said.GOODBYE)]
        found += [Prompt(wording.nothing_to_ask().text, Said.GOODBYE)]
        found += [Prompt(words.appointed(day).text, Said.GOODBYE) for day in days]
        for number in range(1, 1 << len(days)):
            offered = [day for index, day in enumerate(days) if number >> index & 1]
            keys = {words.KEY_OF[day]: day.value for day in offered}
            found.append(Prompt(words.appointment(offered).text, Said.WHEN, keys=keys))
        for one in questionnaires:
            found.append(Prompt(wording.opening(one).text, Said.OPENING))
            found += [_question(wording, item) for item in one.items]
        once: dict[str, Prompt] = {}
        for prompt in found:
            same = once.get(prompt.text, prompt)
            once[prompt.text] = replace(same, items=(*dict.fromkeys((*same.items, *prompt.items)),))
        self.prompts: tuple[Prompt, ...] = tuple(once.values())

    @cached_property
    def _index(self) -> dict[str, int]:
        return {prompt.text: index for index, prompt in enumerate(self.prompts)}

    def index(self, text: str) -> int:
        """Return the tone of a text; one that is not known has the first."""
        return self._index.get(text, 0)

    def write(self, folder: Path, prompts: Path) -> None:
        """Write every tone; ``prompts`` is where the dialplan has its own words."""
        folder.mkdir(parents=True, exist_ok=True)
        for index, prompt in enumerate(self.prompts):
            samples = tone(LOWEST + STEP * index)
            write_wav(folder / f"{index}.wav", samples)
            if prompt.said in DIALPLAN:
                # In the place of the prompt, and as the recording that the service puts there.
                for place in (prompts, prompts / "recordings" / "dialplan"):
                    place.mkdir(parents=True, exist_ok=True)
                    write_wav(place / f"{DIALPLAN[prompt.said]}.wav", samples)


def _question(wording: Wording, item: Item) -> Prompt:
    text = wording.question(item).text
    if item.kind is ItemKind.FT:
        return Prompt(text, Said.RECORD, (item.id,))
    keys = {option.key: option.value for option in item.options_for(Channel.IVR) if option.key}
    return Prompt(text, Said.QUESTION, (item.id,), keys)


def tone(frequency: int) -> "array[int]":
    """Return a tone of the length that every text has."""
    count = round(LENGTH.total_seconds() * RATE)
    return array(
        "h", [round(LOUD * math.sin(2 * math.pi * frequency * at / RATE + 0.3)) for at in range(count)]
    )


class ToneVoice:
    """Implements :class:`callback_campaigns.ports.Speaking`."""

    def __init__(self, tones: Tones, folder: Path) -> None:
        self._tones = tones
        self._folder = folder

    async def speak(self, text: str, **how: Any) -> Sound:
        """Return the tone of a text."""
        return Sound(self._folder / str(self._tones.index(text)), LENGTH)


_SIGNS: Final = bytes(byte >> 7 for byte in range(256))
"""Of a byte of A-law the first bit is the sign."""
_RISES: Final = b"\x00\x01"


class ToneEar:
    """Hears tones in frames of A-law."""

    def __init__(self) -> None:
        self._frames: list[bytes] = []

    def hear(self, frame: bytes) -> int | None:
        """Take 20 ms; return the tone that sounds, ``None`` when it is not clear."""
        self._frames.append(frame.translate(_SIGNS))
        del self._frames[: -2 * HALF]
        if len(self._frames) < 2 * HALF:
            return None
        first, second = (_pitch(self._frames[:HALF]), _pitch(self._frames[HALF:]))
        whole = _pitch(self._frames)
        index = round((whole - LOWEST) / STEP)
        clear = abs(first - second) <= STEP / 2 and abs(whole - LOWEST - STEP * index) <= NEAR
        return index if clear and index >= 0 else None

    def pause(self) -> None:
        """Nothing was heard for a moment."""
        self._frames.clear()


def _pitch(frames: Sequence[bytes]) -> float:
    joined = bytes(chain.from_iterable(frames))
    return joined.count(_RISES) * RATE / (len(frames) * FRAME_SAMPLES)
