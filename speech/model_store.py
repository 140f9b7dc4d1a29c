"""The models installed on this machine: a folder for each, with a list of its files and their checksums.

A model is put together beside its place and renamed into it, so it is there whole or not at all, whatever
happens on the way.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import structlog

from speech import catalogue
from speech.catalogue import CATALOGUE, MB, Entry
from speech.fetch import Progress, fetch, file_sha256
from speech.ports import ModelDamaged, ModelMissing
from speech.store_errors import StoreFull, StoreLocked
from speech.unpack import unpack

log = structlog.get_logger(__name__)

LIST = "huifang-model.json"
CACHE = ".cache"
SPARE = 100 * MB
"""So much of the disk is left to others."""


class State(StrEnum):
    """How a model stands."""

    AVAILABLE = "available"
    INSTALLED = "installed"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A model of the catalogue and how it stands here.

    Attributes:
        size: bytes on disk; of the download where it is not installed.
        wrong: what is wrong with a damaged one.
    """

    entry: Entry
    state: State
    size: int
    wrong: str = ""


def nothing_shown(stage: str, ready: int, total: int) -> None:
    """Show no progress."""


class ModelStore:
    """The folder of the models.

    Args:
        folder: made when the first model is installed.
        models: the catalogue.
    """

    def __init__(self, folder: Path, models: tuple[Entry, ...] = CATALOGUE) -> None:
        self._folder = folder
        self._models = models

    @property
    def root(self) -> Path:
        """Where the models are."""
        return self._folder

    def entry(self, name: str) -> Entry:
        """Return the catalogue's item. Raises ``ModelUnknown``."""
        return catalogue.entry(name, self._models)

    def standing(self, name: str) -> Standing:
        """Return how a model stands, by a look at its files' sizes."""
        entry = self.entry(name)
        if not (self._folder / name).is_dir():
            return Standing(entry=entry, state=State.AVAILABLE, size=entry.download_size)
        try:
            sizes = self._sizes(name)
        except ModelDamaged as error:
            return Standing(entry=entry, state=State.DAMAGED, size=0, wrong=error.message)
        return Standing(entry=entry, state=State.INSTALLED, size=sum(sizes.values()))

    def standings(self) -> tuple[Standing, ...]:
        """Return how every model of the catalogue stands."""
        return tuple(self.standing(entry.name) for entry in self._models)

    def installed(self) -> tuple[Entry, ...]:
        """Return the models that can be used, by a look at their files' sizes."""
        return tuple(one.entry for one in self.standings() if one.state is State.INSTALLED)

    def folder(self, name: str) -> Path:
        """Return where an installed model is, after a look at its files' sizes.

        Raises:
            ModelMissing: it is not installed.
            ModelDamaged: a file is missing or has another size.
        """
        place = self._folder / self.entry(name).name
        if not place.is_dir():
            raise ModelMissing(
                f"the model {name} is not installed: run «huifang speech install {name}»", model=name
            )
        self._sizes(name)
        return place

    def _sizes(self, name: str) -> dict[str, int]:
        """Return the sizes of the model's files, as they should be and are."""
        place, sizes = self._folder / name, {}
        for path, (size, _) in self._listed(name).items():
            try:
                found = (place / path).stat().st_size
            except OSError as error:
                raise _damaged(name, f"{path} is missing") from error
            if found != size:
                raise _damaged(name, f"{path} has {found} bytes instead of {size}")
            sizes[path] = size
        return sizes

    def _listed(self, name: str) -> dict[str, tuple[int, str]]:
        try:
            listed = json.loads((self._folder / name / LIST).read_text(encoding="utf-8"))["files"]
            return {str(path): (int(one["size"]), str(one["sha256"])) for path, one in listed.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(name, f"{LIST} cannot be read") from error

    async def check(self, name: str, progress: Progress = nothing_shown) -> int:
        """Read every byte of a model and compare it with its checksums; return how many files it has.

        Raises:
            ModelMissing: it is not installed.
            ModelDamaged: a file is missing or differs.
        """
        self.folder(name)
        listed = self._listed(name)
        pinned = {file.path: file.sha256 for file in self.entry(name).files}
        total, ready = sum(size for size, _ in listed.values()), 0
        for path, (size, digest) in listed.items():
            try:
                found = await asyncio.to_thread(file_sha256, self._folder / name / path)
            except OSError as error:
                raise _damaged(name, f"{path} cannot be read ({error.strerror})") from error
            if found != digest or pinned.get(path, digest) != digest:
                raise _damaged(name, f"{path} is not what was installed")
            ready += size
            progress("checking", ready, total)
        return len(listed)

    async def install(
        self, name: str, at_hand: Sequence[Path] = (), progress: Progress = nothing_shown
    ) -> bool:
        """Fetch a model and put it in place; return whether anything had to be done.

        A damaged model is replaced. Cancelling leaves nothing half-installed; what was fetched is kept
        for the next try.

        Args:
            at_hand: the archives, or folders that hold them; then nothing is fetched.

        Raises:
            ModelUnknown: the catalogue has no such model.
            DownloadFailed: an archive could not be fetched.
            WrongFile: an archive is not what the catalogue names, or is damaged.
            StoreFull: the disk has no room.
            StoreLocked: another command is at it.
        """
        entry = self.entry(name)
        async with self._locked(name):
            if self.standing(name).state is State.INSTALLED:
                try:
                    await self.check(name, progress)
                except ModelDamaged:
                    log.warning("model_damaged_replaced", model=name)
                else:
                    return False
            self._tidy(name)
            self._room(entry, fetched=not at_hand)
            cache = self._folder / CACHE / name
            cache.mkdir(parents=True, exist_ok=True)
            archives = [await fetch(archive, cache, at_hand, progress) for archive in entry.archives]
            await self._put(entry, archives, progress)
            shutil.rmtree(cache, ignore_errors=True)
        return True

    async def _put(self, entry: Entry, archives: list[Path], progress: Progress) -> None:
        fresh = self._folder / f".new-{entry.name}"
        fresh.mkdir()
        written = 0

        def report(count: int) -> None:
            nonlocal written
            written += count
            progress("unpacking", min(written, entry.unpacked), entry.unpacked)

        try:
            await asyncio.to_thread(unpack, entry, archives, fresh, report)
            files = await asyncio.to_thread(_listing, fresh)
            text = json.dumps(
                {
                    "model": entry.name,
                    "archives": [archive.sha256 for archive in entry.archives],
                    "installed_at": datetime.now(UTC).isoformat(timespec="seconds"),
                    "files": files,
                },
                indent=1,
            )
            (fresh / LIST).write_text(text, encoding="utf-8")
            await asyncio.to_thread(_sync, fresh)
            place, old = self._folder / entry.name, self._folder / f".old-{entry.name}"
            if place.exists():
                place.rename(old)
            fresh.rename(place)
            shutil.rmtree(old, ignore_errors=True)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise

    async def remove(self, name: str) -> bool:
        """Take a model away, with what was fetched of it; return whether it was there.

        Recognisers that have it in memory go on with it.
        """
        self.entry(name)
        async with self._locked(name):
            place = self._folder / name
            there = place.is_dir()
            if there:
                # Renamed first: a model is there whole or not at all.
                place.rename(self._folder / f".old-{name}")
            self._tidy(name)
            shutil.rmtree(self._folder / CACHE / name, ignore_errors=True)
        return there

    def _tidy(self, name: str) -> None:
        """Take away what a killed command left."""
        for prefix in (".new-", ".old-"):
            shutil.rmtree(self._folder / f"{prefix}{name}", ignore_errors=True)

    def _room(self, entry: Entry, *, fetched: bool) -> None:
        cached = sum(
            one.stat().st_size for one in (self._folder / CACHE / entry.name).glob("*") if one.is_file()
        )
        needed = entry.unpacked + SPARE + (max(entry.download_size - cached, 0) if fetched else 0)
        free = shutil.disk_usage(self._folder).free
        if free < needed:
            raise StoreFull(
                f"{entry.name} needs {needed // MB} MB in {self._folder}, {free // MB} MB are free: "
                "make room, or put the models elsewhere with HUIFANG_SPEECH__MODELS_DIR=…"
            )

    @contextlib.asynccontextmanager
    async def _locked(self, name: str) -> AsyncIterator[None]:
        """Hold the model's lock; it goes with the process, whatever ends that."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f".lock-{name}").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise StoreLocked(f"another command is changing {name} at the moment: wait for it") from error
            yield


def _damaged(name: str, wrong: str) -> ModelDamaged:
    return ModelDamaged(
        f"the model {name} is damaged: {wrong}: run «huifang speech install {name}»", model=name
    )


def _listing(folder: Path) -> dict[str, dict[str, object]]:
    return {
        str(path.relative_to(folder)): {"size": path.stat().st_size, "sha256": file_sha256(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _sync(folder: Path) -> None:
    """Have the files on the disk before the folder gets its name."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
