"""The programs that Huifang starts: found on the host or unpacked without root, and kept running.

``Runtime.ensure`` gives the programs, ``ManagedProcess`` keeps one of them alive, ``RedisServer`` and
``AsteriskServer`` know how the two servers start, prove that they are ready, and stop.
"""

from app.runtime.errors import ProcessFailed, RuntimeSetupError
from app.runtime.packages import AsteriskFiles, Runtime
from app.runtime.tool import Tool

__all__ = ["AsteriskFiles", "ProcessFailed", "Runtime", "RuntimeSetupError", "Tool"]
