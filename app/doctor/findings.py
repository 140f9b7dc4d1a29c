"""What the doctor found: one line each, with what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # works, or will once the centre is started
    ERROR = "error"


MARK = {Level.OK: "✓", Level.WARNING: "!", Level.ERROR: "✗"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report; ``mend`` says what to do and is "" when nothing is to be done."""

    name: str
    level: Level
    message: str
    mend: str = ""

    @property
    def ok(self) -> bool:
        """Whether the centre can work with this."""
        return self.level is not Level.ERROR

    @classmethod
    def good(cls, name: str, message: str) -> "Finding":
        """Nothing to do."""
        return cls(name, Level.OK, message)

    @classmethod
    def warning(cls, name: str, message: str, mend: str) -> "Finding":
        """Works, but should be mended; or is only not running."""
        return cls(name, Level.WARNING, message, mend)

    @classmethod
    def error(cls, name: str, message: str, mend: str) -> "Finding":
        """Does not work until it is mended."""
        return cls(name, Level.ERROR, message, mend)


def format_finding(finding: Finding) -> str:
    """Return the finding as one line of text."""
    line = f"{MARK[finding.level]} {finding.name}: {finding.message}"
    if finding.mend:
        line += f" → {finding.mend}"
    return "".join(character if character.isprintable() else " " for character in line)
