"""A third engine, in one file: says how much it heard, or misbehaves as its model's folder tells it to.

The file ``behave`` of the folder holds one word; it is loaded by a real recogniser's process.
"""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from speech.engines import Engine, EngineKind, Listener, ModelUnfit
from speech.ports import SAMPLE_RATE, PieceKind
from speech.wire import Said

KIND = EngineKind(
    module="tests.support.echo_engine",
    library="echo",
    streaming=True,
    partials=False,
    word_times=False,
    phrases=True,
    piece_seconds=0.1,
    silent_for=timedelta(seconds=2),
)


def load(folder: Path, *, threads: int, warm: int) -> Engine:
    """Load, or fail in one of the ways in which engines fail."""
    behave = (folder / "behave").read_text(encoding="utf-8").strip()
    if behave == "damaged":
        raise ModelUnfit("graph/HCLG.fst is cut short")
    if behave == "no library":
        raise ImportError("libecho.so: cannot open shared object file")
    if behave == "abort":
        os.write(2, "ERROR (VoskAPI:ReadDataFiles) 模型\n".encode())
        os.abort()
    if behave == "disk full":
        raise shutil.Error([("model.conf", "copy", "[Errno 28] No space left on device")])
    if behave == "never loads":
        time.sleep(600)
    if behave == "prints":
        os.write(1, b"LOG a library prints to the standard output\n")
        print("and again")
    return EchoEngine(behave)


class EchoEngine:
    """Implements :class:`speech.engines.Engine`."""

    def __init__(self, behave: str) -> None:
        self._behave = behave
        self._kept: list[bytes] = []

    def listener(self, language: str, phrases: Sequence[str], *, thorough: bool) -> Listener:
        """Return an ear."""
        return EchoListener(self._behave, self._kept, phrases, thorough)

    def release(self, listener: Listener) -> None:
        """Nothing is kept."""

    def prepare(self) -> bool:
        """Nothing has to be."""
        return False


class EchoListener:
    """Implements :class:`speech.engines.Listener`: a final at each full second."""

    def __init__(self, behave: str, kept: list[bytes], phrases: Sequence[str], thorough: bool) -> None:
        self._behave = behave
        self._kept = kept
        self._says = " ".join((*phrases, *(["thorough"] if thorough else [])))
        self._heard = 0

    def hear(self, pcm: bytes) -> Iterator[Said]:
        """Say each second that is full, or misbehave."""
        if self._behave == "hangs":
            time.sleep(600)
        if self._behave == "slow":
            time.sleep(0.02)
        if self._behave == "breaks":
            raise RuntimeError("a defect of the engine")
        if self._behave == "grows":
            self._kept.append(os.urandom(8 << 20))
        before, self._heard = self._heard, self._heard + len(pcm) // 2
        for second in range(before // SAMPLE_RATE, self._heard // SAMPLE_RATE):
            yield Said(
                kind=PieceKind.FINAL,
                text=f"第{second + 1}秒 {self._says}".strip(),
                start=float(second),
                end=float(second + 1),
            )

    def finish(self) -> Iterator[Said]:
        """Say what is left."""
        rest = self._heard % SAMPLE_RATE
        if rest:
            whole = self._heard // SAMPLE_RATE
            end = self._heard / SAMPLE_RATE
            yield Said(kind=PieceKind.FINAL, text=f"完 {rest}", start=float(whole), end=end)
