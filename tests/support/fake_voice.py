"""A voice for tests: a tone whose length follows the text, at once and without a program."""

import asyncio
import math
from array import array

from ivr.ports import SynthesisFailed
from ivr.prompts.audio import Samples
from telephony.audio import RATE


class ToneVoice:
    """Implements :class:`ivr.ports.Synthesiser`.

    Attributes:
        said: every text it was asked for.
        mute: texts it fails on.
        gate: while it is not set, nothing is finished.
    """

    def __init__(self, identity: str = "tone 1") -> None:
        self.identity_name = identity
        self.said: list[str] = []
        self.mute: set[str] = set()
        self.gate = asyncio.Event()
        self.gate.set()

    @property
    def identity(self) -> str:
        """Engine and version."""
        return self.identity_name

    async def synthesise(self, text: str, *, voice: str, speed: int) -> Samples:
        """Return 20 ms of 440 Hz per character."""
        self.said.append(text)
        await self.gate.wait()
        if text in self.mute:
            raise SynthesisFailed("mute", voice=voice, speed=speed)
        count = RATE // 50 * max(1, len(text))
        return array("h", [round(6000 * math.sin(2 * math.pi * 440 * at / RATE)) for at in range(count)])
