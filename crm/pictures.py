"""Checks what people send as a photo or a scan, and makes of it what is kept.

A picture is decoded whole and written anew: what is kept holds the pixels and nothing else, no EXIF, no place
where it was taken, nothing in front of it, behind it or hidden between. Everything here is CPU work for a
thread; nothing touches a file.
"""

import io
import zipfile
from dataclasses import dataclass
from enum import StrEnum

from PIL import Image, ImageOps, UnidentifiedImageError

from kernel.errors import Invalid

MAX_BYTES = 15 * 1024 * 1024
MAX_EDGE = 12_000
MAX_PIXELS = 64_000_000
"""Of a JPEG, which is read at a smaller scale; no telephone's camera makes more by default."""
MAX_PIXELS_WHOLE = 24_000_000
"""Of the other kinds, which have to be held whole."""
KEPT_EDGE = 2560
THUMB_EDGE = 320
_FORMATS = ("JPEG", "PNG", "WEBP")
_HEADS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF")
_PDF_HEAD = b"%PDF-1."
_PDF_END = b"%%EOF"
_END = 1024
_FOREIGN = (b"<html", b"<script", b"<!doctype", b"<iframe", b"<?php", b"%pdf-")
"""What makes a file something else at the same time; at least five bytes, so that chance writes none."""
_PDF_FOREIGN = (
    b"<html",
    b"<script",
    b"<!doctype",
    b"/javascript",
    b"/launch",
    b"/embeddedfile",
    b"/richmedia",
)


class BadFile(Invalid):
    """It is not what it claims to be, or too much of it."""

    code = "bad_file"


class MediaType(StrEnum):
    """What is kept."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    WEBP = "image/webp"
    PDF = "application/pdf"

    @property
    def is_picture(self) -> bool:
        """Whether pages may show it in their midst."""
        return self is not MediaType.PDF

    @property
    def extension(self) -> str:
        """The end of a name under which it is handed out."""
        return {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}.get(self.value, "pdf")


# Telephones write several pictures into one JPEG (MPO); the first is the photo.
_KIND = {"JPEG": MediaType.JPEG, "MPO": MediaType.JPEG, "PNG": MediaType.PNG, "WEBP": MediaType.WEBP}

# Sizes are checked below before anything is decoded, and more strictly; the library's own check only warns.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is stored of a file; ``thumbnail`` is a small JPEG of a picture."""

    content: bytes
    media_type: MediaType
    width: int | None = None
    height: int | None = None
    thumbnail: bytes | None = None


def read_file(raw: bytes, *, allow_pdf: bool) -> Kept:
    """Return what is to be kept of what somebody sent.

    Raises:
        BadFile: empty, too large, no picture (or PDF, where one is allowed), damaged, or something else too.
    """
    if not raw:
        raise BadFile("the file is empty", field="file")
    if len(raw) > MAX_BYTES:
        raise BadFile(f"a file is {MAX_BYTES // 1024 // 1024} MB at the most", field="file")
    if raw.startswith(_PDF_HEAD):
        if not allow_pdf:
            raise BadFile("a PDF is taken only as a scan of paper", field="file")
        return _pdf(raw)
    if not raw.startswith(_HEADS):
        kinds = "JPEG, PNG, WebP or PDF" if allow_pdf else "JPEG, PNG or WebP"
        raise BadFile(f"not a {kinds} file", field="file")
    _check_foreign(raw, _FOREIGN)
    return _picture(raw)


def _pdf(raw: bytes) -> Kept:
    if _PDF_END not in raw[-_END:]:
        raise BadFile("the PDF is cut off", field="file")
    _check_foreign(raw, _PDF_FOREIGN)
    return Kept(content=raw, media_type=MediaType.PDF)


def _check_foreign(raw: bytes, marks: tuple[bytes, ...]) -> None:
    lowered = raw.lower()
    if any(mark in lowered for mark in marks) or zipfile.is_zipfile(io.BytesIO(raw)):
        raise BadFile("the file is something else at the same time", field="file")


def _picture(raw: bytes) -> Kept:
    try:
        with Image.open(io.BytesIO(raw), formats=_FORMATS) as opened:
            return _anew(opened)
    except BadFile:
        raise
    except UnidentifiedImageError as error:
        raise BadFile("the picture cannot be read", field="file") from error
    except Exception as error:  # the border: a decoder over hostile bytes raises whatever it stumbles over
        raise BadFile("the picture is damaged", field="file") from error


def _anew(opened: Image.Image) -> Kept:
    kind = _KIND[opened.format or ""]
    width, height = opened.size
    most = MAX_PIXELS if kind is MediaType.JPEG else MAX_PIXELS_WHOLE
    if max(width, height) > MAX_EDGE or width * height > most:
        raise BadFile(f"the picture has too many pixels: {width} × {height}", field="file")
    # A large JPEG is decoded at a half, a quarter or an eighth; all of its data is read all the same.
    opened.draft("RGB", (KEPT_EDGE, KEPT_EDGE))
    opened.load()
    picture = ImageOps.exif_transpose(opened)
    transparent = picture.mode in {"LA", "PA", "RGBA", "La", "RGBa"} or "transparency" in picture.info
    picture = picture.convert("RGBA" if transparent and kind is not MediaType.JPEG else "RGB")
    picture.thumbnail((KEPT_EDGE, KEPT_EDGE), Image.Resampling.LANCZOS)
    clean = Image.new(picture.mode, picture.size)
    clean.paste(picture)
    return Kept(
        content=_encoded(clean, kind),
        media_type=kind,
        width=clean.width,
        height=clean.height,
        thumbnail=_thumbnail(clean),
    )


def _encoded(picture: Image.Image, kind: MediaType) -> bytes:
    out = io.BytesIO()
    match kind:
        case MediaType.JPEG:
            picture.save(out, "JPEG", quality=88, progressive=True)
        case MediaType.PNG:
            picture.save(out, "PNG")
        case _:
            picture.save(out, "WEBP", quality=88)
    return out.getvalue()


def _thumbnail(picture: Image.Image) -> bytes:
    small = picture.copy()
    small.thumbnail((THUMB_EDGE, THUMB_EDGE), Image.Resampling.LANCZOS)
    if small.mode == "RGBA":
        ground = Image.new("RGB", small.size, "white")
        ground.paste(small, mask=small.getchannel("A"))
        small = ground
    out = io.BytesIO()
    small.save(out, "JPEG", quality=80)
    return out.getvalue()
