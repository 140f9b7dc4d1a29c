"""What live text costs a call and does to its voices: calls that are listened to against calls that are not.

Four calls at once, both speakers of each talking all the time, once in a queue without live text and once in
one with it, in turns; one tap for each speaker, Vosk with its Korean model listens. ``cpu_percent_per_call``:
share of one processor core. ``channels_per_call``: Asterisk's.

The voices: every packet of speech that one telephone sent is looked for at the other, in its order.
``lost``: it never came; what came differs in not one bit from what was sent, or it counts as lost as well.
``jitter``: how unevenly packets came (RFC 3550), at the telephones; it holds what this machine's being busy
does to the played telephones themselves.
"""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

from app.handset import Ear, Packet
from app.sipp.phone import PhoneCall
from telephony.audio import FRAME_SAMPLES, Law, decode, encode, loudness
from tests.bench.apart import busy_percent, machine_ticks, percentile
from tests.bench.report import at_most, report
from tests.bench.talking import TAPPED, UNTAPPED, Clip, Conversation, Stage, korean, stage

CALLS = 4
ROUNDS = 2
SECONDS = 18.0
LIMIT_SECONDS = 300
AUDIBLE = 200.0
WARM_SECONDS = 3.0


@dataclass(slots=True)
class TimedEar(Ear):
    """An ear that keeps when each packet came."""

    arrivals: list[tuple[float, int]] = field(default_factory=list)

    def hear(self, packet: Packet, now: float) -> None:
        """Keep it."""
        self.arrivals.append((now, packet.timestamp))
        Ear.hear(self, packet, now)

    def jitter_ms(self) -> float:
        """Return how unevenly packets came, on average."""
        found, total, count = 0.0, 0.0, 0
        for (at, stamp), (later, following) in pairwise(self.arrivals):
            uneven = abs((later - at) - ((following - stamp) & 0xFFFFFFFF) / 8000)
            if uneven > 1:
                continue  # another stream began
            found += (uneven - found) / 16
            total, count = total + found, count + 1
        return 1000 * total / count if count else float("nan")


def frames(clips: Sequence[Clip]) -> list[bytes]:
    """Return the packets of speech that saying these makes, without those in which nothing is heard."""
    made = []
    for one in clips:
        payload = encode(one.samples, Law.A)
        made += [payload[at : at + FRAME_SAMPLES] for at in range(0, len(payload), FRAME_SAMPLES)]
    return [one for one in made if loudness(decode(one, Law.A)) > AUDIBLE]


def lost_percent(sent: Sequence[bytes], heard: Sequence[bytes]) -> float:
    """Return which share of what was sent did not come in its order, bit for bit."""
    places: dict[bytes, list[int]] = {}
    for index, payload in enumerate(heard):
        places.setdefault(payload, []).append(index)
    at, lost = -1, 0
    for payload in sent:
        following = next((place for place in places.get(payload, ()) if place > at), None)
        if following is None or following - at > 500:
            lost += 1
        else:
            at = following
    return 100 * lost / len(sent)


@dataclass(frozen=True, slots=True)
class Side:
    """What one telephone heard of what the other said."""

    lost: float
    jitter: float


async def talk(phone: PhoneCall, clips: Sequence[Clip], seconds: float) -> list[Clip]:
    """Say one after the other; return what was said."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    said: list[Clip] = []
    while loop.time() < until:
        following = clips[len(said) % len(clips)]
        phone.handset.say(following.samples)
        said.append(following)
        await phone.handset.finished()
    return said


def listening(phone: PhoneCall) -> TimedEar:
    """Have a telephone's ear keep times."""
    made = TimedEar(began=phone.ear.began)
    phone.handset.ear = made
    return made


async def both(conversation: Conversation, clips: Sequence[Clip]) -> list[Side]:
    """Let both talk; return what each heard."""
    phones = (conversation.caller, conversation.agent)
    await asyncio.sleep(WARM_SECONDS)
    ears = [listening(phone) for phone in phones]
    said = await asyncio.gather(*(talk(phone, clips, SECONDS) for phone in phones))
    await asyncio.sleep(0.3)
    return [
        Side(lost_percent(frames(what), [payload for _, payload, _ in ear.frames]), ear.jitter_ms())
        for what, ear in zip(said, reversed(ears), strict=True)
    ]


async def turn(running: Stage, key: str, clips: list[Clip]) -> tuple[list[Side], dict[str, float]]:
    """Have the calls talk; return what their telephones heard and what it cost."""
    async with running.conversations(CALLS, key) as talks:
        await running.tapped(2 * CALLS if key == TAPPED else 0)
        channels = len(await running.centre.pbx.channels())
        loop = asyncio.get_running_loop()
        ticks, cpu, began = machine_ticks(), running.cpu(), loop.time()
        sides = await asyncio.gather(
            *(both(one, clips[index:] + clips[:index]) for index, one in enumerate(talks))
        )
        used, lasted = running.cpu(), loop.time() - began
        busy = busy_percent(ticks, machine_ticks())
    cost = {f"{name}_cpu_percent_per_call": 100 * (used[name] - cpu[name]) / lasted / CALLS for name in used}
    return [side for pair in sides for side in pair], {
        "channels_per_call": channels / CALLS,
        "machine_busy_percent": busy,
        **cost,
    }


async def measure(folder: Path) -> dict[str, Any]:
    """Both kinds, in turns."""
    clips = korean()
    found: dict[str, list[tuple[list[Side], dict[str, float]]]] = {UNTAPPED: [], TAPPED: []}
    async with stage(folder, model="vosk-ko", language="ko", agents=CALLS) as running:
        await running.warm(clips[0])
        for _ in range(ROUNDS):
            for key in (UNTAPPED, TAPPED):
                found[key].append(await turn(running, key, clips))
                print(f"{key}: {found[key][-1]}", file=sys.stderr, flush=True)
    figures: dict[str, float] = {"calls_at_once_count": CALLS}
    for name, key in (("untapped", UNTAPPED), ("tapped", TAPPED)):
        sides = [side for each, _ in found[key] for side in each]
        figures |= {
            f"{name}_{what}": fmean(cost[what] for _, cost in found[key]) for what in found[key][0][1]
        }
        figures[f"{name}_voice_lost_percent"] = fmean(side.lost for side in sides)
        figures[f"{name}_jitter_mean_ms"] = fmean(side.jitter for side in sides)
        figures[f"{name}_jitter_worst_ms"] = percentile([side.jitter for side in sides], 1.0)
    more = {
        what: figures[f"tapped_{what}"] - figures[f"untapped_{what}"]
        for what in (
            "channels_per_call",
            "voice_lost_percent",
            "jitter_mean_ms",
            "asterisk_cpu_percent_per_call",
        )
    }
    figures |= {f"more_{what}": value for what, value in more.items()}
    return report(
        "call_cost",
        figures,
        {
            "more channels per call": at_most(more["channels_per_call"], 2.01),
            "more of the voice lost, percent": at_most(more["voice_lost_percent"], 0.1),
            "more jitter, ms": at_most(more["jitter_mean_ms"], 2.0),
        },
    )


def run() -> dict[str, Any]:
    """Run the bench."""
    with TemporaryDirectory(prefix="huifang-bench-") as folder:
        return asyncio.run(measure(Path(folder)))
