"""Whether what callers said lies encrypted on the disk: the system's encryption, looked at from here.

Files are not encrypted one by one: recognisers, waveforms and ranges of bytes read them all day, and the key
would lie beside them. A disk or folder that the system encrypts (LUKS, gocryptfs, eCryptfs) protects what is
lost or stolen just as well, the database with it.
"""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from app.doctor.findings import Finding
from app.doctor.inputs import DoctorInputs

NAME = "encryption"
ENCRYPTED = frozenset({"ecryptfs", "fuse.gocryptfs", "fuse.cryfs", "fuse.encfs", "fuse.securefs"})
UNTOLD = frozenset({"zfs", "nfs", "nfs4", "cifs", "ceph", "fuse.sshfs", "overlay"})
"""File systems that may be encrypted out of our sight."""
MOST_DEVICES = 50


async def check_encryption(inputs: DoctorInputs) -> Sequence[Finding]:
    """Whether the data folder is on an encrypted disk, where the settings want that."""
    if not inputs.encrypted:
        return ()
    folder = inputs.data_dir
    found = await asyncio.to_thread(is_encrypted, folder)
    mend = "move it to an encrypted disk (LUKS) or folder (gocryptfs); docs/privacy.md says how"
    if found is None:
        said = f"it cannot be told from here whether {folder} is encrypted"
        return [Finding.warning(NAME, said, "make sure of it where that file system is kept")]
    if not found:
        return [Finding.error(NAME, f"{folder} is on a disk that is not encrypted", mend)]
    return [Finding.good(NAME, f"{folder} is on an encrypted disk")]


def is_encrypted(
    folder: Path,
    *,
    mounts: Path = Path("/proc/self/mountinfo"),
    blocks: Path = Path("/sys/dev/block"),
) -> bool | None:
    """Tell whether a folder's file system is encrypted; ``None`` where that cannot be known."""
    try:
        place = folder.resolve()
        while not place.exists():
            place = place.parent
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    best: tuple[int, str, str, str] | None = None
    for line in lines:
        before, _, behind = line.partition(" - ")
        fields, kind = before.split(), behind.split()
        if len(fields) < 5 or len(kind) < 2:
            continue
        point = Path(_unescaped(fields[4]))
        holds = place == point or point in place.parents
        # A later mount covers an earlier one at the same place.
        if holds and (best is None or len(point.parts) >= best[0]):
            best = (len(point.parts), fields[2], kind[0], kind[1])
    if best is None:
        return None
    _, device, kind_of, source = best
    if kind_of in ENCRYPTED:
        return True
    if kind_of in UNTOLD:
        return None
    if not (blocks / device).exists():
        # btrfs and the like have a number of their own: the device is named beside it.
        try:
            number = Path(source).stat().st_rdev if source.startswith("/dev/") else 0
        except OSError:
            number = 0
        if not number:
            return None
        device = f"{os.major(number)}:{os.minor(number)}"
    return _is_crypt(blocks / device)


def _is_crypt(device: Path) -> bool | None:
    """Whether a block device, or every one that it lies on, is a crypt of the device mapper."""
    if not device.exists():
        return None
    todo, seen, plain = [device], 0, False
    while todo and seen < MOST_DEVICES:
        one = todo.pop()
        seen += 1
        try:
            uuid = (one / "dm" / "uuid").read_text(encoding="ascii", errors="replace")
        except OSError:
            uuid = ""
        if uuid.startswith("CRYPT-"):
            continue
        below = list((one / "slaves").iterdir()) if (one / "slaves").is_dir() else []
        if below:
            todo += below
        else:
            plain = True
    return not plain


def _unescaped(text: str) -> str:
    """Spaces and the like stand in octal there."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
