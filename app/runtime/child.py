"""Started in front of every program: ties its life to ours, then becomes it. Runs as a plain script.

The kernel sends the chosen signal when the parent dies, however it dies, so no program outlives a killed
service. This is not done between fork and exec of the service because code there, in a process with
threads, may hang.

Usage: child.py PARENT_PID DEATH_SIGNAL UID GID COMMAND [ARGUMENT...]   (UID and GID -1: stay who we are)
"""

import ctypes
import os
import resource
import sys

PR_SET_PDEATHSIG = 1
OPEN_FILES = 65536


def main() -> None:
    """Become the command; exits with 127 when it cannot be started."""
    parent, death_signal, uid, gid = (int(value) for value in sys.argv[1:5])
    command = sys.argv[5:]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if gid >= 0:
        os.setgroups([])
        os.setgid(gid)
    if uid >= 0:
        os.setuid(uid)
    # After the change of user, which clears it.
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(127)  # it died before the kernel was told
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.exit(127)


main()
