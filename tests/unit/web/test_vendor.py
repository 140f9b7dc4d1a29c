"""Third-party scripts are what the lock file says, and the pages stay small."""

import hashlib
import json
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
    for asset in read_lock():
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
    ]


def test_a_difference_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "assets.lock.json"
    entry = {"package": "x", "version": "1", "licence": "MIT", "sha256": "0"}
    entry |= {"files": [{"source": "x.js", "target": "x.js", "sha256": "0"}]}  # type: ignore[dict-item]
    lock.write_text(json.dumps({"assets": [entry]}))
    monkeypatch.setattr(vendor, "VENDOR", tmp_path / "vendor")
    monkeypatch.setattr(vendor, "read_lock", lambda: read_lock(lock))
    monkeypatch.setattr(vendor.differences, "__defaults__", (tmp_path / "vendor",))
    assert vendor.main(["--check"]) == 1


def test_the_style_sheet_and_a_first_visit_stay_small() -> None:
    sheet = (STATIC / "css/app.css").stat().st_size
    scripts = sum(path.stat().st_size for path in (STATIC / "js").glob("*.js"))
    vendored = sum(path.stat().st_size for path in vendor.VENDOR.rglob("*.js"))
    assert sheet < 30 * KIB
    assert sheet + scripts + vendored + 60 * KIB < 300 * KIB


def test_no_script_parses_text_as_markup_but_the_one_that_reads_our_own_pages() -> None:
    for path in (STATIC / "js").glob("*.js"):
        if path.name == "own_page.js":
            continue
        source = path.read_text("utf-8")
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser"):
            assert way not in source, f"{path.name}: {way}"
