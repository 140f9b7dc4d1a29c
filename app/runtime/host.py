"""What the host already has: its programs with their versions, and where its Asterisk keeps its modules."""

import configparser
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.runtime.tool import MINIMUM, Tool, ToolName, parse_version, version_in

PROGRAM: Mapping[ToolName, str] = {
    "asterisk": "asterisk",
    "redis": "redis-server",
    "espeak": "espeak-ng",
    "sipp": "sipp",
}
VERSION_FLAG: Mapping[ToolName, str] = {
    "asterisk": "-V",
    "redis": "--version",
    "espeak": "--version",
    "sipp": "-v",
}
# An ordinary user's PATH leaves out the folders where servers are installed.
EXTRA_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
# Without these an Asterisk cannot take a call for us, however new it is.
NEEDED_MODULES = (
    "app_audiosocket.so",
    "app_queue.so",
    "chan_pjsip.so",
    "res_agi.so",
    "res_http_websocket.so",
    "res_pjsip.so",
)
VERSION_DEADLINE_SECONDS = 10


def search_path() -> str:
    """Return PATH with the system's server folders appended."""
    return os.pathsep.join([os.environ.get("PATH", ""), *EXTRA_FOLDERS])


def version_of(name: ToolName, command: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    """Ask a program for its version; returns "" when it does not run or does not tell.

    SIPp exits with 99 after telling its version, so the exit status says nothing here.
    """
    try:
        done = subprocess.run(
            [*command, VERSION_FLAG[name]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=VERSION_DEADLINE_SECONDS,
            check=False,
            env={**os.environ, **(env or {})},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return version_in((done.stdout + done.stderr).decode("utf-8", "replace"))


def multiarch_folders() -> list[Path]:
    """Return the library folders of this host, most specific first."""
    triples = sorted(Path("/usr/lib").glob("*-linux-gnu*"))
    return [*triples, Path("/usr/lib64"), Path("/usr/local/lib"), Path("/usr/lib"), Path("/opt/asterisk/lib")]


def asterisk_directories() -> Mapping[str, str]:
    """Return the ``[directories]`` that the host's own asterisk.conf names, {} if it cannot be read."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=>", "="))
    parser.optionxform = str.lower  # type: ignore[method-assign,assignment]
    try:
        text = Path("/etc/asterisk/asterisk.conf").read_text("utf-8", "replace")
        # Asterisk marks templates as "[directories](!)", which configparser does not know.
        parser.read_string(re.sub(r"(?m)^(\[[^\]]+\])\(.*\)", r"\1", text))
    except (OSError, configparser.Error):
        return {}
    return dict(parser["directories"]) if parser.has_section("directories") else {}


def asterisk_modules_dir() -> Path | None:
    """Return the folder of the host's Asterisk modules if all that we need are in it."""
    named = asterisk_directories().get("astmoddir")
    folders = [Path(named)] if named else []
    folders += [folder / "asterisk" / "modules" for folder in multiarch_folders()]
    for folder in folders:
        if all((folder / module).is_file() for module in NEEDED_MODULES):
            return folder
    return None


def asterisk_data_dir() -> Path | None:
    """Return the folder with the host's Asterisk documentation and sounds."""
    named = asterisk_directories().get("astdatadir")
    folders = [Path(named)] if named else []
    folders += [Path("/usr/share/asterisk"), Path("/var/lib/asterisk"), Path("/usr/local/share/asterisk")]
    for folder in folders:
        if (folder / "documentation" / "core-en_US.xml").is_file():
            return folder
    return None


def find_tool(name: ToolName) -> Tool | None:
    """Return the host's program if it is there, new enough and complete."""
    program = shutil.which(PROGRAM[name], path=search_path())
    if program is None:
        return None
    version = version_of(name, [program])
    if parse_version(version) < MINIMUM[name]:
        return None
    if name == "asterisk" and (asterisk_modules_dir() is None or asterisk_data_dir() is None):
        return None
    return Tool(name=name, program=Path(program), version=version)
