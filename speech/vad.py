"""How likely each 32 ms is speech: the Silero detector, at 8 kHz."""

from pathlib import Path

import numpy as np

from speech.engines import ModelUnfit
from speech.mel import Floats
from speech.ports import SAMPLE_RATE

FRAME = 256
"""Samples of a frame: 32 ms."""

CONTEXT = 32
"""Samples of the frame before that the detector sees again."""

FRAME_SECONDS = FRAME / SAMPLE_RATE


class Detector:
    """The detector's model, loaded once; each speaker has a :class:`Voice` of it."""

    def __init__(self, path: Path) -> None:
        """Load the model.

        Raises:
            ImportError: onnxruntime is missing.
            ModelUnfit: the file cannot be read.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self.session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the library has a tree of its own, not told
            raise ModelUnfit(f"the voice detector cannot be read: {type(error).__name__}") from error


class Voice:
    """One speaker's detector, with its memory of what went before."""

    def __init__(self, detector: Detector) -> None:
        self._session = detector.session
        self._rate = np.array(SAMPLE_RATE, dtype=np.int64)
        self._state = np.zeros((2, 1, 128), np.float32)
        self._context = np.zeros(CONTEXT, np.float32)

    def probability(self, frame: Floats) -> float:
        """Return how likely the next :data:`FRAME` samples (-1 to 1) are speech."""
        window = np.concatenate((self._context, frame))
        said, self._state = self._session.run(
            None, {"input": window[None, :], "state": self._state, "sr": self._rate}
        )
        self._context = frame[-CONTEXT:]
        return float(said[0, 0])
