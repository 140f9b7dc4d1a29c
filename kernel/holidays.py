"""The Chinese calendar of working days: holidays proper, days off beside them, make-up working days.

Source: the State Council's yearly notice, as the ``chinesecalendar`` package has it or as loaded into the
override table, and the Regulation on Public Holidays for the days that are holidays by law (domain.md §6.2).
A year that neither knows is an error (:class:`CalendarYearMissing`), never «Monday to Friday».
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache

import chinese_calendar

from kernel.errors import HuifangError


class CalendarKind(StrEnum):
    """What a day is (domain.md §4.5, Calendar)."""

    WORK = "work"
    OFF = "off"
    """A weekend, or a weekday that was moved next to a holiday (调休); no holiday by law."""
    MAKEUP_WORK = "makeup_work"
    """A weekend day that is worked for one that was moved (调休上班)."""
    HOLIDAY = "holiday"
    """A statutory holiday proper: one of the 13 days of the Regulation (11 before 2025)."""

    @property
    def is_working(self) -> bool:
        """Whether people work."""
        return self in {CalendarKind.WORK, CalendarKind.MAKEUP_WORK}


class CalendarYearMissing(HuifangError):
    """No notice is loaded for that year; nothing may be planned in it."""

    code = "calendar_year_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarDay:
    """A day of the calendar.

    Attributes:
        name: the holiday that it is, or belongs to; empty on ordinary days.
        source: ``chinesecalendar``, or what the override says of itself.
    """

    date: date
    kind: CalendarKind
    name: str = ""
    source: str = "chinesecalendar"


# Year → month and day of the lunar calendar's 1/1 Spring Festival, 5/5 Dragon Boat and 8/15 Mid-Autumn.
_LUNAR_TEXT = """
2014 0131 0602 0908  2015 0219 0620 0927  2016 0208 0609 0915  2017 0128 0530 1004  2018 0216 0618 0924
2019 0205 0607 0913  2020 0125 0625 1001  2021 0212 0614 0921  2022 0201 0603 0910  2023 0122 0622 0929
2024 0210 0610 0917  2025 0129 0531 1006  2026 0217 0619 0925  2027 0206 0609 0915  2028 0126 0528 1003
2029 0213 0616 0922  2030 0203 0605 0912  2031 0123 0624 1001  2032 0211 0612 0919  2033 0131 0601 0908
2034 0219 0620 0927  2035 0208 0610 0916  2036 0128 0530 1004  2037 0215 0618 0924  2038 0204 0607 0913
2039 0124 0527 1002  2040 0212 0614 0920  2041 0201 0603 0910  2042 0122 0622 0928  2043 0210 0611 0917
2044 0130 0531 1005  2045 0217 0619 0925  2046 0206 0608 0915  2047 0126 0529 1004  2048 0214 0615 0922
2049 0202 0604 0911  2050 0123 0623 0930
"""
_words = _LUNAR_TEXT.split()
_LUNAR = {int(year): tuple(_words[at + 1 : at + 4]) for at, year in enumerate(_words) if at % 4 == 0}


@lru_cache(maxsize=64)
def statutory_holidays(year: int) -> Mapping[date, str]:
    """Return the days that are holidays by law in ``year``, without the days moved next to them.

    Since 2025 Spring Festival has four days (from its eve) and Labour Day two; before, three and one.

    Raises:
        CalendarYearMissing: the lunar calendar of that year is not known here.
    """
    if year not in _LUNAR:
        raise missing(year)
    spring, dragon, autumn = (date(year, int(day[:2]), int(day[2:])) for day in _LUNAR[year])
    short = year % 100
    qingming = int(short * 0.2422 + 4.81) - short // 4
    longer = year >= 2025
    eve = spring - timedelta(days=1)
    return {
        date(year, 1, 1): "元旦",
        **({eve: "春节"} if longer else {}),
        **{spring + timedelta(days=offset): "春节" for offset in range(3)},
        date(year, 4, qingming): "清明节",
        date(year, 5, 1): "劳动节",
        **({date(year, 5, 2): "劳动节"} if longer else {}),
        dragon: "端午节",
        autumn: "中秋节",
        **{date(year, 10, day): "国庆节" for day in (1, 2, 3)},
    }


def missing(year: int) -> CalendarYearMissing:
    """Return the error that says what to do about a year that is not loaded."""
    return CalendarYearMissing(
        f"the holiday calendar of {year} is not loaded: load the State Council's notice with "
        "«huifang calendar load FILE», or update the package chinesecalendar",
        year=year,
    )


_NAMES = {
    "New Year's Day": "元旦",
    "Spring Festival": "春节",
    "Tomb-sweeping Day": "清明节",
    "Labour Day": "劳动节",
    "Dragon Boat Festival": "端午节",
    "Mid-autumn Festival": "中秋节",
    "National Day": "国庆节",
}


@lru_cache(maxsize=4096)
def _from_library(day: date) -> CalendarDay | None:
    try:
        off, english = chinese_calendar.get_holiday_detail(day)
    except NotImplementedError:
        return None
    name = _NAMES.get(english, english) if english else ""
    if not off:
        kind = CalendarKind.MAKEUP_WORK if day.weekday() >= 5 else CalendarKind.WORK
    else:
        by_law = statutory_holidays(day.year).get(day) if name else None
        kind, name = (CalendarKind.HOLIDAY, by_law) if by_law else (CalendarKind.OFF, name)
    return CalendarDay(date=day, kind=kind, name=name)


class WorkCalendar:
    """The library's calendar with overrides.

    Args:
        overrides: days that outweigh the library.
        years: years whose notice the overrides hold in full: the days that they do not name are ordinary.
    """

    def __init__(self, overrides: Iterable[CalendarDay] = (), years: Iterable[int] = ()) -> None:
        self._overrides = {day.date: day for day in overrides}
        self._years = frozenset(years)

    def day(self, day: date) -> CalendarDay:
        """Return what ``day`` is.

        Raises:
            CalendarYearMissing: its year is not loaded.
        """
        found = self._overrides.get(day)
        if found is not None:
            return found
        if day.year in self._years:
            kind = CalendarKind.OFF if day.weekday() >= 5 else CalendarKind.WORK
            return CalendarDay(date=day, kind=kind, source="notice")
        from_library = _from_library(day)
        if from_library is None:
            raise missing(day.year)
        return from_library

    def is_working(self, day: date) -> bool:
        """Whether ``day`` is a working day 工作日. Raises as :meth:`day` does."""
        return self.day(day).kind.is_working

    def knows(self, year: int) -> bool:
        """Whether anything may be planned in ``year``."""
        return year in self._years or (year < 9999 and _from_library(date(year, 1, 1)) is not None)

    def first_unknown(self, year: int) -> int:
        """Return ``year``, or the first one after it, in which nothing may be planned."""
        while self.knows(year):
            year += 1
        return year
