"""apt in a private corner: packages with everything that they need, without root.

apt's own resolver runs with folders of its own and an empty list of installed packages, so it brings every
library down to libc. Mirror, proxies and passwords are those of the machine's apt configuration; none is
written here. Signatures are always checked.
"""

import contextlib
import platform
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from app.runtime.command import run
from app.runtime.errors import RuntimeSetupError
from app.runtime.sources import (
    INDEX_TARGETS_FORMAT,
    KEYRING_PACKAGE,
    KEYRINGS,
    Source,
    Target,
    parse_index_targets,
    parse_print_uris,
    plan_sources,
)

log = structlog.get_logger(__name__)

Progress = Callable[[str, int, int], None]

KEYRING_FOLDERS = ("/usr/share/keyrings", "/etc/apt/trusted.gpg.d", "/etc/apt/keyrings")
QUERY_DEADLINE_SECONDS = 60
UPDATE_DEADLINE_SECONDS = 300
DOWNLOAD_DEADLINE_SECONDS = 1800
NO_SPACE = re.compile(r"No space left on device|don't have enough free space|Disk quota exceeded", re.I)
NO_NETWORK = re.compile(
    r"Could not resolve|Temporary failure|Could not connect|Unable to connect|Network is unreachable|"
    r"Connection (?:refused|timed out|failed)|No route to host|Connection reset|timeout",
    re.I,
)
NOT_SIGNED = re.compile(r"NO_PUBKEY|is not signed|EXPKEYSIG|REVKEYSIG|BADSIG|gpgv|sqv|signature", re.I)


def os_release() -> dict[str, str]:
    """Return the fields of the machine's os-release, {} where there is none."""
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def find_keyring(distribution: str) -> Path:
    """Return the keyring that the distribution's packages are signed with.

    Raises:
        RuntimeSetupError: there is none on this machine.
    """
    for folder in KEYRING_FOLDERS:
        for name in KEYRINGS[distribution]:
            if (Path(folder) / name).is_file():
                return Path(folder) / name
    package = KEYRING_PACKAGE[distribution]
    raise RuntimeSetupError(
        f"the keys to check {distribution.title()}'s packages are missing: install {package} (as root: "
        f"apt-get install {package}) and start again"
    )


class PrivateApt:
    """apt-get with its own state below one folder.

    Args:
        root: the folder for lists, packages and configuration; it is made and may be deleted afterwards.
        disk: the folder to name when the disk is full.
    """

    def __init__(self, root: Path, disk: Path) -> None:
        self.root = root
        self.disk = disk
        self.archives = root / "cache" / "archives"
        self._mirror = ""

    async def prepare(self) -> None:
        """Write the private configuration.

        Raises:
            RuntimeSetupError: this machine has no apt.
        """
        for program in ("apt-get", "apt-cache", "apt-config", "dpkg", "dpkg-deb"):
            if shutil.which(program) is None:
                raise RuntimeSetupError(
                    f"{program} is not on this machine, so nothing can be unpacked: install Asterisk 18 or "
                    "newer, redis-server, espeak-ng 1.52 or newer and sipp, and start again"
                )
        for folder in ("state/lists/partial", "cache/archives/partial", "etc", "log"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        (self.root / "status").write_text("", "utf-8")
        architecture = await self.architecture()
        settings = {
            "Dir::State": self.root / "state",
            "Dir::State::status": self.root / "status",
            "Dir::Cache": self.root / "cache",
            "Dir::Log": self.root / "log",
            # The machine's own snippets may hook programs on each update; only how to fetch is taken over.
            "Dir::Etc::main": "/dev/null",
            "Dir::Etc::parts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "APT::Architecture": architecture,
            "APT::Architectures": architecture,
            "APT::Sandbox::User": "",
            "APT::Install-Recommends": "false",
            "APT::Update::Error-Mode": "any",
            "APT::Color": "0",
            "Debug::NoLocking": "1",
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
            "Acquire::http::Timeout": "20",
            "Acquire::https::Timeout": "20",
            "Dpkg::Use-Pty": "0",
        }
        fetching = await run(["apt-config", "dump", "--no-empty"], deadline_seconds=QUERY_DEADLINE_SECONDS)
        taken = [
            line
            for line in fetching.output.splitlines()
            if line.startswith("Acquire::") and not line.startswith("Acquire::IndexTargets")
        ]
        own = [f'{key} "{value}";' for key, value in settings.items()]
        (self.root / "apt.conf").write_text("\n".join([*taken, *own, ""]), "utf-8")

    async def architecture(self) -> str:
        """Return dpkg's name for this machine's architecture (``amd64``, ``arm64``)."""
        asked = await run(["dpkg", "--print-architecture"], deadline_seconds=QUERY_DEADLINE_SECONDS)
        return asked.output.strip()

    def _private(self, *args: str) -> tuple[list[str], dict[str, str]]:
        sources = [
            "-o",
            f"Dir::Etc::sourcelist={self.root}/etc/sources.list",
            "-o",
            "Dir::Etc::sourceparts=-",
        ]
        return [args[0], *sources, *args[1:]], {"APT_CONFIG": str(self.root / "apt.conf")}

    async def plans(self) -> list[list[Source]]:
        """Return the sources to try, from the machine's own apt configuration.

        Raises:
            RuntimeSetupError: it names no mirror of Debian or Ubuntu.
        """
        format_ = ["--format", INDEX_TARGETS_FORMAT, "Created-By: Packages"]
        asked = await run(["apt-get", "indextargets", *format_], deadline_seconds=QUERY_DEADLINE_SECONDS)
        targets: list[Target] = parse_index_targets(asked.output)
        codename = os_release().get("VERSION_CODENAME", "")
        plans = plan_sources(targets, codename=codename)
        if not plans:
            # Before its first update apt knows no targets, but it does know what it would fetch.
            env = {"APT_CONFIG": str(self.root / "apt.conf")}
            command = ["apt-get", "update", "--print-uris"]
            asked = await run(command, env=env, deadline_seconds=QUERY_DEADLINE_SECONDS)
            plans = plan_sources(parse_print_uris(asked.output), codename=codename)
        if not plans:
            raise RuntimeSetupError(
                "apt on this machine names no Debian or Ubuntu mirror: add one to /etc/apt/sources.list, or "
                "install Asterisk 18 or newer, redis-server, espeak-ng and sipp, and start again"
            )
        return plans

    async def update(self, sources: Sequence[Source], progress: Progress) -> None:
        """Fetch the lists of packages of these sources.

        Raises:
            RuntimeSetupError: one line that says why not and what to do.
        """
        lines = [source.line(find_keyring(source.distribution)) for source in sources]
        (self.root / "etc" / "sources.list").write_text("\n".join([*lines, ""]), "utf-8")
        self._mirror = sources[0].uri
        shutil.rmtree(self.root / "state" / "lists", ignore_errors=True)
        (self.root / "state" / "lists" / "partial").mkdir(parents=True)
        await self._apt_get(
            "update", deadline_seconds=UPDATE_DEADLINE_SECONDS, progress=progress, step="lists"
        )

    async def candidate(self, package: str) -> str:
        """Return the version that would be installed, "" if there is none."""
        command, env = self._private("apt-cache", "policy", package)
        asked = await run(command, env=env, deadline_seconds=QUERY_DEADLINE_SECONDS)
        found = re.search(r"^\s*Candidate: (\S+)", asked.output, re.MULTILINE)
        return found.group(1) if found and found.group(1) != "(none)" else ""

    async def download(self, packages: Sequence[str], progress: Progress) -> list[Path]:
        """Download the packages and all they depend on; return the files.

        Raises:
            RuntimeSetupError: one line that says why not and what to do.
        """
        await self._apt_get(
            "install",
            "--yes",
            "--download-only",
            *packages,
            deadline_seconds=DOWNLOAD_DEADLINE_SECONDS,
            progress=progress,
            step="download",
        )
        return sorted(self.archives.glob("*.deb"))

    async def _apt_get(self, *args: str, deadline_seconds: float, progress: Progress, step: str) -> None:
        command, env = self._private("apt-get", "-q", "-o", "APT::Status-Fd=1", *args)

        def on_line(line: str) -> None:
            # dlstatus:<item>:<percent>:<description>
            parts = line.split(":", 3)
            if parts[0] == "dlstatus" and len(parts) == 4:
                with contextlib.suppress(ValueError):
                    progress(step, round(float(parts[2])), 100)

        progress(step, 0, 100)
        try:
            ran = await run(command, env=env, deadline_seconds=deadline_seconds, on_line=on_line, tied=True)
        except TimeoutError as error:
            raise RuntimeSetupError(
                f"{self._mirror} did not answer within {deadline_seconds:.0f} seconds: check the network "
                "(and the proxy in apt's configuration) and start again"
            ) from error
        if ran.status != 0:
            said = "\n".join(x for x in ran.output.splitlines() if not x.startswith("dlstatus:"))
            log.warning("apt_failed", step=step, status=ran.status, output=said[-2000:])
            raise explain(said, self._mirror, self.disk)
        progress(step, 100, 100)


def explain(output: str, mirror: str, disk: Path) -> RuntimeSetupError:
    """Return in one line why apt failed and what to do, from what it printed.

    ``context["hopeless"]`` says that another suite of the mirror would fail for the same reason.
    """
    faults = [line for line in output.splitlines() if re.match(r"(E|W|Err)[:\d]", line)]
    text = "\n".join(faults) or output
    last = next((line for line in reversed(faults) if line.startswith("E:")), text.strip()[-200:])[:200]
    if NO_SPACE.search(output):
        message = f"the disk of {disk} is full: free at least 1 GB there and start again"
        return RuntimeSetupError(message, hopeless=True)
    if NO_NETWORK.search(text):
        message = (
            f"no network: {mirror} cannot be reached; check the connection (and the proxy in apt's "
            "configuration) and start again"
        )
        return RuntimeSetupError(message, hopeless=True)
    if NOT_SIGNED.search(text):
        message = (
            f"the packages of {mirror} are not signed with a key this machine trusts ({last}): update "
            "debian-archive-keyring (apt-get install debian-archive-keyring) and start again"
        )
        return RuntimeSetupError(message)
    return RuntimeSetupError(
        f"apt could not fetch the packages from {mirror} ({last}): mend that and start again"
    )
