"""The same speech, slower, at the same pitch: overlapping pieces, each laid where it fits best (WSOLA)."""

from array import array

from ivr.prompts.audio import Samples
from telephony.audio import RATE

_WINDOW = RATE * 30 // 1000
_HOP = _WINDOW // 2
_SEARCH = RATE // 100


def stretched(samples: Samples, factor: float) -> Samples:
    """Return speech that lasts ``factor`` times as long; 0.5 to 2 sounds natural enough."""
    # Slow to import, and only who builds prompts needs it.
    import numpy as np

    margin = _SEARCH + _WINDOW
    sound = np.concatenate([np.zeros(margin), np.array(samples, np.float64), np.zeros(margin + _HOP)])
    window = np.hanning(_WINDOW + 1)[:-1]
    length = round(len(samples) * factor)
    made = np.zeros(length + 2 * _WINDOW)
    at = margin
    for start in range(0, length, _HOP):
        wanted = margin + round(start / factor)
        if start:
            # What would follow the last piece of itself, and the place near by that is most like it.
            follows = sound[at + _HOP : at + _HOP + _WINDOW]
            near = sound[wanted - _SEARCH : wanted + _SEARCH + _WINDOW]
            likeness = np.correlate(near, follows, "valid")
            energy = np.convolve(near**2, np.ones(_WINDOW), "valid")
            wanted += int(np.argmax(likeness / np.sqrt(energy + 1.0))) - _SEARCH
        at = wanted
        made[start : start + _WINDOW] += window * sound[at : at + _WINDOW]
    return array("h", np.clip(made[:length], -32768, 32767).astype("<i2").tobytes())
