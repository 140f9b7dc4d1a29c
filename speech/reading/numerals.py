"""Chinese numerals: what number a run of them says, if it says one."""

import re
from collections.abc import Callable
from itertools import pairwise

DIGITS = {
    "零": 0,
    "〇": 0,
    "一": 1,
    "幺": 1,
    "二": 2,
    "两": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
}
UNITS = {"十": 10, "百": 100, "千": 1000}
MYRIAD, YI = 10_000, 100_000_000
ALL = "".join((*DIGITS, *UNITS, "万亿"))
LONGEST = 24
"""Numerals that one number has at the most; a longer run of units is noise."""

_STRING = re.compile(r"[零〇一幺二三四五六七八九]+")
_PAIR = re.compile(r"([一二两三四五六七八九])([二三四五六七八九])(?=[十百千万亿]|$)")


def is_string(run: str) -> bool:
    """Whether the run is digits said one by one."""
    return _STRING.fullmatch(run) is not None


def digits_of(run: str) -> str:
    """Return digits said one by one as figures."""
    return "".join(str(DIGITS[char]) for char in run)


def is_approximate(run: str) -> bool:
    """Whether the run says «about»: 两三, 三五, 七八十, 十七八. Such numbers stay words."""
    if len(run) > 2 and is_string(run):
        return False
    for found in _PAIR.finditer(run):
        low, high = DIGITS[found.group(1)], DIGITS[found.group(2)]
        if high == low + 1 or (low, high) == (3, 5):
            return True
    return False


def is_count(run: str) -> bool:
    """Whether the run counts upwards (一二三): said for its own sake. 一二三四五 is the mayor's hotline."""
    if not 3 <= len(run) <= 4 or not is_string(run):
        return False
    values = [DIGITS[char] for char in run]
    return values[0] > 0 and all(b == a + 1 for a, b in pairwise(values))


def value_of(run: str) -> int | None:
    """Return the number that a run with units says (三千五, 两百三十万), ``None`` if it says none."""
    if not run or len(run) > LONGEST or "幺" in run:
        return None
    if run.count("亿") > 1 or run.count("万") > 2:
        return None
    head, yi, rest = run.rpartition("亿")
    high = _below_yi(head) if yi else 0
    if high is None or (yi and not high):
        return None
    low = _rest(rest, YI if yi else 0, _below_yi)
    return None if low is None else high * YI + low


def _below_yi(run: str) -> int | None:
    head, wan, rest = run.rpartition("万")
    if not wan:
        return _section(run)
    if "万" in head:
        return None
    high = _section(head)
    if not high:
        return None
    low = _rest(rest, MYRIAD, _section)
    return None if low is None else high * MYRIAD + low


def _rest(run: str, unit: int, read: Callable[[str], int | None]) -> int | None:
    """Return what follows 万 or 亿; a single digit there counts the next lower unit (三万五)."""
    if not run:
        return 0 if unit else None
    if unit and len(run) == 1:
        return DIGITS[run] * unit // 10 if run in DIGITS and DIGITS[run] and run != "两" else None
    if unit and run[0] in "零〇":
        run = run[1:]
    return read(run)


def _section(run: str) -> int | None:
    """Return a number below ten thousand."""
    value, pending, last, zero = 0, -1, MYRIAD, False
    for place, char in enumerate(run):
        if char in "零〇":
            if pending >= 0 or not value:
                return None
            zero = True
        elif char in DIGITS:
            after = run[place + 1 : place + 2]
            # «两» counts hundreds and thousands, never tens, and ends no longer number.
            if pending >= 0 or (char == "两" and len(run) > 1 and after not in ("百", "千")):
                return None
            pending = DIGITS[char]
        elif char in UNITS:
            unit = UNITS[char]
            if pending < 0 and unit == 10 and (not value or zero or last == 100):
                pending = 1
            if pending < 0 or unit >= last:
                return None
            value, last, pending, zero = value + pending * unit, unit, -1, False
        else:
            return None
    if pending >= 0:
        return value + (pending * last // 10 if value and not zero and last > 10 else pending)
    return None if zero or not value else value


def written(run: str, value: int) -> str:
    """Return a number as it is written: large round ones with 万 and 亿."""
    if run.endswith(("万", "亿")) or value >= MYRIAD:
        for unit, name in ((YI, "亿"), (MYRIAD, "万")):
            if value >= unit and value % (unit // 10) == 0 and name in run:
                return f"{value // unit}{f'.{value % unit * 10 // unit}' if value % unit else ''}{name}"
        if "亿" in run and value % MYRIAD == 0:
            return f"{value / YI:.4f}".rstrip("0") + "亿"
    return str(value)
