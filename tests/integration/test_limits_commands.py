"""«huifang limits» and «huifang calendar» as a person at a terminal meets them."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli import cli
from app.settings import load_settings
from crm.calendar_book import read_notice
from crm.limit_rules import shipped_text
from kernel.errors import ConfigurationError, Invalid
from kernel.holidays import CalendarKind, statutory_holidays

pytestmark = pytest.mark.integration

Huifang = Callable[..., Result]


@pytest.fixture
def huifang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Huifang:
    """The commands over an empty database, in a folder of one's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HUIFANG_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")

    def command(*arguments: str) -> Result:
        result = CliRunner().invoke(cli, arguments)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    assert command("db", "upgrade").exit_code == 0
    return command


def notice(year: int, **changes: bool) -> str:
    days = dict.fromkeys(statutory_holidays(year), True)
    spring = min(day for day, name in statutory_holidays(year).items() if name == "春节")
    days[spring + timedelta(days=4)] = True
    saturday = date(year, 2, 1)
    while saturday.weekday() != 5 or saturday in days:
        saturday += timedelta(days=1)
    days[saturday] = False
    days.update({date.fromisoformat(day): off for day, off in changes.items()})
    listed = [{"name": "节日", "date": str(day), "isOffDay": off} for day, off in days.items()]
    return json.dumps({"year": year, "days": listed}, ensure_ascii=False)


def test_limits_from_both_sets_to_a_version_of_ones_own(huifang: Huifang, tmp_path: Path) -> None:
    shown = huifang("limits", "show").output
    assert "A/1" in shown and "B/1" in shown
    assert "TS.T1       3 h SVC  registered → accepted  department  50/80 %  部门接收" in shown
    assert "TS.T3      24 h NAT  accepted → planned" in huifang("limits", "show", "--set", "B").output
    (tmp_path / "ours.yaml").write_text(
        shipped_text("A").replace("set: A", "set: anju").replace("amount: 3h", "amount: 2h"), encoding="utf-8"
    )
    assert "limit set anju/1 counts from" in huifang("limits", "load", "ours.yaml").output
    assert "new records get limit set anju" in huifang("limits", "use", "anju").output
    shown = huifang("limits", "show").output
    assert "anju/1  甲方案" in shown and "TS.T1       2 h SVC" in shown
    later = (datetime.now(UTC) + timedelta(days=40)).date()
    assert f"from {later}" in huifang("limits", "use", "B", "--from", str(later)).output
    assert "3 records, the chain is whole" in huifang("audit", "verify").output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("limits", "use", "C"), "there is no limit set C in effect"),
        (("limits", "use", "B", "--from", "2020-01-01"), "from now on at the earliest"),
        (("limits", "use", "B", "--from", "soon"), "--from: 'soon' is no date"),
        (("limits", "load", "wrong.yaml"), "wrong.yaml: TS.T1.amount: '3x' is no length"),
        (("limits", "load", "latin.yaml"), "latin.yaml: not a text in UTF-8"),
        (("limits", "load", "large.yaml"), "large.yaml: larger than 64 KB"),
        (("limits", "load", "none.yaml"), "No such file"),
        (
            ("limits", "load", "right.yaml", "--from", "2020-01-01"),
            "from 2020-01-01 00:00 is past",
        ),
        (("calendar", "load", "right.yaml"), "must be JSON with the fields year and days"),
        (("calendar", "set", "2026-13-01", "off"), "date: '2026-13-01' is no date"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    huifang: Huifang, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    wrong = shipped_text("A").replace("amount: 3h", "amount: 3x", 1)
    (tmp_path / "wrong.yaml").write_text(wrong, encoding="utf-8")
    (tmp_path / "right.yaml").write_text(shipped_text("A"), encoding="utf-8")
    (tmp_path / "latin.yaml").write_bytes("set: ä".encode("latin-1"))
    (tmp_path / "large.yaml").write_bytes(b"#" * 70_000)
    result = huifang(*arguments)
    assert result.exit_code == 1
    assert said in result.output


def test_a_year_is_unknown_until_its_notice_is_loaded(huifang: Huifang, tmp_path: Path) -> None:
    assert "2040 is not loaded" in huifang("calendar", "show", "2040").output
    (tmp_path / "2040.json").write_text(notice(2040), encoding="utf-8")
    assert "14 days off, 1 make-up working days" in huifang("calendar", "load", "2040.json").output
    shown = huifang("calendar", "show", "2040").output
    assert "2040-02-12 Sun  holiday" in shown and "makeup_work" in shown
    assert "is now off" in huifang("calendar", "set", "2040-03-06", "off", "--name", "年会").output
    assert "2040-03-06 Tue  off          年会" in huifang("calendar", "show", "2040").output


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        (
            "SERVICE_HOURS",
            "8-18",
            "centre.service_hours: service hours '8-18' on days '1234567': write them like",
        ),
        ("SERVICE_HOURS", "18:00-08:30", "centre.service_hours: service hours 18:00-08:30: spans"),
        ("SERVICE_DAYS", "89", "at least one of the days 1 to 7"),
        ("SERVICE_HOLIDAYS", "always", "centre.service_holidays"),
        ("LIMIT_SET", "甲", "centre.limit_set"),
    ],
)
def test_settings_of_limits_that_cannot_be(variable: str, value: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings({f"HUIFANG_CENTRE__{variable}": value})
    assert said in caught.value.message


# Notices.


def test_a_notice_tells_holidays_by_law_from_days_moved_next_to_them() -> None:
    year, days = read_notice(notice(2027), "2027.json")
    kinds = [day.kind for day in days]
    assert year == 2027
    assert kinds.count(CalendarKind.HOLIDAY) == 13
    assert (kinds.count(CalendarKind.OFF), kinds.count(CalendarKind.MAKEUP_WORK)) == (1, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must be JSON"),
        ("[]", "must be JSON"),
        ('{"year": "2027", "days": []}', "must be JSON"),
        ("[" * 100_000, "must be JSON"),
        ('{"year": 2027, "days": []}', "2027-01-01 元旦 is a holiday by law and is not off here"),
        ('{"year": 2027, "days": [7]}', r"days\[0\]: must have date"),
        ('{"year": 2027, "days": [{"date": "1 May", "isOffDay": true}]}', r"days\[0\]: must have date"),
        ('{"year": 2027, "days": [{"date": "2027-05-01", "isOffDay": "no"}]}', r"days\[0\]: must have date"),
        ('{"year": 2150, "days": []}', "has no holiday"),
        ("7" * 300_000, "larger than 256 KB"),
    ],
)
def test_what_is_no_notice_is_refused(text: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        read_notice(text, "2027.json")
