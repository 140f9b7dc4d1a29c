"""The rules of notices and messages, and the book that is shipped."""

import re
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from crm.notices import domain, rules
from crm.notices.domain import (
    ATTEMPTS,
    LONGEST_PAUSE,
    Channel,
    Party,
    QuietHours,
    Rate,
    Target,
    check_address,
    masked_address,
    one_line,
    own_page,
    pause_after,
    recipients,
    targets_of,
)
from crm.notices.links import record_page
from crm.notices.rules import LANGUAGES, read_rules, shipped
from kernel.access import Role
from kernel.errors import ConfigurationError, Invalid

pytestmark = pytest.mark.unit

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
PARTY = Party(owner_user_id="u1", owner_department="ENG", specialist_user_id="u2")
KEYS = ("user:01J", "role:manager", "department:ENG", "department:ENG+department_head")
NOBODY = ("", "user:", "role:king", "department:", "department:ENG+king", "x:y", "role:")
SAID = re.compile(r'(?:Temporary|Permanent|_by_code)\((?:error[\w.\[\]]*, )?f?"([^"(]+?)(?: \(|")')
CHINESE = re.compile(r"[\u3400-\u9fff]")


# Who


@pytest.mark.parametrize("key", KEYS)
def test_targets_keep_their_form(key: str) -> None:
    assert Target.parse(key).key == key


@pytest.mark.parametrize("key", NOBODY)
def test_what_names_nobody_is_refused(key: str) -> None:
    with pytest.raises(Invalid):
        Target.parse(key)


def test_a_person_is_meant_by_every_key_of_theirs() -> None:
    keys = targets_of("u1", Role.DEPARTMENT_HEAD, "ENG")
    assert keys == ("user:u1", "role:department_head", "department:ENG", "department:ENG+department_head")
    assert targets_of("u1", None, None) == ("user:u1",)


def test_expressions_mean_people_of_the_record_each_once() -> None:
    found = recipients(["owner", "owner_head", "specialist", "user:u1", "manager"], PARTY)
    assert [target.key for target in found] == [
        "user:u1",
        "department:ENG+department_head",
        "user:u2",
        "role:manager",
    ]
    assert recipients(["owner", "owner_head", "specialist"], Party()) == ()
    (head,) = recipients(["owner", "owner_head"], Party(owner_department="ENG"))
    assert head.key == "department:ENG+department_head"


# Words


def test_one_line_takes_no_control_characters() -> None:
    assert one_line("a\r\nBcc: x\x00\u202e\u2028b") == "a Bcc: x b"
    assert one_line("x" * 300) == "x" * 199 + "…"
    assert one_line("王" * 10, 5) == "王王王王…"


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        ("complaint", "/cases/1"),
        ("repair", "/cases/1"),
        ("ticket", "/cases/1"),
        ("escalation", "/escalations/1"),
    ],
)
def test_a_limit_leads_to_the_page_of_its_record(kind: str, page: str) -> None:
    assert own_page(record_page(kind, "1")) == page


def test_a_record_without_a_page_leads_nowhere() -> None:
    assert record_page("drawing", "1") == ""


@pytest.mark.parametrize("link", ["", "/notices", "/complaints/1?tab=2#x"])
def test_own_pages(link: str) -> None:
    assert own_page(link) == link


@pytest.mark.parametrize(
    ("channel", "address", "masked"),
    [
        (Channel.EMAIL, "wang@example.com", "w***@example.com"),
        (Channel.SMS, "+8613800138000", "+86138****8000"),
        (Channel.SMS, "10086", "****"),
        (Channel.WECOM, "wangli", "wangli"),
        (Channel.WEBHOOK, "https://example.com/hook?key=geheim", "https://example.com/…"),
    ],
)
def test_addresses_are_shown_masked(channel: Channel, address: str, masked: str) -> None:
    assert check_address(channel, f" {address} ") == address
    assert masked_address(channel, address) == masked


@pytest.mark.parametrize(
    ("channel", "address"),
    [
        (Channel.SMS, "138-0013"),
        (Channel.SMS, "+86138001380001234567890"),
        (Channel.WECOM, "a b"),
        (Channel.WEBHOOK, "ftp://x"),
        (Channel.WEBHOOK, "https://x\ny"),
        (Channel.EMAIL, "a..b@example.com"),
    ],
)
def test_addresses_of_another_kind_are_refused(channel: Channel, address: str) -> None:
    with pytest.raises(Invalid, match="address"):
        check_address(channel, address)


# When


def test_quiet_hours_over_midnight() -> None:
    quiet = QuietHours(time(21), time(8), ZONE)

    def ends(hour: int, minute: int = 0) -> datetime | None:
        end = quiet.until(datetime(2026, 3, 2, hour, minute, tzinfo=ZONE).astimezone(UTC))
        return end.astimezone(ZONE) if end else None

    assert ends(20, 59) is None
    assert ends(21) == datetime(2026, 3, 3, 8, tzinfo=ZONE)
    assert ends(3) == datetime(2026, 3, 2, 8, tzinfo=ZONE)
    assert ends(8) is None


def test_quiet_hours_within_a_day_and_none_at_all() -> None:
    noon = QuietHours(time(12), time(14), ZONE)
    assert noon.until(datetime(2026, 3, 2, 13, tzinfo=ZONE)) == datetime(2026, 3, 2, 14, tzinfo=ZONE)
    assert noon.until(datetime(2026, 3, 2, 14, tzinfo=ZONE)) is None
    assert QuietHours(time(8), time(8), ZONE).until(NOW) is None


def test_pauses_grow_to_an_end_and_are_spread() -> None:
    middle = [pause_after(n, spread=0.5) for n in range(1, ATTEMPTS)]
    assert middle[:3] == [timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=8)]
    assert middle[-1] == LONGEST_PAUSE
    assert pause_after(ATTEMPTS, spread=0.5) is None
    assert pause_after(1, spread=0) == timedelta(seconds=22.5)
    assert pause_after(1, spread=1) == timedelta(seconds=37.5)
    assert pause_after(1, spread=0.5, asked=timedelta(hours=1)) == timedelta(hours=1)
    assert pause_after(1, spread=0.5, asked=timedelta(days=30)) == LONGEST_PAUSE


def test_a_rate_lets_a_burst_go_and_then_keeps_its_pace() -> None:
    rate, booked, slots = Rate(per_minute=6, burst=3), None, []
    for _ in range(6):
        slot, booked = rate.reserve(booked, NOW)
        slots.append((slot - NOW).total_seconds())
    assert slots == [0, 0, 0, 10, 20, 30]
    slot, _ = rate.reserve(booked, NOW + timedelta(hours=1))
    assert slot == NOW + timedelta(hours=1)


# The book


def test_every_rule_has_its_words_in_both_languages() -> None:
    book = shipped()
    now = NOW.isoformat()
    parameters = {"no": "TS1", "due_at": now, "at": now, "limit": "TS.T1", "channel": "sms"}
    for code in book.notices:
        for language in LANGUAGES:
            title = book.title(code, parameters, language, ZONE)
            assert title
            assert "{" not in title
            assert bool(CHINESE.search(title)) == (language == "zh-CN"), title
    for code in book.customers:
        assert "{" not in book.customer_text(code, parameters, "en", ZONE)


def test_every_error_of_a_sender_has_words() -> None:
    folder = Path(rules.__file__).parent
    known = set(shipped().words["errors"])
    sources = [*folder.joinpath("senders").glob("*.py"), folder / "sending.py"]
    said = set()
    for path in sources:
        text = path.read_text("utf-8")
        said |= set(SAID.findall(text))
    assert len(said) > 15
    assert said <= known
    assert shipped().error("no connection (OSError)", "zh-CN") == "连不上对方 (OSError)"
    assert shipped().error("from another version", "en") == "from another version"


def test_every_limit_has_a_name() -> None:
    folder = Path(domain.__file__).parents[1] / "limit_policies"
    codes: set[str] = set()
    for path in folder.glob("*.yaml"):
        codes |= set(re.findall(r"\b[A-Z]{2}\.[A-Z0-9]+\b", path.read_text("utf-8")))
    assert codes
    assert codes <= set(shipped().words["limits"])


def test_words_of_another_version_stand_for_themselves() -> None:
    book = shipped()
    assert book.title("no.such", {}, "en", ZONE) == "no.such"
    assert book.title("limit.warned", {"no": "TS1", "limit": "ZZ.9"}, "en", ZONE) == "Nearly due: TS1, ZZ.9"
    assert book.title("limit.warned", {"no": "TS1"}, "tlh", ZONE).startswith("快到时限")
    assert "–" in book.text("limit.warned", {"due_at": "soon"}, "en", ZONE)
    with pytest.raises(ConfigurationError):
        book.customer_text("no.such", {}, "en", ZONE)


def test_parameters_are_not_read_as_templates() -> None:
    title = shipped().title("limit.red", {"no": "{limit:limits} {no}", "limit": "TS.T1"}, "en", ZONE)
    assert title == "On the red list: {limit:limits} {no}, accepting the complaint"


GOOD: dict[str, dict[str, Any]] = {
    "words": {"errors": {}},
    "notices": {
        "a.b": {
            "recipients": ["owner"],
            "channels": ["sms"],
            "severity": "info",
            "title": {"zh-CN": "题 {no}", "en": "t {no}"},
            "text": {"zh-CN": "文", "en": "t"},
        }
    },
    "customers": {},
}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("recipients", ["everybody"], "a.b: 'everybody' names nobody"),
        ("channels", ["pigeon"], "pigeon"),
        ("severity", "dire", "dire"),
        ("title", {"zh-CN": "题"}, "a text in each"),
        ("title", {"zh-CN": "题 {no}", "en": "t"}, "different parameters"),
        ("title", {"zh-CN": "题 {no:x}", "en": "t {no:x}"}, "no table of words"),
    ],
)
def test_a_wrong_book_names_the_place(key: str, value: object, said: str) -> None:
    assert read_rules(yaml.safe_dump(GOOD)).notices["a.b"]
    wrong = {**GOOD, "notices": {"a.b": {**GOOD["notices"]["a.b"], key: value}}}
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        read_rules(yaml.safe_dump(wrong))


@pytest.mark.parametrize("source", ["", "- 1", "words: {}", "{", "words: {}\nnotices: {x: 1}\ncustomers: {}"])
def test_what_is_no_book_is_refused(source: str) -> None:
    with pytest.raises(ConfigurationError):
        read_rules(source)


def test_a_deposit_that_is_too_small_is_told_to_finance_and_engineering() -> None:
    """domain.md §1.5, §4.4: the alert is for FIN and ENG; the manager sees it as well."""
    told = {target.key for target in recipients(shipped().notices["deposit.short"].recipients, Party())}
    assert told == {"role:finance", "department:ENG", "role:manager"}
