"""A signature that was drawn on a page, as a picture to keep with the case."""

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw

from kernel.errors import Invalid

UNITS = 4096
WIDTH = 1024
HEIGHT = 420
INK = 4
MAX_POINTS = 4000
LEAST = 8


def drawn_png(strokes: Sequence[Sequence[Sequence[float]]]) -> bytes:
    """Return lines of points of 0 to 4096 as a PNG. Blocking, some milliseconds.

    Raises:
        Invalid: too many points, points outside, or next to nothing drawn.
    """
    field = "signature.strokes"
    points = [point for stroke in strokes for point in stroke]
    if len(points) > MAX_POINTS:
        raise Invalid(f"at most {MAX_POINTS} points", field=field)
    if any(len(point) != 2 or not all(0 <= part <= UNITS for part in point) for point in points):
        raise Invalid(f"points are pairs of 0 to {UNITS}", field=field)
    if len({tuple(point) for point in points}) < LEAST:
        raise Invalid("nothing was drawn", field=field)
    scale = WIDTH / UNITS
    picture = Image.new("L", (WIDTH, HEIGHT), 255)
    pen = ImageDraw.Draw(picture)
    for stroke in strokes:
        line = [(x * scale, y * scale) for x, y in stroke]
        if len(line) == 1:
            line.append((line[0][0] + 1, line[0][1]))
        pen.line(line, fill=20, width=INK, joint="curve")
    held = io.BytesIO()
    picture.save(held, format="PNG")
    return held.getvalue()
