"""Find or unpack: the programs that Huifang starts, from the host where it has them, else unpacked here."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

import structlog

from app.runtime import host
from app.runtime.apt import PrivateApt, Progress
from app.runtime.errors import RuntimeSetupError
from app.runtime.sources import Source
from app.runtime.tool import ALL_TOOLS, ESPEAK_READS_CHINESE, MINIMUM, Tool, ToolName, parse_version
from app.runtime.tree import (
    LOADER,
    MULTIARCH,
    STAMP,
    Stamp,
    disk_full,
    is_disk_full,
    probe_versions,
    read_stamp,
    remove,
    tool_in,
    unpack,
)

log = structlog.get_logger(__name__)

PACKAGES: Mapping[ToolName, tuple[str, ...]] = {
    "asterisk": ("asterisk", "asterisk-core-sounds-en-gsm"),
    "redis": ("redis-server",),
    "espeak": ("espeak-ng",),
    "sipp": ("sip-tester",),
}
# Lists, packages and the tree together, with room to spare.
NEEDED_BYTES = 900 << 20
LOCK_POLL_SECONDS = 0.1
TREE_PREFIX = "tree-"
UNFINISHED_PREFIX = "unfinished-"


def silent(name: str, done: int, total: int) -> None:
    """Show no progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AsteriskFiles:
    """Where the Asterisk in use keeps what it came with, for ``[directories]`` of its configuration."""

    modules: Path
    data: Path  # share/asterisk: documentation, without which half of the modules refuse to load; sounds
    sbin: Path

    @property
    def sounds(self) -> Path:
        """The folder of the sounds that came with Asterisk."""
        return self.data / "sounds"


@dataclass(frozen=True, slots=True)
class Runtime:
    """The programs that were asked for, ready to start."""

    folder: Path
    tools: Mapping[ToolName, Tool]
    tree: Path | None

    @classmethod
    async def ensure(
        cls, folder: Path, *, need: AbstractSet[ToolName], progress: Progress = silent
    ) -> "Runtime":
        """Return the programs needed, unpacking them into ``folder`` if the host lacks any.

        The first time takes some ten seconds and a network, later times milliseconds. Several processes
        may call this at once: one unpacks, the others wait. When cancelled, nothing half done is left
        that a later start would use.

        Args:
            folder: ``.runtime``; made if it is not there.
            need: the programs wanted. If any is missing, all that the host lacks are unpacked together.
            progress: called with a step (``wait`` for another process, ``lists``, ``download``, ``unpack``),
                the done and the total.

        Raises:
            RuntimeSetupError: one line that says what is wrong and what to do.
        """
        folder = folder.absolute()
        if ":" in str(folder) or "\n" in str(folder):
            raise RuntimeSetupError(f"the path {folder} holds a colon: move the project to a path without")
        found = await asyncio.to_thread(_from_host, need)
        missing = need - found.keys()
        if not missing:
            return cls(folder, found, None)
        ready = _complete_tree(folder, missing)
        if ready is None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                async with _locked(folder, progress):
                    # Another process may have unpacked while this one waited.
                    ready = _complete_tree(folder, missing) or await _make_tree(folder, missing, progress)
            except OSError as error:
                if is_disk_full(error):
                    raise disk_full(folder) from error
                raise RuntimeSetupError(
                    f"{folder} cannot be written ({error.strerror}): make it writable or choose another"
                ) from error
        tree, stamp = ready
        for name in missing:
            found[name] = tool_in(tree, name, architecture=stamp.architecture, version=stamp.versions[name])
        return cls(folder, found, tree)

    @classmethod
    async def present(cls, folder: Path) -> "Runtime":
        """Return the programs that are there already, fetching nothing; ``tools`` has those found."""
        folder = folder.absolute()
        found = await asyncio.to_thread(_from_host, frozenset(ALL_TOOLS))
        tree = None
        for name in ALL_TOOLS:
            ready = None if name in found else _complete_tree(folder, {name})
            if ready is not None:
                tree, stamp = ready
                version = stamp.versions[name]
                found[name] = tool_in(tree, name, architecture=stamp.architecture, version=version)
        return cls(folder, found, tree)

    def _tool(self, name: ToolName) -> Tool:
        try:
            return self.tools[name]
        except KeyError:
            raise RuntimeSetupError(f"{name} was not asked for when the runtime was made ready") from None

    @property
    def asterisk(self) -> Tool:
        """Asterisk, 18 or newer."""
        return self._tool("asterisk")

    @property
    def redis(self) -> Tool:
        """redis-server."""
        return self._tool("redis")

    @property
    def espeak(self) -> Tool:
        """espeak-ng; see ``espeak_reads_chinese``."""
        return self._tool("espeak")

    @property
    def sipp(self) -> Tool:
        """SIPp, which plays customers and agents."""
        return self._tool("sipp")

    @property
    def espeak_reads_chinese(self) -> bool:
        """Whether voice ``cmn`` may be given characters; before 1.52 only pinyin is spoken rightly."""
        return self.espeak.version_numbers >= ESPEAK_READS_CHINESE

    @property
    def asterisk_files(self) -> AsteriskFiles:
        """The folders that came with Asterisk.

        Raises:
            RuntimeSetupError: the host's Asterisk lost its modules or documentation since it was found.
        """
        tool = self.asterisk
        modules: Path | None
        data: Path | None
        if tool.loader is not None and self.tree is not None:
            modules = tool.library_path[0] / "asterisk" / "modules"
            data = self.tree / "usr" / "share" / "asterisk"
        else:
            modules, data = host.asterisk_modules_dir(), host.asterisk_data_dir()
            if modules is None or data is None:
                raise RuntimeSetupError("the host's Asterisk has lost its modules: install it again")
        return AsteriskFiles(modules=modules, data=data, sbin=tool.program.parent)


def _from_host(names: AbstractSet[ToolName]) -> dict[ToolName, Tool]:
    tools = {name: host.find_tool(name) for name in ALL_TOOLS if name in names}
    return {name: tool for name, tool in tools.items() if tool is not None}


def _complete_tree(folder: Path, names: AbstractSet[ToolName]) -> tuple[Path, Stamp] | None:
    """Return the newest complete tree that holds these programs."""
    try:
        trees = [path for path in folder.iterdir() if path.name.startswith(TREE_PREFIX)]
    except OSError:
        return None
    for tree in sorted(trees, key=lambda path: path.name, reverse=True):
        stamp = read_stamp(tree)
        if stamp is not None and names <= stamp.versions.keys() and stamp.architecture in MULTIARCH:
            return tree, stamp
    return None


@contextlib.asynccontextmanager
async def _locked(folder: Path, progress: Progress) -> AsyncIterator[None]:
    """Hold the folder's lock, waiting for whoever unpacks at the moment; the kernel frees a dead holder's."""
    with (folder / "lock").open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress("wait", 0, 1)
                await asyncio.sleep(LOCK_POLL_SECONDS)
        yield


async def _make_tree(folder: Path, missing: AbstractSet[ToolName], progress: Progress) -> tuple[Path, Stamp]:
    """Download and unpack what the host lacks; the lock is held."""
    for leftover in folder.glob(f"{UNFINISHED_PREFIX}*"):
        await asyncio.to_thread(remove, leftover)
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise RuntimeSetupError(
            f"the disk of {folder} has {free >> 20} MB free and {NEEDED_BYTES >> 20} MB are needed: free "
            "some space and start again"
        )
    names = tuple(name for name in ALL_TOOLS if name in missing or host.find_tool(name) is None)
    work = Path(tempfile.mkdtemp(prefix=UNFINISHED_PREFIX, dir=folder))
    try:
        apt = PrivateApt(work / "apt", folder)
        await apt.prepare()
        architecture = await apt.architecture()
        if architecture not in LOADER:
            raise RuntimeSetupError(
                f"there is no unpacking for {architecture}: install Asterisk 18 or newer, redis-server, "
                "espeak-ng and sipp, and start again"
            )
        source = await choose_source(apt, names, progress)
        wanted = [package for name in names for package in PACKAGES[name]]
        archives = await apt.download(wanted, progress)
        tree = work / "tree"
        await unpack(archives, tree, progress, disk=folder)
        versions = await asyncio.to_thread(probe_versions, tree, names, architecture)
        stamp = Stamp(architecture=architecture, suite=source.suite, versions=versions)
        final = folder / f"{TREE_PREFIX}{1 + _last_number(folder):03d}"
        await asyncio.to_thread(_complete, tree, stamp, final)
        log.info("runtime_unpacked", suite=source.suite, versions=dict(versions))
        return final, stamp
    finally:
        await asyncio.to_thread(remove, work)


def _complete(tree: Path, stamp: Stamp, final: Path) -> None:
    # The stamp is written last and the name given after it: what has both is whole, even after a power cut.
    os.sync()
    with (tree / STAMP).open("w", encoding="utf-8") as file:
        file.write(stamp.to_json())
        file.flush()
        os.fsync(file.fileno())
    tree.rename(final)


def _last_number(folder: Path) -> int:
    numbers = [path.name.removeprefix(TREE_PREFIX) for path in folder.glob(f"{TREE_PREFIX}*")]
    return max((int(number) for number in numbers if number.isdecimal()), default=0)


async def choose_source(apt: PrivateApt, names: Sequence[ToolName], progress: Progress) -> Source:
    """Fetch lists until a source has all programs new enough; leaves apt with the lists of that source.

    A source whose only lack is an espeak-ng that needs pinyin is taken when no other is better.

    Raises:
        RuntimeSetupError: no source has them; the first failure is told.
    """
    failure: RuntimeSetupError | None = None
    second_best: Sequence[Source] | None = None
    for sources in await apt.plans():
        try:
            await apt.update(sources, progress)
        except RuntimeSetupError as error:
            if error.context.get("hopeless"):
                raise
            failure = failure or error
            continue
        lacking = set()
        for name in names:
            candidate = parse_version(await apt.candidate(PACKAGES[name][0]))
            if candidate < MINIMUM[name]:
                lacking.add(name)
        if not lacking:
            return sources[0]
        if lacking == {"espeak"}:
            second_best = second_best or sources
        failure = failure or RuntimeSetupError(
            f"{sources[0].uri} {sources[0].suite} has no {' and no '.join(sorted(lacking))} new enough: "
            "install Asterisk 18 or newer, redis-server, espeak-ng and sipp, and start again"
        )
    if second_best is not None:
        await apt.update(second_best, progress)
        return second_best[0]
    assert failure is not None
    raise failure
