"""Days and hours as they are said, in a text whose numbers are figures already (``speech.reading``)."""

import re
from datetime import datetime, time, timedelta

from speech.rules.findings import When

MAX_WHENS = 20

_WEEKDAYS = {name: place for place, name in enumerate("一二三四五六日")} | {"天": 6}
_COUNTS = {
    "一": 1,
    "两": 2,
    "二": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
    "十": 10,
    "半": 0.5,
}
_NEAR_DAYS = {
    "今天": 0,
    "今日": 0,
    "今晚": 0,
    "今早": 0,
    "明天": 1,
    "明日": 1,
    "明早": 1,
    "明晚": 1,
    "后天": 2,
    "大后天": 3,
}
_PARTS = {
    "凌晨": (0, 6),
    "早上": (7, 9),
    "早晨": (7, 9),
    "上午": (8, 12),
    "中午": (11, 14),
    "下午": (13, 18),
    "傍晚": (17, 19),
    "晚上": (18, 21),
    "今晚": (18, 21),
    "明晚": (18, 21),
    "明早": (7, 9),
    "今早": (7, 9),
}
_AFTERNOON = frozenset(("下午", "傍晚", "晚上", "今晚", "明晚"))
_WORK = (8, 18)
"""Hours that a day without an hour stands for."""

_DAY = (
    r"(?P<near>大后天|今天|今日|今晚|今早|明天|明日|明早|明晚|后天)"
    r"|(?P<week>下下|下个?|这个?|本)?(?:周|星期|礼拜)(?P<weekday>[一二三四五六日天])"
    r"|(?P<weekend>(?P<weekendnext>下个?|这个?)?周末)"
    r"|(?:(?P<month>1[0-2]|[1-9])月份?)?(?P<date>3[01]|[12][0-9]|[1-9])[号日](?!楼|线|院|门|车|店|桌)"
    r"|(?P<monthend>(?P<monthnext>下个?|这个?)?月底(?:之?前)?)"
)
_HOUR = (
    r"(?P<part>凌晨|早上|早晨|上午|中午|下午|傍晚|晚上)?的?"
    r"(?P<hour>2[0-4]|1[0-9]|[0-9])(?:点|:|：)(?:(?P<half>半)|(?P<quarter>[一三])刻|(?P<minute>[0-5]?[0-9])分?)?(?:钟|整)?"
)
_PATTERN = re.compile(
    rf"(?:{_DAY})(?:的|，)?(?:{_HOUR}|(?P<onlypart>凌晨|早上|早晨|上午|中午|下午|傍晚|晚上))?"
    r"|(?P<within>[一二两三四五六七八九十半]|[0-9]{1,3})个?(?P<unit>分钟|小时|钟头|工作日|天|周|星期|月)(?:之内|以内|内|以后|之后|后)"
    rf"|{_HOUR.replace('?P<', '?P<lone')}"
)


def whens(text: str, at: datetime) -> tuple[When, ...]:
    """Return the times that a text speaks of, in order, at most :data:`MAX_WHENS`.

    Args:
        at: when it was said, in the site's time; «明天» counts from it. Days lie after it, as promises do.
    """
    found: list[When] = []
    for match in _PATTERN.finditer(text):
        meant = _meant(match, at)
        if meant is not None:
            since, until, exact = meant
            found.append(When(start=match.start(), end=match.end(), since=since, until=until, exact=exact))
        if len(found) == MAX_WHENS:
            break
    return tuple(found)


def _meant(match: re.Match[str], at: datetime) -> tuple[datetime, datetime, bool] | None:
    if match["within"]:
        return _within(match["within"], match["unit"], at)
    if match["lonehour"]:
        hour = _hour(match, "lone")
        if hour is None:
            return None
        moment = _at(at, hour)
        return (moment, moment, True) if moment >= at else None
    days = _days(match, at)
    if days is None:
        return None
    first, last = days
    if match["hour"]:
        hour = _hour(match, "", near=match["near"] or "")
        if hour is None:
            return None
        moment = _at(first, hour)
        return moment, moment, True
    low, high = _PARTS.get(match["onlypart"] or match["near"] or "", _WORK)
    return _at(first, time(low)), _at(last, time(high)), False


def _days(match: re.Match[str], at: datetime) -> tuple[datetime, datetime] | None:
    """Return the first and the last day that are meant."""
    if match["near"]:
        day = at + timedelta(days=_NEAR_DAYS[match["near"]])
        return day, day
    if match["weekday"]:
        day = _weekday(at, _WEEKDAYS[match["weekday"]], match["week"] or "")
        return day, day
    if match["weekend"]:
        weeks = 1 if (match["weekendnext"] or "").startswith("下") else 0
        saturday = at + timedelta(days=5 - at.weekday(), weeks=weeks)
        return max(saturday, at), saturday + timedelta(days=1)
    if match["monthend"]:
        first = at.replace(day=1)
        for _ in range(2 if (match["monthnext"] or "").startswith("下") else 1):
            first = (first + timedelta(days=32)).replace(day=1)
        last = first - timedelta(days=1)
        return max(at, last - timedelta(days=2)), last
    day_or_none = _date(at, match["month"], int(match["date"]))
    return None if day_or_none is None else (day_or_none, day_or_none)


def _weekday(at: datetime, weekday: int, week: str) -> datetime:
    if week.startswith("下"):
        weeks = 2 if week == "下下" else 1
        return at + timedelta(days=weekday - at.weekday(), weeks=weeks)
    if week:
        return at + timedelta(days=weekday - at.weekday())
    return at + timedelta(days=(weekday - at.weekday()) % 7)


def _date(at: datetime, month: str | None, day: int) -> datetime | None:
    """Return the next such day; a month or two back is meant as a day that has passed, and is none."""
    try:
        if month:
            found = at.replace(month=int(month), day=day)
            return found if found.date() >= at.date() else found.replace(year=at.year + 1)
        if day >= at.day:
            return at.replace(day=day)
        following = (at.replace(day=1) + timedelta(days=32)).replace(day=1)
        return following.replace(day=day)
    except ValueError:
        return None


def _hour(match: re.Match[str], prefix: str, *, near: str = "") -> time | None:
    hour = int(match[f"{prefix}hour"])
    part = match[f"{prefix}part"] or near
    minute = int(match[f"{prefix}minute"] or 0)
    if match[f"{prefix}half"]:
        minute = 30
    elif match[f"{prefix}quarter"]:
        minute = 15 if match[f"{prefix}quarter"] == "一" else 45
    afternoon = part in _AFTERNOON or (part == "中午" and hour <= 2) or (not part and hour < 8)
    if hour < 12 and afternoon:
        hour += 12
    if hour > 23:
        return None
    return time(hour, minute)


def _within(count: str, unit: str, at: datetime) -> tuple[datetime, datetime, bool] | None:
    number = _COUNTS[count] if count in _COUNTS else int(count)
    if number > 365:
        return None
    if unit == "工作日":
        return at, _working_days(at, int(number)), False
    hours = {"分钟": 1 / 60, "小时": 1, "钟头": 1, "天": 24, "周": 168, "星期": 168, "月": 720}[unit]
    return at, at + timedelta(hours=hours * number), False


def _working_days(at: datetime, number: int) -> datetime:
    """Return the day so many working days later; public holidays are not looked at."""
    while number > 0:
        at += timedelta(days=1)
        number -= at.weekday() < 5
    return at


def _at(day: datetime, hour: time) -> datetime:
    return day.replace(hour=hour.hour, minute=hour.minute, second=0, microsecond=0)
