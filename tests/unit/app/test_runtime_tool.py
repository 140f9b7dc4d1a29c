"""Programs: their versions, how they are started, and what a complete tree is."""

import os
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest

from app.runtime import apt
from app.runtime.apt import explain
from app.runtime.errors import RuntimeSetupError
from app.runtime.process import Backoff
from app.runtime.sockets import socket_folder
from app.runtime.tool import Tool, parse_version, version_in
from app.runtime.tree import STAMP, Stamp, drop_privileges, prepare_tree, read_stamp, tool_in

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("Asterisk 22.10.1+dfsg+~cs6.17.60671434-1", "22.10.1"),
        ("Asterisk certified-18.9-cert4", "18.9"),
        ("Asterisk GIT-20-3f2a1b", "20"),
        ("Redis server v=8.0.6 sha=00000000:0 malloc=jemalloc-5.3.1 bits=64", "8.0.6"),
        ("eSpeak NG text-to-speech: 1.52.0  Data at: /usr/share/espeak-ng-data", "1.52.0"),
        ("\n SIPp v3.8.0-TLS-SCTP-PCAP.", "3.8.0"),
        ("1:22.10.1+dfsg-1", "22.10.1"),
        ("command not found", ""),
    ],
)
def test_versions_are_read_as_each_program_tells_them(text: str, version: str) -> None:
    assert version_in(text) == version


def test_versions_compare_as_numbers() -> None:
    assert parse_version("1.51") < parse_version("1.52.0") < parse_version("1.100")
    assert parse_version("") == ()


def test_a_program_of_the_host_is_started_as_it_is() -> None:
    tool = Tool(name="redis", program=Path("/usr/bin/redis-server"), version="7.0.15")

    assert tool.command("--port", "0") == ["/usr/bin/redis-server", "--port", "0"]
    assert tool.env() == {}
    assert tool.from_host


def test_a_program_of_the_tree_is_started_through_its_loader() -> None:
    tool = tool_in(Path("/t"), "espeak", architecture="arm64", version="1.52.0")

    assert tool.command("-v", "cmn") == [
        "/t/lib/ld-linux-aarch64.so.1",
        "--library-path",
        "/t/usr/lib/aarch64-linux-gnu:/t/usr/lib/aarch64-linux-gnu/pulseaudio:/t/usr/lib",
        "/t/usr/bin/espeak-ng",
        "-v",
        "cmn",
    ]
    assert tool.env()["ESPEAK_DATA_PATH"] == "/t/usr/lib/aarch64-linux-gnu/espeak-ng-data"
    assert not tool.from_host


def test_a_tree_without_a_whole_stamp_is_none(tmp_path: Path) -> None:
    assert read_stamp(tmp_path) is None
    (tmp_path / STAMP).write_text('{"format": 1, "archi', "utf-8")
    assert read_stamp(tmp_path) is None
    (tmp_path / STAMP).write_text('{"format": 99, "architecture": "amd64"}', "utf-8")
    assert read_stamp(tmp_path) is None

    stamp = Stamp(architecture="amd64", suite="forky", versions={"asterisk": "22.10.1"})
    (tmp_path / STAMP).write_text(stamp.to_json(), "utf-8")
    assert read_stamp(tmp_path) == stamp


def test_nothing_in_a_tree_can_gain_rights(tmp_path: Path) -> None:
    prepare_tree(tmp_path)
    program = tmp_path / "bin" / "passwd"
    program.write_bytes(b"")
    program.chmod(0o4755)

    drop_privileges(tmp_path)

    assert (tmp_path / "usr" / "bin" / "passwd").stat().st_mode & 0o7777 == 0o755


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("Err:1 http://m forky InRelease\nE: Failed to fetch http://m  Could not resolve 'm'", "no network"),
        (
            "E: Failed to fetch http://m  Could not connect to 127.0.0.1:9 (111: Connection refused)",
            "no network",
        ),
        ("E: Write error - write (28: No space left on device)", "the disk of /r is full"),
        ("E: You don't have enough free space in /r/.", "the disk of /r is full"),
        ("W: GPG error: http://m forky InRelease: NO_PUBKEY 0E98404D386FA1D9", "not signed"),
        ("E: The repository 'http://m forky Release' does not have a Release file.", "could not fetch"),
        ("", "could not fetch"),
    ],
)
def test_what_apt_says_becomes_one_line_with_its_mend(output: str, said: str) -> None:
    error = explain(output, "http://m", Path("/r"))

    assert said in error.message
    assert error.message.endswith("start again")
    assert "\n" not in error.message


def test_a_missing_keyring_names_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(apt, "KEYRING_FOLDERS", (str(tmp_path),))

    with pytest.raises(RuntimeSetupError, match="install debian-archive-keyring"):
        apt.find_keyring("debian")

    (tmp_path / "debian-archive-keyring.gpg").write_bytes(b"")
    assert apt.find_keyring("debian") == tmp_path / "debian-archive-keyring.gpg"


def test_the_wait_before_a_new_start_doubles_up_to_its_limit() -> None:
    backoff = Backoff(first=timedelta(seconds=1), most=timedelta(seconds=5))

    assert [backoff.wait(n).total_seconds() for n in (1, 2, 3, 4, 1000)] == [1, 2, 4, 5, 5]


def test_sockets_lie_in_the_folder_itself_when_its_path_is_short(tmp_path: Path) -> None:
    short = Path(os.path.commonpath([tmp_path, tmp_path.parent]))

    assert socket_folder(short) == short


def test_sockets_of_a_long_path_lie_in_a_private_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    long = tmp_path / ("数据" * 30)

    folder = socket_folder(long)

    assert folder == socket_folder(long)
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700

    folder.chmod(0o777)
    with pytest.raises(RuntimeSetupError, match="belongs to somebody else"):
        socket_folder(long)
