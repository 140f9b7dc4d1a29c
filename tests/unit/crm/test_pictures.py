"""Photos and scans as people send them, honest and hostile: what is kept of them (issue «Bad input»)."""

import io
import struct
import zipfile
import zlib

import pytest
from PIL import Image
from PIL.Image import Exif

from crm.attachments import MAX_NAME, clean_name
from crm.pictures import KEPT_EDGE, MAX_BYTES, THUMB_EDGE, BadFile, MediaType, read_file
from kernel.errors import Invalid

pytestmark = pytest.mark.unit


def picture(
    kind: str = "JPEG", size: tuple[int, int] = (640, 480), mode: str = "RGB", **options: object
) -> bytes:
    """A picture with some structure, so that it is not just one colour."""
    out = io.BytesIO()
    made = Image.radial_gradient("L").resize(size).convert(mode)
    made.save(out, kind, **options)
    return out.getvalue()


def opened(raw: bytes) -> Image.Image:
    found = Image.open(io.BytesIO(raw))
    found.load()
    return found


def png_of(width: int, height: int, data: bytes) -> bytes:
    """A PNG that says it is of some size, whatever is in it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("kind", "media"),
    [("JPEG", MediaType.JPEG), ("PNG", MediaType.PNG), ("WEBP", MediaType.WEBP)],
)
def test_a_photo_is_kept_with_a_small_picture(kind: str, media: MediaType) -> None:
    kept = read_file(picture(kind), allow_pdf=False)
    assert (kept.media_type, kept.width, kept.height) == (media, 640, 480)
    assert opened(kept.content).size == (640, 480)
    assert kept.thumbnail is not None
    small = opened(kept.thumbnail)
    assert small.format == "JPEG" and max(small.size) == THUMB_EDGE


def test_where_and_with_what_it_was_taken_is_not_kept() -> None:
    exif = Exif()
    exif[0x010F] = "某品牌手机"
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[2] = (31.0, 13.0, 48.0)
    raw = picture("JPEG", (400, 200), exif=exif, comment=b"13800138000")
    assert b"Exif" in raw and b"13800138000" in raw
    kept = read_file(raw, allow_pdf=False)
    assert b"Exif" not in kept.content and b"13800138000" not in kept.content
    assert not opened(kept.content).getexif()
    assert (kept.width, kept.height) == (200, 400), "turned as the telephone was held"


def test_a_large_photo_is_kept_smaller() -> None:
    kept = read_file(picture("JPEG", (8000, 6000)), allow_pdf=False)
    assert (kept.width, kept.height) == (KEPT_EDGE, KEPT_EDGE * 3 // 4)


def test_a_cmyk_photo_becomes_one_that_browsers_show() -> None:
    kept = read_file(picture("JPEG", mode="CMYK"), allow_pdf=False)
    assert opened(kept.content).mode == "RGB"


def test_a_drawn_signature_keeps_its_transparent_ground() -> None:
    made = Image.new("RGBA", (300, 120), (0, 0, 0, 0))
    out = io.BytesIO()
    made.save(out, "PNG")
    kept = read_file(out.getvalue(), allow_pdf=False)
    assert opened(kept.content).mode == "RGBA" and kept.thumbnail is not None
    assert opened(kept.thumbnail).getpixel((5, 5)) == (255, 255, 255)


def test_telephones_that_write_two_pictures_into_one_file_are_understood() -> None:
    out = io.BytesIO()
    first = Image.radial_gradient("L").convert("RGB")
    first.save(out, "MPO", save_all=True, append_images=[first.rotate(90)])
    kept = read_file(out.getvalue(), allow_pdf=False)
    assert kept.media_type is MediaType.JPEG and opened(kept.content).format == "JPEG"


@pytest.mark.parametrize("size", [(20_000, 20_000), (12_001, 10), (100_000, 100_000), (8000, 8000)])
def test_a_png_with_too_many_pixels_is_refused_before_it_is_decoded(size: tuple[int, int]) -> None:
    row = b"\0" * (size[0] * 3 + 1)
    bomb = png_of(*size, zlib.compress(row * min(size[1], 50)))
    with pytest.raises(BadFile, match="too many pixels") as caught:
        read_file(bomb, allow_pdf=False)
    assert caught.value.field == "file"


def test_a_jpeg_of_twenty_thousand_by_twenty_thousand_is_refused() -> None:
    raw = bytearray(picture("JPEG", (64, 64)))
    at = raw.index(b"\xff\xc0")
    raw[at + 5 : at + 9] = struct.pack(">HH", 20_000, 20_000)
    with pytest.raises(BadFile, match="too many pixels"):
        read_file(bytes(raw), allow_pdf=False)


def zipped(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("../../etc/cron.d/x", content)
    return out.getvalue()


HOSTILE = {
    "nothing": b"",
    "text": "这不是照片".encode(),
    "html": b"<!DOCTYPE html><script>alert(1)</script>",
    "svg": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "gif": b"GIF89a\x01\x00\x01\x00\x00\x00\x00;",
    "bmp": b"BM" + b"\0" * 100,
    "program": b"\x7fELF" + b"\0" * 100,
    "archive": zipped(b"x"),
    "a photo and an archive": picture() + zipped(b"x"),
    "a photo and a page": picture() + b"<HTML><Script>alert(1)</script>",
    "a photo with a page in its comment": picture(comment=b"<script>alert(1)</script>"),
    "a photo and a PDF": picture(comment=b"%PDF-1.4 1 0 obj"),
    "a photo and PHP": picture() + b"<?php system($_GET[0]);",
    "the head of a JPEG only": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "the head of a PNG only": b"\x89PNG\r\n\x1a\n",
    "RIFF that is no picture": b"RIFF\x24\x00\x00\x00WAVEfmt ",
    "a photo that is cut off": picture()[:-2000],
    "a drawing that is cut off": picture("PNG")[:-500],
    "a PNG without pixels": png_of(100, 100, b"\x78\x9c"),
    "a PNG of no size": png_of(0, 0, zlib.compress(b"")),
    "a PDF where a photo belongs": b"%PDF-1.4\n%%EOF",
    "sixteen megabytes": picture() + b"\0" * MAX_BYTES,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_photo_is_refused_by_name(what: str) -> None:
    with pytest.raises(BadFile) as caught:
        read_file(HOSTILE[what], allow_pdf=False)
    assert caught.value.field == "file" and caught.value.code == "bad_file"


def test_every_cut_of_a_small_photo_is_refused_or_whole() -> None:
    for kind in ("JPEG", "PNG", "WEBP"):
        raw = picture(kind, (40, 30))
        refused = 0
        for length in range(1, len(raw), 7):
            try:
                kept = read_file(raw[:length], allow_pdf=False)
            except BadFile:
                refused += 1
            else:
                assert opened(kept.content).size == (40, 30)
        assert refused > len(raw) // 7 * 0.9


def test_what_is_hidden_behind_a_photo_is_not_kept() -> None:
    kept = read_file(picture() + b"secret trailer 13800138000", allow_pdf=False)
    assert b"secret" not in kept.content


PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n%%EOF\n"


def test_a_scan_may_be_a_pdf_and_is_kept_as_it_is() -> None:
    kept = read_file(PDF, allow_pdf=True)
    assert (kept.content, kept.media_type, kept.thumbnail) == (PDF, MediaType.PDF, None)


@pytest.mark.parametrize(
    "raw",
    [
        PDF.replace(b"%%EOF", b""),
        PDF.replace(b"endobj", b"/OpenAction << /S /JavaScript /JS (app.alert(1)) >>"),
        PDF.replace(b"endobj", b"/Launch"),
        PDF.replace(b"endobj", b"<script>alert(1)</script>"),
        PDF.replace(b"endobj", b"/EmbeddedFile"),
        b"\n" + PDF,
        PDF + zipped(b"x"),
    ],
)
def test_a_pdf_that_is_cut_off_or_does_something_is_refused(raw: bytes) -> None:
    with pytest.raises(BadFile):
        read_file(raw, allow_pdf=True)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("厨房漏水.jpg", "厨房漏水.jpg"),
        ("", "file"),
        ("50%.jpg", "50%.jpg"),
        ("a\0b\r\nContent-Type: text.jpg", "a b Content-Type text.jpg"),
        ("<img src=x onerror=alert(1)>.jpg", "img src=x onerror=alert(1).jpg"),
        ("照片\u202egpj.exe", "照片gpj.exe"),
        ("\udc80\udcff.jpg", ".jpg"),
        ("长" * 500, "长" * MAX_NAME),
    ],
)
def test_a_name_is_only_shown(given: str, shown: str) -> None:
    assert clean_name(given) == shown


@pytest.mark.parametrize(
    "path",
    [
        "../../../etc/passwd",
        "a/b.jpg",
        "/",
        "..",
        "C:\\Users\\张三\\照片.png",
        "C:photo.jpg",
        "..%2F..%2Fpasswd",
        "a%5cb.png",
    ],
)
def test_a_name_with_a_path_in_it_is_refused(path: str) -> None:
    with pytest.raises(Invalid) as caught:
        clean_name(path)
    assert caught.value.field == "file"


def test_a_name_of_a_megabyte_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        clean_name("x" * 1_000_000)
    assert caught.value.field == "name"
