"""Speech recognition as the settings want it: the models' store, who listens to which language, how it is."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from app.settings import Settings
from speech.choice import InstalledRecognition
from speech.model_store import ModelStore
from speech.pool import PoolLimits


def models_dir(settings: Settings) -> Path:
    """Return the folder that models are installed in."""
    named = settings.speech.models_dir
    return Path(named).expanduser().resolve() if named else settings.data_dir / "models"


def model_store(settings: Settings) -> ModelStore:
    """Return the store of the models."""
    return ModelStore(models_dir(settings))


def build_recognition(settings: Settings) -> InstalledRecognition:
    """Return who listens to which language; nothing is started before somebody is to be listened to."""
    speech = settings.speech
    limits = PoolLimits(
        processes=speech.processes,
        streams=speech.streams,
        threads=speech.threads,
        memory_bytes=speech.memory_mb << 20,
        load_within=timedelta(seconds=speech.load_seconds),
    )
    return InstalledRecognition(
        model_store(settings),
        limits,
        languages=speech.languages,
        engine=speech.engine,
        enabled=speech.enabled,
        trade_words=speech.trade_words,
    )


EARLY_NICE = 15
EARLY_IDLE = timedelta(minutes=2)


def build_early_recognition(settings: Settings) -> InstalledRecognition:
    """Return who listens to what networks say before anybody answers.

    A process of its own, which yields to live text and ends when nothing has been dialled for a while.
    """
    speech = settings.speech
    limits = PoolLimits(
        processes=1,
        streams=settings.early_media.streams,
        threads=1,
        memory_bytes=speech.memory_mb << 20,
        nice=EARLY_NICE,
        load_within=timedelta(seconds=speech.load_seconds),
        idle=EARLY_IDLE,
    )
    return InstalledRecognition(
        model_store(settings),
        limits,
        languages=speech.languages,
        engine=speech.engine,
        enabled=speech.enabled and settings.early_media.enabled,
        trade_words=False,
    )


def readiness(recognition: InstalledRecognition) -> Callable[[], Awaitable[Mapping[str, Any]]]:
    """Return the check for ``/readyz``. It is never a reason not to be ready: calls go on without text."""

    async def check() -> Mapping[str, Any]:
        if not recognition.enabled:
            return {"state": "off"}
        if recognition.trouble:
            return {"state": "trouble", "says": recognition.trouble}
        languages = sorted(recognition.languages)
        if not languages:
            return {"state": "no model"}
        return {
            "state": "ready",
            "languages": languages,
            "streams": {
                transcriber.model: sum(process.streams for process in transcriber.processes)
                for transcriber in recognition.running
            },
        }

    return check
