"""Which mirror and which suite the packages come from: decided from the machine's own apt configuration."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Debian releases that were made without an Asterisk, or with one too old; the next one has it again.
DEBIAN_WITHOUT_ASTERISK = ("buster", "bullseye", "bookworm", "trixie")
DEBIAN_WITH_ASTERISK = ("forky", "sid")
KEYRINGS: Mapping[str, tuple[str, ...]] = {
    "debian": ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp"),
    "ubuntu": ("ubuntu-archive-keyring.gpg", "ubuntu-archive-keyring.pgp"),
}
KEYRING_PACKAGE: Mapping[str, str] = {"debian": "debian-archive-keyring", "ubuntu": "ubuntu-keyring"}

INDEX_TARGETS_FORMAT = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)|$(LABEL)"


@dataclass(frozen=True, slots=True)
class Target:
    """One suite in the machine's own apt configuration; origin is "" where apt has no lists yet."""

    uri: str
    suite: str
    component: str = "main"
    origin: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One suite of a mirror to take packages from."""

    distribution: str  # debian | ubuntu
    uri: str
    suite: str
    components: tuple[str, ...] = ("main",)

    def line(self, keyring: Path) -> str:
        """Return the line for sources.list; packages must be signed with a key of this keyring."""
        options = f"signed-by={keyring}"
        if re.search(r"snapshot|/\d{8}T\d{6}Z", self.uri):
            # A snapshot keeps the Release file of its day, which has expired since.
            options += " check-valid-until=no"
        return f"deb [{options}] {self.uri} {self.suite} {' '.join(self.components)}"


def parse_index_targets(text: str) -> list[Target]:
    """Parse ``apt-get indextargets`` in the format of ``INDEX_TARGETS_FORMAT``."""
    rows = [line.split("|") for line in text.splitlines()]
    return [Target(*fields) for fields in rows if len(fields) == 5 and fields[0]]


def parse_print_uris(text: str) -> list[Target]:
    """Parse ``apt-get update --print-uris``, which knows the mirrors even before the first update."""
    found = re.findall(r"^'([^' ]+/)dists/([^' ]+?)/?InRelease'", text, re.MULTILINE)
    return [Target(uri, suite) for uri, suite in found]


def plan_sources(targets: Sequence[Target], *, codename: str) -> list[list[Source]]:
    """Return the sets of sources to try, best first, from the mirrors the machine uses.

    Debian's releases up to 13 have no Asterisk of use, so a later suite of the same mirror is taken;
    elsewhere the machine's own suites are. Mirrors of third parties are left out by their origin or, where
    apt has no lists yet, by their address; a wrong guess fails the signature check and costs a try.
    """
    plans: list[list[Source]] = []
    debian = [t for t in targets if (t.origin, t.label) == ("Debian", "Debian")]
    debian = debian or [t for t in targets if not t.origin and _main_debian_suite(t)]
    own = "" if codename in DEBIAN_WITHOUT_ASTERISK else codename
    for uri in _shortest_first(t.uri for t in debian):
        own_here = own and any(t.uri == uri and t.suite == own for t in debian)
        suites = dict.fromkeys([*([own] if own_here else []), *DEBIAN_WITH_ASTERISK])
        plans += [[Source(distribution="debian", uri=uri, suite=suite)] for suite in suites]
    ubuntu = [t for t in targets if t.origin == "Ubuntu"]
    ubuntu = ubuntu or [t for t in targets if not t.origin and "ubuntu" in t.uri]
    suites_of_ubuntu = sorted({(t.uri, t.suite) for t in ubuntu if t.suite.split("-")[0] == codename})
    if suites_of_ubuntu:
        of_ubuntu = [
            Source(distribution="ubuntu", uri=uri, suite=suite, components=("main", "universe"))
            for uri, suite in suites_of_ubuntu
        ]
        # A Debian mirror on an Ubuntu machine is a guest: the machine's own suites come first.
        plans.insert(0, of_ubuntu)
    return plans


def _main_debian_suite(target: Target) -> bool:
    return "debian" in target.uri and "debian-" not in target.uri and "-" not in target.suite


def _shortest_first(uris: Iterable[str]) -> list[str]:
    return sorted(set(uris), key=lambda uri: (uri.rstrip("/").count("/"), uri))
