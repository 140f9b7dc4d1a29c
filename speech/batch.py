"""A whole recording through a transcriber: what text after the call is made with."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from datetime import timedelta

from speech.ports import BYTES_PER_SECOND, Heard, Stream, Transcriber

PIECE_BYTES = BYTES_PER_SECOND
"""A whole recording given at once is fed in pieces of a second."""


async def transcribe(
    transcriber: Transcriber,
    audio: bytes | Iterable[bytes] | AsyncIterable[bytes],
    language: str,
    *,
    at: float = 0.0,
    phrases: Sequence[str] = (),
    background: bool = True,
    patience: timedelta = timedelta(seconds=60),
) -> AsyncIterator[Heard]:
    """Yield the finals of a recording, in order, as they are heard.

    Memory does not grow with its length if ``audio`` is an iterator. Closing the generator, or cancelling,
    lets go of the recogniser.

    Args:
        audio: 16-bit mono at 8 kHz, whole or in pieces.
        at: where the recording begins on the call's clock, in seconds.
        patience: the longest time in which the recogniser may take nothing.

    Raises:
        HuifangError: what ``open``, ``feed`` and ``heard`` of :mod:`speech.ports` raise.
    """
    stream = await transcriber.open(
        language, at=at, phrases=phrases, background=background, patience=patience
    )
    async with stream:
        feeding = asyncio.create_task(_feed(stream, audio))
        try:
            async for piece in stream.heard():
                if piece.is_final:
                    yield piece
            await feeding
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)


async def _feed(stream: Stream, audio: bytes | Iterable[bytes] | AsyncIterable[bytes]) -> None:
    try:
        async for piece in _pieces(audio):
            await stream.feed(piece)
        await stream.finish()
    except BaseException:
        await stream.aclose()  # who reads must not wait for what never comes
        raise


async def _pieces(audio: bytes | Iterable[bytes] | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    if isinstance(audio, AsyncIterable):
        async for piece in audio:
            yield piece
    elif isinstance(audio, bytes):
        for start in range(0, len(audio), PIECE_BYTES):
            yield audio[start : start + PIECE_BYTES]
    else:
        for piece in audio:
            yield piece
