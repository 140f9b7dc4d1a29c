"""Which of the possible sources the programs are unpacked from."""

from collections.abc import Mapping, Sequence

import pytest

from app.runtime.apt import PrivateApt, Progress
from app.runtime.errors import RuntimeSetupError
from app.runtime.packages import choose_source, silent
from app.runtime.sources import Source
from app.runtime.tool import ALL_TOOLS

pytestmark = pytest.mark.unit

ALL_NEW = {
    "asterisk": "1:22.10.1+dfsg-1",
    "redis-server": "5:8.0.6-1",
    "espeak-ng": "1.52.0+dfsg-5",
    "sip-tester": "1:3.8.0-1",
}


class FakeApt(PrivateApt):
    """Suites with their candidates; an error instead of a suite's packages is raised by its update."""

    def __init__(self, suites: Mapping[str, Mapping[str, str] | RuntimeSetupError]) -> None:
        self.suites = suites
        self.updated: list[str] = []

    async def plans(self) -> list[list[Source]]:
        return [[Source(distribution="debian", uri="http://m", suite=suite)] for suite in self.suites]

    async def update(self, sources: Sequence[Source], progress: Progress) -> None:
        self.updated.append(sources[0].suite)
        packages = self.suites[sources[0].suite]
        if isinstance(packages, RuntimeSetupError):
            raise packages

    async def candidate(self, package: str) -> str:
        packages = self.suites[self.updated[-1]]
        assert not isinstance(packages, RuntimeSetupError)
        return packages.get(package, "")


async def choose(apt: FakeApt) -> str:
    return (await choose_source(apt, ALL_TOOLS, silent)).suite


async def test_the_first_source_with_everything_is_taken() -> None:
    apt = FakeApt({"forky": ALL_NEW, "sid": ALL_NEW})

    assert await choose(apt) == "forky"
    assert apt.updated == ["forky"]


async def test_a_source_that_fails_or_is_too_old_is_passed_over() -> None:
    old = {**ALL_NEW, "asterisk": "1:16.28.0"}

    assert await choose(FakeApt({"a": RuntimeSetupError("404"), "b": old, "c": {}, "d": ALL_NEW})) == "d"


async def test_an_old_espeak_alone_is_better_than_nothing() -> None:
    noble = {**ALL_NEW, "asterisk": "1:20.6.0", "espeak-ng": "1.51+dfsg-12"}
    apt = FakeApt({"noble": noble, "broken": RuntimeSetupError("404")})

    assert await choose(apt) == "noble"
    assert apt.updated[-1] == "noble"  # apt is left with the lists of the chosen one


async def test_without_a_network_the_other_sources_are_not_tried() -> None:
    apt = FakeApt({"forky": RuntimeSetupError("no network", hopeless=True), "sid": ALL_NEW})

    with pytest.raises(RuntimeSetupError, match="no network"):
        await choose(apt)
    assert apt.updated == ["forky"]


async def test_when_no_source_fits_the_first_reason_is_told() -> None:
    apt = FakeApt({"trixie": {**ALL_NEW, "asterisk": ""}, "sid": RuntimeSetupError("404")})

    with pytest.raises(RuntimeSetupError, match="trixie has no asterisk new enough: install Asterisk 18"):
        await choose(apt)
