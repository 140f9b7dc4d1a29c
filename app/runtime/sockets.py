"""A folder for unix sockets, whose whole path the kernel limits to 107 bytes."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from app.runtime.errors import RuntimeSetupError

PATH_LIMIT_BYTES = 107
LONGEST_NAME_BYTES = 24


def socket_folder(folder: Path) -> Path:
    """Return the folder itself if sockets in it have a short enough path, else a private stand-in for it.

    The stand-in lies in the folder for temporary files, belongs to this user alone and is the same at each
    start.

    Raises:
        RuntimeSetupError: somebody else made the stand-in.
    """
    folder = folder.absolute()
    if len(os.fsencode(folder)) + 1 + LONGEST_NAME_BYTES <= PATH_LIMIT_BYTES:
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    stand_in = Path(tempfile.gettempdir()) / f"huifang-{os.getuid()}-{digest}"
    stand_in.mkdir(mode=0o700, exist_ok=True)
    found = stand_in.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise RuntimeSetupError(f"{stand_in} belongs to somebody else: delete it and start again")
    return stand_in
