"""The picture of sound that Whisper looks at: log-mel energies, made from telephone sound directly.

Whisper expects 16 kHz. Sound at 8 kHz has nothing above 4 kHz, so a transform of half the length over it
gives the same lower half of the spectrum as one over sound that was resampled first, at half the work.
Source of the figures: OpenAI's ``whisper/audio.py`` and librosa's Slaney mel scale.
"""

from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from speech.ports import SAMPLE_RATE

Floats: TypeAlias = NDArray[np.float32]

HOP = SAMPLE_RATE // 100
WINDOW = SAMPLE_RATE // 40
FRAMES_PER_SECOND = 100
WHOLE_FRAMES = 3000
"""Frames of the thirty seconds that the model always sees."""

FULL_RATE = 16000
FULL_WINDOW = FULL_RATE // 40


@cache
def _filters(bands: int) -> Any:
    """Return bands × (WINDOW / 2 + 1): the lower half of the filters for 16 kHz."""
    frequencies = np.fft.rfftfreq(FULL_WINDOW, 1 / FULL_RATE)
    step, log_from, log_step = 200.0 / 3, 15.0, np.log(6.4) / 27.0
    mels = np.linspace(0.0, log_from + np.log(8000.0 / 1000.0) / log_step, bands + 2)
    edges = np.where(mels < log_from, mels * step, 1000.0 * np.exp(log_step * (mels - log_from)))
    rising = (frequencies - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequencies) / (edges[2:] - edges[1:-1])[:, None]
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights *= (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return weights[:, : WINDOW // 2 + 1].astype(np.float32)


def log_mel(samples: Floats, *, bands: int = 80, frames: int = WHOLE_FRAMES) -> Floats:
    """Return bands × frames for sound at 8 kHz, -1 to 1; what is missing at the end is silence."""
    wanted = frames * HOP
    padded = np.zeros(wanted + WINDOW, np.float32)
    kept = samples[:wanted]
    padded[WINDOW // 2 : WINDOW // 2 + len(kept)] = kept
    if len(kept) > WINDOW // 2:  # mirrored, as the model learnt it
        padded[: WINDOW // 2] = kept[1 : WINDOW // 2 + 1][::-1]
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:frames]
    shape = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    # Half as many samples make half the amplitude, a quarter of the power.
    power = (np.abs(np.fft.rfft(windows * shape, axis=1)) ** 2 * 4).astype(np.float32)
    energies = np.log10(np.maximum(_filters(bands) @ power.T, 1e-10))
    energies = np.maximum(energies, energies.max() - 8.0)
    return np.ascontiguousarray((energies + 4.0) / 4.0, dtype=np.float32)
