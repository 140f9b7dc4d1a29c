"""From what a recogniser wrote to what people read."""

from speech.reading.model import Cell, Reading, changed, finish
from speech.reading.numbers import changes_of
from speech.reading.sensitive import hidden, sensitive
from speech.reading.tidy import joined, readable, simplified

MAX_CHARACTERS = 100_000
"""Of a longer text the rest stands as it is: nobody speaks that much in one breath."""

_TURNS = 8


def legible(raw: str) -> str:
    """Return a text fit to read in which no identity or bank card stands. Never fails.

    Of a number that goes on in the next text, :class:`speech.reading.sensitive.Watch` knows.
    """
    return read(hidden(raw, sensitive(raw))).text


def read(raw: str) -> Reading:
    """Return a recogniser's text fit to read. Never fails; reading what was read changes nothing.

    Traditional characters become simplified, blanks between Chinese words go, numbers that a reader expects
    in digits become digits; indefinite numbers and idioms stay words. Takes time in proportion to the text.
    """
    cells = simplified(joined(readable(raw[:MAX_CHARACTERS])))
    for _ in range(_TURNS):
        changes = changes_of("".join(cell.text for cell in cells))
        if not changes:
            break
        cells = changed(cells, changes)
    if len(raw) > MAX_CHARACTERS:
        cells = [*cells, Cell(raw[MAX_CHARACTERS:], MAX_CHARACTERS, len(raw))]
    return finish(cells, raw)
