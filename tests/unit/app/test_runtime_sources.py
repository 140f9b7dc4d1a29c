"""Which mirror and suite the private runtime comes from, for each kind of machine."""

from pathlib import Path

import pytest

from app.runtime.sources import Source, Target, parse_index_targets, parse_print_uris, plan_sources

pytestmark = pytest.mark.unit

MIRROR = "http://mirror.example/debian/"
SECURITY = "http://mirror.example/debian-security/"
DEBIAN_12 = [
    Target(SECURITY, "bookworm-security", "main", "Debian", "Debian-Security"),
    Target(MIRROR, "bookworm", "main", "Debian", "Debian"),
    Target(MIRROR, "bookworm-updates", "main", "Debian", "Debian"),
    Target("https://apt.vendor.example/debian/", "bookworm", "main", "Vendor", "Vendor"),
]


def suites(plans: list[list[Source]]) -> list[list[tuple[str, str]]]:
    return [[(source.uri, source.suite) for source in plan] for plan in plans]


def test_debian_12_takes_a_later_suite_of_its_own_mirror() -> None:
    plans = plan_sources(DEBIAN_12, codename="bookworm")

    assert suites(plans) == [[(MIRROR, "forky")], [(MIRROR, "sid")]]


def test_a_release_with_asterisk_takes_its_own_suite_first() -> None:
    targets = [Target(MIRROR, "forky", "main", "Debian", "Debian")]

    assert suites(plan_sources(targets, codename="forky"))[0] == [(MIRROR, "forky")]


def test_a_release_after_that_takes_its_own_suite_too() -> None:
    targets = [Target(MIRROR, "duke", "main", "Debian", "Debian")]

    assert suites(plan_sources(targets, codename="duke"))[0] == [(MIRROR, "duke")]


def test_ubuntu_takes_its_own_suites_with_universe() -> None:
    archive = "http://mirror.example/ubuntu/"
    targets = [
        Target(archive, "noble", "main", "Ubuntu", "Ubuntu"),
        Target(archive, "noble", "universe", "Ubuntu", "Ubuntu"),
        Target(archive, "noble-updates", "main", "Ubuntu", "Ubuntu"),
        Target("https://ppa.example/ubuntu/", "noble", "main", "LP-PPA", "LP-PPA"),
    ]

    plans = plan_sources(targets, codename="noble")

    assert suites(plans) == [[(archive, "noble"), (archive, "noble-updates")]]
    assert plans[0][0].components == ("main", "universe")
    assert "ubuntu-archive" in plans[0][0].line(Path("/k/ubuntu-archive-keyring.gpg"))


def test_before_the_first_update_the_addresses_decide() -> None:
    text = (
        f"'{MIRROR}dists/bookworm/InRelease' mirror_InRelease 0 \n"
        f"'{MIRROR}dists/bookworm-updates/InRelease' mirror_updates_InRelease 0 \n"
        f"'{SECURITY}dists/bookworm-security/InRelease' security_InRelease 0 \n"
        "'https://vendor.example/linux/debian/dists/bookworm/InRelease' vendor_InRelease 0 \n"
        f"'{MIRROR}dists/bookworm/main/binary-amd64/Packages.xz' mirror_Packages 0 \n"
    )

    plans = plan_sources(parse_print_uris(text), codename="bookworm")

    # The vendor's comes last; its signature would not fit anyway.
    assert [plan[0].uri for plan in plans] == [MIRROR, MIRROR, *["https://vendor.example/linux/debian/"] * 2]


def test_no_mirror_means_no_plan() -> None:
    targets = [Target("https://apt.vendor.example/", "stable", "main", "Vendor", "Vendor")]

    assert plan_sources(targets, codename="bookworm") == []


def test_index_targets_are_parsed_and_odd_lines_left_out() -> None:
    text = f"{MIRROR}|bookworm|main|Debian|Debian\n\nW: something\n|x|y|z|w\n"

    assert parse_index_targets(text) == [Target(MIRROR, "bookworm", "main", "Debian", "Debian")]


@pytest.mark.parametrize(
    "uri",
    ["http://snapshot.example/archive/debian/", "http://mirror.example/archive/debian/20250520T000000Z"],
)
def test_only_a_snapshot_may_be_past_its_date(uri: str) -> None:
    snapshot = Source(distribution="debian", uri=uri, suite="forky").line(Path("/k.gpg"))
    mirror = Source(distribution="debian", uri=MIRROR, suite="forky").line(Path("/k.gpg"))

    assert snapshot == f"deb [signed-by=/k.gpg check-valid-until=no] {uri} forky main"
    assert mirror == f"deb [signed-by=/k.gpg] {MIRROR} forky main"
