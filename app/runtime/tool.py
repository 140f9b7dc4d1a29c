"""One program and how to start it: the host's as it is, an unpacked one through its own loader."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

ToolName = Literal["asterisk", "redis", "espeak", "sipp"]
ALL_TOOLS: tuple[ToolName, ...] = ("asterisk", "redis", "espeak", "sipp")

# espeak-ng before 1.52 speaks Chinese characters as garbage; such a one is only good for pinyin.
ESPEAK_READS_CHINESE = (1, 52)
MINIMUM: Mapping[ToolName, tuple[int, ...]] = {
    "asterisk": (18,),
    "redis": (6,),
    "espeak": ESPEAK_READS_CHINESE,
    "sipp": (3, 5),
}


_VERSION = re.compile(r"(?<![\w.])(?:\d+:)?v?(\d+(?:\.\d+)*)")


def version_in(text: str) -> str:
    """Return the first dotted number in a program's version line or a Debian version, "" if there is none.

    An epoch in front (``1:22.10``) is left out.
    """
    found = _VERSION.search(text)
    return found.group(1) if found else ""


def parse_version(text: str) -> tuple[int, ...]:
    """Return ``version_in`` as numbers that compare, () if there is none."""
    return tuple(int(part) for part in version_in(text).split(".") if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A program that can be started.

    Attributes:
        program: the executable file.
        version: as the program tells it, for example ``22.10.1``.
        loader: the tree's dynamic loader, ``None`` for a program of the host.
        library_path: folders that the loader searches, only with a loader.
        environment: variables that the program needs besides those of the caller.
    """

    name: ToolName
    program: Path
    version: str
    loader: Path | None = None
    library_path: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def from_host(self) -> bool:
        """Whether the host's own program is used."""
        return self.loader is None

    @property
    def version_numbers(self) -> tuple[int, ...]:
        """The version as numbers, to compare."""
        return parse_version(self.version)

    def command(self, *args: str | Path) -> list[str]:
        """Return the command line that starts the program with these arguments."""
        rest = [str(arg) for arg in args]
        if self.loader is None:
            return [str(self.program), *rest]
        path = ":".join(str(folder) for folder in self.library_path)
        return [str(self.loader), "--library-path", path, str(self.program), *rest]

    def env(self) -> dict[str, str]:
        """Return the variables to add to the environment of the program."""
        return dict(self.environment)
