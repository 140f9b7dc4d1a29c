"""Recorded answers as files: one folder for each talk, written by the PBX, read by the pages."""

import wave
from array import array
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from kernel.errors import NotFound
from telephony.audio import FRAME_SAMPLES, RATE, loudness

MESSAGE = "message"
"""What a recording is called that is about no question in particular."""
LONGEST = timedelta(seconds=60)
MOST_FILES = 20
"""Of one talk; who leaves more messages is not recorded any further."""
VOICE = 150.0
"""Root mean square from which 20 ms of telephone audio are somebody's voice, not the line's noise."""
LEAST_VOICE = 10
"""So many such pieces are a word; a cough or a knock is shorter."""


@dataclass(frozen=True, slots=True)
class HeardAnswer:
    """A recording with something to hear in it.

    Attributes:
        path: below the folder of answers, as it is stored.
    """

    path: str
    seconds: float


class AnswerFiles:
    """Names the files, and looks into them.

    Args:
        folder: where all of them are; the PBX must be able to write there.
        longest: of longer ones the rest is not looked into.
    """

    def __init__(self, folder: Path, *, longest: timedelta = LONGEST) -> None:
        self._folder = folder
        self._longest = longest

    def fresh(self, talk_id: str, item_id: str) -> Path | None:
        """Return where to record, without extension; ``None`` when the talk has enough of them.

        An earlier recording is never written over: the second of one question gets a number.
        """
        folder = self._folder / talk_id
        folder.mkdir(parents=True, exist_ok=True)
        # The PBX may run as somebody else, of the group that the folder of all answers has.
        folder.chmod(0o2770)
        if sum(1 for _ in folder.iterdir()) >= MOST_FILES:
            return None
        name, number = item_id or MESSAGE, 1
        while (folder / f"{_numbered(name, number)}.wav").exists():
            number += 1
        return folder / _numbered(name, number)

    def heard(self, recorded: Path) -> HeardAnswer | None:
        """Return what is in a recording; one in which nobody speaks is thrown away."""
        path = recorded.with_name(f"{recorded.name}.wav")
        try:
            with wave.open(str(path), "rb") as file:
                known = (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
                most = int((self._longest.total_seconds() + 5) * RATE)
                samples = array("h", file.readframes(min(file.getnframes(), most)) if known else b"")
        except (OSError, wave.Error, EOFError):
            samples = array("h")
        pieces = (samples[at : at + FRAME_SAMPLES] for at in range(0, len(samples), FRAME_SAMPLES))
        if sum(1 for piece in pieces if loudness(piece) >= VOICE) < LEAST_VOICE:
            path.unlink(missing_ok=True)
            return None
        return HeardAnswer(path.relative_to(self._folder).as_posix(), round(len(samples) / RATE, 1))

    def find(self, path: str) -> Path:
        """Return the file of a recording, as it was stored.

        Raises:
            NotFound: it was deleted when its time was over.
        """
        found = (self._folder / path).resolve()
        if not found.is_relative_to(self._folder.resolve()) or not found.is_file():
            raise NotFound("the recording is gone", field="voice_id")
        return found


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"
