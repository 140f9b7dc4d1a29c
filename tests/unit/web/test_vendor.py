"""Third-party scripts are what the lock file says, and the pages stay small."""

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

from web import vendor
from web.vendor import Asset, VendoredFile, differences, read_lock

pytestmark = pytest.mark.unit

STATIC = vendor.VENDOR.parent
KIB = 1024


def test_what_is_vendored_is_what_is_locked() -> None:
    assert differences(read_lock()) == []
    assert vendor.main(["--check"]) == 0


def test_every_package_has_its_licence_beside_it() -> None:
    for asset in (*read_lock(), *read_lock(vendor.TEST_LOCK)):
        assert asset.licence
        assert any("LICENSE" in file.target.upper() for file in asset.files), asset.package


def test_a_changed_a_missing_and_an_unknown_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "kept.js").write_text("1")
    (tmp_path / "changed.js").write_text("2")
    (tmp_path / "unknown.js").write_text("3")
    good = hashlib.sha256(b"1").hexdigest()
    files = tuple(VendoredFile(name, name, good) for name in ("kept.js", "changed.js", "gone.js"))
    found = differences((Asset("x", "1", "MIT", "", files),), tmp_path)
    assert found == [
        "changed.js differs from the lock",
        "gone.js is missing",
        "unknown.js is not in the lock",
        "kept.js.gz is not kept.js",
        "changed.js.gz is not changed.js",
    ]


def test_a_difference_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "assets.lock.json"
    entry = {"package": "x", "version": "1", "licence": "MIT", "sha256": "0"}
    entry |= {"files": [{"source": "x.js", "target": "x.js", "sha256": "0"}]}  # type: ignore[dict-item]
    lock.write_text(json.dumps({"assets": [entry]}))
    monkeypatch.setattr(vendor, "VENDOR", tmp_path / "vendor")
    monkeypatch.setattr(vendor, "LOCK", lock)
    assert vendor.main(["--check"]) == 1


IMPORTS = re.compile(r"""(?:from|import) "(\./[a-z_]+\.js)";|new URL\("(\./[a-z_]+\.js)\"""")
SHEETS = re.compile(r"static\('css/([a-z_]+\.css)'\)")
VENDORED = re.compile(r"static\('vendor/([a-z_/.]+\.js)'\)")
LARGEST_PAGE = ("agent.js", "softphone.js", "bell.js", "search.js")
"""What the agent's page begins with: it has most scripts of all."""


def scripts_of(*begin: str) -> set[Path]:
    """Return scripts and all that they import."""
    found: set[Path] = set()
    waiting = [STATIC / "js" / name for name in begin]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            names = (one or other for one, other in IMPORTS.findall(path.read_text("utf-8")))
            waiting += [path.parent / name for name in names]
    return found


def test_the_style_sheet_and_a_first_visit_stay_small() -> None:
    scripts = scripts_of(*LARGEST_PAGE)
    assert STATIC / "js" / "heartbeat.js" in scripts
    assert STATIC / "js" / "softphone_sound.js" in scripts
    templates = [STATIC.parent / "templates" / name for name in ("base.html", "agent.html")]
    names = {name for path in templates for name in SHEETS.findall(path.read_text("utf-8"))}
    assert {"app.css", "softphone.css"} <= names
    sheets = sum((STATIC / "css" / name).stat().st_size for name in names)
    packed = {name for path in templates for name in VENDORED.findall(path.read_text("utf-8"))}
    assert "jssip/jssip.min.js" in packed
    vendored = sum((vendor.VENDOR / f"{name}.gz").stat().st_size for name in packed)
    assert (STATIC / "css/app.css").stat().st_size < 30 * KIB
    page = 60 * KIB
    assert sheets + sum(path.stat().st_size for path in scripts) + vendored + page < 300 * KIB


def test_a_packed_script_that_is_another_is_named(tmp_path: Path) -> None:
    (tmp_path / "kept.js").write_text("1")
    (tmp_path / "kept.js.gz").write_bytes(gzip.compress(b"2"))
    files = (VendoredFile("kept.js", "kept.js", hashlib.sha256(b"1").hexdigest()),)
    assert differences((Asset("x", "1", "MIT", "", files),), tmp_path) == ["kept.js.gz is not kept.js"]
    (tmp_path / "kept.js.gz").write_bytes(b"no gzip")
    assert differences((Asset("x", "1", "MIT", "", files),), tmp_path) == ["kept.js.gz is not kept.js"]
    (tmp_path / "kept.js.gz").write_bytes(gzip.compress(b"1"))
    assert differences((Asset("x", "1", "MIT", "", files),), tmp_path) == []


def test_no_script_parses_text_as_markup_but_the_one_that_reads_our_own_pages() -> None:
    for path in (STATIC / "js").glob("*.js"):
        if path.name == "own_page.js":
            continue
        source = path.read_text("utf-8")
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser"):
            assert way not in source, f"{path.name}: {way}"
