"""Real models for tests: installed once into ``.runtime/models`` by the project's own store, then shared.

The first call on a machine fetches them through the package manager; a lock keeps parallel workers from
fetching twice. ``HUIFANG_RUNTIME_DIR`` names another folder.
"""

import asyncio
import csv
import wave
from dataclasses import dataclass
from pathlib import Path

from speech.model_store import ModelStore, State
from speech.store_errors import StoreLocked
from tests.support.runtime import runtime_folder

HOTLINE = Path(__file__).resolve().parents[1] / "data" / "speech" / "hotline"


def models_folder() -> Path:
    """Return the folder that holds the models."""
    return runtime_folder() / "models"


async def installed(*names: str) -> ModelStore:
    """Return the store, with these models in it."""
    store = ModelStore(models_folder())
    async with asyncio.timeout(280):
        for name in names:
            while store.standing(name).state is not State.INSTALLED:
                try:
                    await store.install(name)
                except StoreLocked:  # another worker is at it
                    await asyncio.sleep(0.2)
    return store


def read_wav(path: Path) -> bytes:
    """Return the samples of an 8 kHz mono 16-bit file."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        return bytes(file.readframes(file.getnframes()))


@dataclass(frozen=True, slots=True)
class Sentence:
    """A recorded sentence of the hotline."""

    name: str
    text: str
    voice: str

    @property
    def pcm(self) -> bytes:
        """The samples."""
        return read_wav(HOTLINE / self.name)


def sentences() -> list[Sentence]:
    """Return the recorded sentences."""
    with (HOTLINE / "manifest.tsv").open(encoding="utf-8") as file:
        return [
            Sentence(row["file"], row["transcript"], row["voice"])
            for row in csv.DictReader(file, delimiter="\t")
        ]
