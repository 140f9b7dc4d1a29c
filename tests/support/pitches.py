"""Tones by which a test tells whom somebody hears on a telephone line."""

import asyncio
import math
from array import array
from collections.abc import Mapping

from app.sipp.phone import PhoneCall
from telephony.audio import RATE
from tests.support.waiting import eventually

LISTENS_SECONDS = 0.6
HEARD = 0.12
"""Of the sound, the share of one tone among up to three."""
LOUD = 200


def pitch(hertz: int, seconds: float) -> "array[int]":
    """Return a tone."""
    return array(
        "h", (int(6000 * math.sin(2 * math.pi * hertz * n / RATE)) for n in range(int(RATE * seconds)))
    )


def strength(samples: "array[int]", hertz: int) -> float:
    """How much of the last moment is a tone (Goertzel), 0 to about 1; of silence nothing is."""
    last = samples[-int(RATE * LISTENS_SECONDS) :]
    total = sum(value * value for value in last)
    if len(last) < RATE * LISTENS_SECONDS or total < LOUD * LOUD * len(last):
        return 0.0
    turn = 2 * math.cos(2 * math.pi * hertz / RATE)
    one = two = 0.0
    for value in last:
        one, two = value + turn * one - two, one
    return 2 * (one * one + two * two - turn * one * two) / (len(last) * total)


async def hear_each_other(
    lines: Mapping[str, PhoneCall],
    tones: Mapping[str, int],
    expected: Mapping[str, str],
    *,
    within: float = 8.0,
) -> None:
    """Have everybody speak, each with their tone, until each hears whom they are expected to, and no others.

    Args:
        lines: name → their call.
        tones: name → hertz.
        expected: name → the names of whom they hear, with spaces between.
    """
    found: dict[str, str] = {}

    async def speak(name: str) -> None:
        while True:
            lines[name].handset.say(pitch(tones[name], 1.0))
            await lines[name].handset.finished()

    def so() -> bool:
        for name, line in lines.items():
            samples = line.ear.samples()
            heard = [who for who, hertz in tones.items() if strength(samples, hertz) > HEARD]
            found[name] = " ".join(sorted(heard))
        return found == {name: " ".join(sorted(who.split())) for name, who in expected.items()}

    speaking = [asyncio.create_task(speak(name)) for name in lines]
    try:
        await eventually(so, timeout=within, interval=0.1, what=f"{dict(expected)}")
    except (AssertionError, TimeoutError) as error:
        raise AssertionError(f"expected {dict(expected)}, heard {found}") from error
    finally:
        for task in speaking:
            task.cancel()
        await asyncio.gather(*speaking, return_exceptions=True)
