"""Who hears whom: everybody on the telephone hums a tone of their own, and every ear is listened to."""

import math
from array import array
from collections.abc import Mapping
from typing import Final

from app.sipp.phone import PhoneCall
from telephony.audio import FRAME_SAMPLES, RATE, decode, loudness
from tests.support.waiting import eventually

TONES: Final = (520, 730, 1010, 1370)
FRAMES: Final = 12
"""So much of what was heard last counts: 240 ms."""
HEARD: Final = 200.0
"""Amplitude of a tone that is heard; one is hummed at 6000."""


def hum(call: PhoneCall, tone: int, seconds: float = 60) -> None:
    """Have somebody hum for so long."""
    count = round(seconds * RATE / FRAME_SAMPLES) * FRAME_SAMPLES
    call.handset.say(
        array("h", (round(6000 * math.sin(2 * math.pi * tone * at / RATE)) for at in range(count)))
    )


def hears(call: PhoneCall) -> frozenset[int]:
    """Return the tones in what somebody heard last."""
    samples = array("h")
    for _, payload, law in call.ear.frames[-FRAMES:]:
        samples.extend(decode(payload, law))
    return frozenset(tone for tone in TONES if _amplitude(samples, tone) > HEARD)


def hears_something(call: PhoneCall) -> bool:
    """Tell whether anything was heard last: music, say."""
    samples = array("h")
    for _, payload, law in call.ear.frames[-FRAMES:]:
        samples.extend(decode(payload, law))
    return loudness(samples) > 50


async def all_hear(wanted: Mapping[str, str], calls: Mapping[str, PhoneCall]) -> None:
    """Wait until each of those named hears exactly those whose letters are given.

    ``await all_hear({"C": "A", "A": "C", "T": ""}, {"C": caller, "A": agent, "T": colleague})``; the order of
    ``calls`` gives everybody their tone.
    """
    tones = dict(zip(calls, TONES, strict=False))

    def heard() -> dict[str, str]:
        return {
            name: "".join(other for other in calls if tones[other] in hears(calls[name])) for name in wanted
        }

    def fits() -> bool:
        return all(
            set(heard()[name]) == set(letters) and calls[name].ear.packets > FRAMES
            for name, letters in wanted.items()
        )

    try:
        await eventually(fits, timeout=10, what="everybody hears whom they should")
    except AssertionError as error:
        raise AssertionError(f"wanted {dict(wanted)}, heard {heard()}") from error


def _amplitude(samples: "array[int]", tone: int) -> float:
    """Return how loud a tone is in the samples (Goertzel)."""
    if not samples:
        return 0.0
    turn = 2 * math.cos(2 * math.pi * tone / RATE)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample + turn * last - before
    power = before * before + last * last - turn * before * last
    return 2 * math.sqrt(max(power, 0.0)) / len(samples)
