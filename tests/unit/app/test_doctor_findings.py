"""The doctor's lines, and what it makes of versions and permissions."""

from pathlib import Path

import pytest

from app.doctor import DoctorInputs, Finding, Level, ManagerLogin, format_finding, sockets
from app.doctor.machine import check_timezone
from app.doctor.pbx import NEEDED_ACTIONS, permissions, version
from telephony.ami.message import AmiResponse

pytestmark = pytest.mark.unit


def inputs(folder: Path, **changes: object) -> DoctorInputs:
    fields: dict[str, object] = {
        "data_dir": folder / "data",
        "runtime_dir": folder / "runtime",
        "database_url": "sqlite+aiosqlite://",
        "redis_url": "unix:///nowhere",
        "manager": ManagerLogin(host="127.0.0.1", port=5038, username="huifang", secret="秘密"),
        "agi": ("127.0.0.1", 4573),
        **changes,
    }
    return DoctorInputs(**fields)  # type: ignore[arg-type]


def test_a_finding_is_one_line_with_its_mend() -> None:
    finding = Finding.error("SIP", "port 5060 is taken\nby \x1b[31mx", "stop it")

    assert format_finding(finding) == "✗ SIP: port 5060 is taken by  [31mx → stop it"
    assert not finding.ok
    assert format_finding(Finding.good("disk", "76 GB free")) == "✓ disk: 76 GB free"
    assert Finding.warning("clock", "not synchronised", "do it").ok


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("22.10.1+dfsg", Level.OK),
        ("18.26.4", Level.OK),
        ("certified/20.7-cert4", Level.OK),
        ("21.3.0", Level.WARNING),
        ("", Level.WARNING),
        ("16.28.0~dfsg-0+deb11u4", Level.ERROR),
    ],
)
def test_asterisk_versions(text: str, level: Level) -> None:
    assert version(text).level is level


def test_what_the_manager_user_may_not_do_names_the_class_to_add() -> None:
    listed = [action for action in NEEDED_ACTIONS if action not in {"Originate", "QueueAdd"}]
    answer = AmiResponse("\r\n".join(["Response: Success", *(f"{name}: x" for name in listed)]).encode())

    finding = permissions(answer)

    assert finding.level is Level.ERROR
    assert "Originate, QueueAdd" in finding.message
    assert "add agent,originate to write" in finding.mend


async def test_an_unknown_time_zone_is_an_error(tmp_path: Path) -> None:
    (finding,) = await check_timezone(inputs(tmp_path, timezone="Asia/Beijing"))

    assert finding.level is Level.ERROR
    assert "Asia/Beijing" in finding.message


def test_the_secret_never_shows_in_a_log_line(tmp_path: Path) -> None:
    assert "秘密" not in repr(inputs(tmp_path))


def test_an_unpacked_program_is_named_by_itself_not_by_its_loader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "net").mkdir()
    header = (
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    )
    row = (
        "   0: 0100007F:13C4 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1\n"
    )
    (tmp_path / "net" / "tcp").write_text(header + row)
    (tmp_path / "812" / "fd").mkdir(parents=True)
    (tmp_path / "812" / "fd" / "9").symlink_to("socket:[4711]")
    words = ["/r/lib64/ld-linux-x86-64.so.2", "--library-path", "/r/lib", "/r/usr/sbin/asterisk", "-f"]
    (tmp_path / "812" / "cmdline").write_text("\0".join([*words, ""]))
    (tmp_path / "812" / "comm").write_text("ld-linux-x86-64\n")
    monkeypatch.setattr(sockets, "PROC", tmp_path)

    (owner,) = sockets.owners(5060, "tcp")

    assert (owner.pid, owner.name) == (812, "asterisk")
    assert sockets.owners(5061, "tcp") == []
