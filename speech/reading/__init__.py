"""What a recogniser wrote, made fit to read; and what in it must not be kept."""

from speech.reading.model import Reading, Span
from speech.reading.reader import legible, read

__all__ = ["Reading", "Span", "legible", "read"]
