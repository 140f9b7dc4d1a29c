"""Short recordings on the disk, and who makes text of them with a transcriber that has no model."""

import wave
from pathlib import Path
from zoneinfo import ZoneInfo

from kernel.clock import Clock
from kernel.db import Database
from speech.clips import ClipTexts, Shelf
from speech.ports import Recognition
from speech.rules.model import RuleSet, shipped_rules


def record(path: Path, *, seconds: float = 2.0, spoken: float = 0.5) -> None:
    """Write a recording in which somebody speaks from half a second on."""
    sound = bytearray(round(seconds * 16_000))
    for sample in range(4000, 4000 + round(spoken * 8000)):
        sound[2 * sample : 2 * sample + 2] = (8000 if sample % 20 < 10 else -8000).to_bytes(
            2, "little", signed=True
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(sound))


async def rules() -> RuleSet:
    """Return the rules that come with the program."""
    return shipped_rules()


def clip_texts(
    database: Database, clock: Clock, recognition: Recognition, shelves: dict[str, Shelf]
) -> ClipTexts:
    """Return who makes text of recordings."""
    zone = ZoneInfo("Asia/Shanghai")
    return ClipTexts(database, recognition, shelves, clock=clock, zone=zone, worker="w1", rules=rules)
