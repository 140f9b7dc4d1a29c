"""An unpacked tree of packages: how it is made, how it is recognised as complete, and the programs in it."""

import asyncio
import contextlib
import errno
import json
import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.runtime.apt import Progress
from app.runtime.command import run
from app.runtime.errors import RuntimeSetupError
from app.runtime.host import version_of
from app.runtime.tool import Tool, ToolName

STAMP = "huifang-tree.json"
STAMP_FORMAT = 1
UNPACK_DEADLINE_SECONDS = 300
# dpkg's architecture → the folder of its libraries, and the dynamic loader relative to the tree.
MULTIARCH: Mapping[str, str] = {
    "amd64": "x86_64-linux-gnu",
    "arm64": "aarch64-linux-gnu",
    "armhf": "arm-linux-gnueabihf",
    "i386": "i386-linux-gnu",
    "ppc64el": "powerpc64le-linux-gnu",
    "riscv64": "riscv64-linux-gnu",
}
LOADER: Mapping[str, str] = {
    "amd64": "lib64/ld-linux-x86-64.so.2",
    "arm64": "lib/ld-linux-aarch64.so.1",
    "armhf": "lib/ld-linux-armhf.so.3",
    "i386": "lib/ld-linux.so.2",
    "ppc64el": "lib64/ld64.so.2",
    "riscv64": "lib/ld-linux-riscv64-lp64d.so.1",
}
PROGRAM: Mapping[ToolName, str] = {
    "asterisk": "usr/sbin/asterisk",
    "redis": "usr/bin/redis-server",
    "espeak": "usr/bin/espeak-ng",
    "sipp": "usr/bin/sipp",
}
MERGED = ("bin", "sbin", "lib", "lib64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What a complete tree says of itself; the file is written last, so a tree without one is none."""

    architecture: str
    suite: str
    versions: Mapping[ToolName, str]

    def to_json(self) -> str:
        """Return the text of the stamp file."""
        fields = {
            "format": STAMP_FORMAT,
            "architecture": self.architecture,
            "suite": self.suite,
            "versions": dict(self.versions),
        }
        return json.dumps(fields, indent=2, sort_keys=True) + "\n"


def read_stamp(tree: Path) -> Stamp | None:
    """Return the stamp of a complete tree, None for anything else."""
    try:
        fields = json.loads((tree / STAMP).read_text("utf-8"))
        if fields["format"] != STAMP_FORMAT:
            return None
        return Stamp(
            architecture=str(fields["architecture"]),
            suite=str(fields["suite"]),
            versions={name: str(fields["versions"][name]) for name in PROGRAM if name in fields["versions"]},
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def tool_in(tree: Path, name: ToolName, *, architecture: str, version: str) -> Tool:
    """Return a program of the tree, started through the tree's own loader and libraries."""
    libraries = tree / "usr" / "lib" / MULTIARCH[architecture]
    environment = {}
    if (libraries / "gconv").is_dir():
        # The host's converters belong to another libc.
        environment["GCONV_PATH"] = str(libraries / "gconv")
    if name == "espeak":
        environment["ESPEAK_DATA_PATH"] = str(libraries / "espeak-ng-data")
    return Tool(
        name=name,
        program=tree / PROGRAM[name],
        version=version,
        loader=tree / LOADER[architecture],
        library_path=(libraries, libraries / "pulseaudio", tree / "usr" / "lib"),
        environment=environment,
    )


def prepare_tree(tree: Path) -> None:
    """Make the links of a merged /usr, so that old packages and new ones unpack into the same folders."""
    for name in MERGED:
        (tree / "usr" / name).mkdir(parents=True, exist_ok=True)
        (tree / name).symlink_to(f"usr/{name}")


async def unpack(packages: Sequence[Path], tree: Path, progress: Progress, *, disk: Path) -> None:
    """Unpack the packages into the tree, deleting each file as soon as it is unpacked.

    Args:
        disk: the folder to name when the disk is full.

    Raises:
        RuntimeSetupError: the disk is full or a package is damaged.
    """
    prepare_tree(tree)
    total = len(packages)
    waiting = list(packages)
    done = 0

    async def worker() -> None:
        nonlocal done
        while waiting:
            package = waiting.pop()
            command = ["dpkg-deb", "--extract", str(package), str(tree)]
            ran = await run(command, deadline_seconds=UNPACK_DEADLINE_SECONDS)
            if ran.status != 0:
                if "No space left" in ran.output or "Disk quota" in ran.output:
                    raise disk_full(disk)
                raise RuntimeSetupError(
                    f"{package.name} could not be unpacked ({ran.output.strip()[-200:]}): delete "
                    f"{disk} and start again"
                )
            package.unlink(missing_ok=True)
            done += 1
            progress("unpack", done, total)

    progress("unpack", 0, total)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(4, os.cpu_count() or 1)):
                group.create_task(worker())
    except* RuntimeSetupError as failures:
        raise failures.exceptions[0] from None
    await asyncio.to_thread(drop_privileges, tree)


def drop_privileges(tree: Path) -> None:
    """Take set-user-id and set-group-id off every file: nothing here may ever gain rights."""
    for folder, _, files in os.walk(tree):
        for name in files:
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
                os.chmod(path, stat.S_IMODE(mode) & ~(stat.S_ISUID | stat.S_ISGID))


def probe_versions(tree: Path, names: Sequence[ToolName], architecture: str) -> dict[ToolName, str]:
    """Start each program of the tree once and return what versions they tell.

    Raises:
        RuntimeSetupError: one of them does not run.
    """
    versions: dict[ToolName, str] = {}
    for name in names:
        tool = tool_in(tree, name, architecture=architecture, version="")
        versions[name] = version_of(name, tool.command(), tool.env())
        if not versions[name]:
            raise RuntimeSetupError(
                f"the unpacked {name} does not run on this machine: install it from your distribution and "
                "start again"
            )
    return versions


def disk_full(folder: Path) -> RuntimeSetupError:
    """Return the error for a full disk."""
    return RuntimeSetupError(f"the disk of {folder} is full: free at least 1 GB there and start again")


def is_disk_full(error: OSError) -> bool:
    """Whether the system refused to write for want of space."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def remove(folder: Path) -> None:
    """Delete a folder that nobody uses; what cannot be deleted stays for the next time."""
    with contextlib.suppress(OSError):
        shutil.rmtree(folder)
