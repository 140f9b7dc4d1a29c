"""What the doctor looks at on the machine itself: programs, disk, folder, clock, ports."""

import asyncio
import contextlib
import ctypes
import errno
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.doctor.findings import Finding
from app.doctor.inputs import DoctorInputs, PortUse
from app.doctor.sockets import owners, try_bind
from app.runtime.packages import NEEDED_BYTES, Runtime
from app.runtime.tool import ALL_TOOLS, ToolName

MEGABYTE = 1 << 20
DISK_ERROR_BYTES = 200 * MEGABYTE
DISK_WARNING_BYTES = 2048 * MEGABYTE
TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
TOOL_TITLE: Mapping[ToolName, str] = {
    "asterisk": "Asterisk",
    "redis": "redis-server",
    "espeak": "espeak-ng",
    "sipp": "SIPp",
}
NEEDED_FOR: Mapping[ToolName, str] = {
    "asterisk": "18 or newer, with PJSIP, queues and AudioSocket",
    "redis": "6 or newer",
    "espeak": "1.52 or newer",
    "sipp": "only for «make call» and the tests",
}


async def check_tools(inputs: DoctorInputs) -> Sequence[Finding]:
    """Which programs are there, of which version, from where."""
    found = await Runtime.present(inputs.runtime_dir)
    can_unpack = shutil.which("apt-get") is not None
    elsewhere = {"asterisk": not inputs.private_pbx, "redis": not inputs.private_redis}
    findings = []
    for name in ALL_TOOLS:
        if name == "espeak" and inputs.espeak:
            continue  # told by the check of the voice
        title = TOOL_TITLE[name]
        tool = found.tools.get(name)
        if tool is not None:
            place = tool.program if tool.from_host else f"unpacked in {found.folder}"
            findings.append(Finding.good(title, f"{tool.version}, {place}"))
        elif elsewhere.get(name) or name == "sipp":
            findings.append(
                Finding.good(title, f"not on this machine; {NEEDED_FOR[name]} is not needed here")
            )
        elif can_unpack:
            said = f"not on this machine ({NEEDED_FOR[name]})"
            findings.append(Finding.warning(title, said, "«huifang up» (make run) unpacks it"))
        else:
            said = f"not on this machine, and no apt to unpack it ({NEEDED_FOR[name]})"
            findings.append(Finding.error(title, said, f"install {title} with the system's packages"))
    return findings


async def check_disk(inputs: DoctorInputs) -> Sequence[Finding]:
    """Room for recordings and the database; and for the programs if they are still to be unpacked."""
    findings = []
    free = shutil.disk_usage(_existing(inputs.data_dir)).free
    said = f"{free / (1 << 30):.1f} GB free for {inputs.data_dir}"
    if free < DISK_ERROR_BYTES:
        findings.append(Finding.error("disk", said, "free some space before calls are lost"))
    elif free < DISK_WARNING_BYTES:
        mend = "free some space: an hour of recordings takes about 115 MB"
        findings.append(Finding.warning("disk", said, mend))
    else:
        findings.append(Finding.good("disk", said))
    if not any(inputs.runtime_dir.glob("tree-*")):
        room = shutil.disk_usage(_existing(inputs.runtime_dir)).free
        if room < NEEDED_BYTES:
            said = f"{room // MEGABYTE} MB free for {inputs.runtime_dir}"
            mend = f"free {NEEDED_BYTES // MEGABYTE} MB if Asterisk or Redis is to be unpacked there"
            findings.append(Finding.warning("disk", said, mend))
    return findings


async def check_data_dir(inputs: DoctorInputs) -> Sequence[Finding]:
    """Whether the centre can write its files."""
    name, folder = "data folder", inputs.data_dir
    if not folder.exists():
        parent = _existing(folder)
        if os.access(parent, os.W_OK | os.X_OK):
            return [Finding.good(name, f"{folder} will be made at the first start")]
        mend = f"make it, writable for this user: install -d -o {os.getuid()} {folder} (as root)"
        return [Finding.error(name, f"{folder} is not there and cannot be made", mend)]
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"huifang")
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return [Finding.error(name, f"{folder}: the disk is full", "free some space")]
        mend = f"make it writable for this user: chown -R {os.getuid()} {folder} (as root)"
        return [Finding.error(name, f"{folder} cannot be written ({error.strerror})", mend)]
    return [Finding.good(name, f"{folder} is writable")]


async def check_clock(inputs: DoctorInputs) -> Sequence[Finding]:
    """Whether the clock can be right: not before this program was installed, and synchronised."""
    now = datetime.now(UTC)
    installed = datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)
    if now < installed:
        said = f"{now:%Y-%m-%d %H:%M} UTC is before this program was installed"
        return [Finding.error("clock", said, "set the clock (timedatectl set-ntp true)")]
    if not clock_is_synchronised():
        said = f"{now:%Y-%m-%d %H:%M:%S} UTC, not kept right by a time server"
        return [Finding.warning("clock", said, "turn time synchronisation on (timedatectl set-ntp true)")]
    return [Finding.good("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC, synchronised")]


def clock_is_synchronised() -> bool:
    """Ask the kernel; True as well where it will not tell."""
    room = ctypes.create_string_buffer(512)  # struct timex, all zero: read only
    libc = ctypes.CDLL(None, use_errno=True)
    return not (hasattr(libc, "adjtimex") and libc.adjtimex(room) == TIME_ERROR)


async def check_timezone(inputs: DoctorInputs) -> Sequence[Finding]:
    """Whether the site's time zone is known here."""
    try:
        zone = ZoneInfo(inputs.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        mend = "correct centre.timezone, or install the package tzdata"
        return [Finding.error("time zone", f"{inputs.timezone!r} is not known on this machine", mend)]
    return [Finding.good("time zone", f"{inputs.timezone}, now {datetime.now(zone):%H:%M}")]


async def check_ports(inputs: DoctorInputs) -> Sequence[Finding]:
    """Whether each port is free or held by the centre itself."""
    return await asyncio.to_thread(lambda: [_port(use, inputs) for use in inputs.ports if use.port])


def _port(use: PortUse, inputs: DoctorInputs) -> Finding:
    place = f"{use.host}:{use.port}"
    holders: set[str] = set()
    for kind in use.kinds:
        refused = try_bind(use.host, use.port, kind)
        if refused == errno.EADDRINUSE:
            held = [owner for owner in owners(use.port, kind) if owner.pid != os.getpid()]
            if held and all(_is_ours(owner.pid, owner.command, inputs) for owner in held):
                holders |= {f"{owner.name}, process {owner.pid}" for owner in held}
                continue
            by = (
                ", ".join(f"{owner.name} (process {owner.pid})" for owner in held) or "another user's program"
            )
            mend = f"stop that program, or choose another port: {use.setting} ({_variable(use.setting)})"
            return Finding.error(use.name, f"{kind.upper()} port {place} is taken by {by}", mend)
        if refused == errno.EADDRNOTAVAIL:
            mend = f"correct the address beside {use.setting}"
            return Finding.error(use.name, f"{use.host} is not an address of this machine", mend)
        if refused == errno.EACCES:
            mend = f"choose a port of 1024 or more: {use.setting} ({_variable(use.setting)})"
            return Finding.error(use.name, f"only root may use port {place}", mend)
        if refused:
            mend = f"correct {use.setting}"
            return Finding.error(use.name, f"port {place}: {os.strerror(refused)}", mend)
    if holders:
        return Finding.good(use.name, f"port {place} is held by the centre itself ({'; '.join(holders)})")
    return Finding.good(use.name, f"port {place} is free")


def _is_ours(pid: int, command: str, inputs: DoctorInputs) -> bool:
    if pid in inputs.own_pids:
        return True
    folders = (str(inputs.data_dir.absolute()), str(inputs.runtime_dir.absolute()))
    return (
        any(f"{folder}/" in f"{command}/" for folder in folders)
        or "huifang" in command.rsplit("/", maxsplit=1)[-1]
    )


def _variable(setting: str) -> str:
    return "HUIFANG_" + setting.upper().replace(".", "__")


def _existing(folder: Path) -> Path:
    """Return the folder or the nearest one above that is there."""
    for candidate in (folder.absolute(), *folder.absolute().parents):
        with contextlib.suppress(OSError):
            if candidate.is_dir():
                return candidate
    return Path("/")
