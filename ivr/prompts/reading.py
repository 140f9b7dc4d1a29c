"""What a Mandarin text says where it is written in figures: numbers, dates, money, telephones, order numbers.

«您的尾款¥1,280.50请于11月22日18:00前支付» is read the way a person would read it. Only texts with Chinese in
them are; an English voice reads its own figures. The result has Chinese characters, Latin letters and
punctuation, no figures.
"""

import re
from collections.abc import Callable
from decimal import Decimal

from kernel.spoken import (
    spoken_count,
    spoken_decimal,
    spoken_digits,
    spoken_integer,
    spoken_money,
    spoken_year,
)

VERSION = 1
"""Part of a voice's identity: another reading makes other audio."""

CHINESE = re.compile(r"[\u3400-\u9fff]")

_WIDE = {
    code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))
}
_WIDE |= str.maketrans("％＋－／＊＃＠＆～〜￥．﹣−–", "%+-/*#@&~~¥.---")

_NOT_BEFORE = r"(?<![0-9A-Za-z.])"
_NOT_AFTER = r"(?![0-9A-Za-z])"
_TO = r"\s*(?:-|~|—+|至|到)\s*"
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"

# After these words a number is a name, not an amount.
_NAMED = (
    "(?:号码|编号|单号|工号|尾号|卡号|账号|房号|密码|验证码|热线|电话|拨打|致电|手机|座机|分机|邮编|代码)"
    r"(?:是|为|：|:)?\s*"
)
# Before these 2 is 两; before 月, 号, 楼, 期 and the like it is 二.
_MEASURES = (
    "个|位|项|次|天|小时|分钟|秒|周|年|人|家|间|户|套|台|件|张|条|块|片|扇|面|根|桶|袋|箱|批|遍|步|种|份|点|"
    "米|平方米|公里|公斤|吨|斤|元|块钱|角|倍|支|名|组|处|颗|道|只|双|成|万|千|百|亿|工作日|星期|季度"
)
_UNITS = {
    "mm": "毫米",
    "cm": "厘米",
    "km": "公里",
    "kg": "公斤",
    "m²": "平方米",
    "m2": "平方米",
    "㎡": "平方米",
    "m³": "立方米",
    "℃": "摄氏度",
    "°C": "摄氏度",
    "m": "米",
    "g": "克",
    "L": "升",
    "W": "瓦",
    "kW": "千瓦",
    "V": "伏",
}
_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"


def as_read(text: str) -> str:
    """Return ``text`` with everything in figures written out as it is said."""
    said = text.translate(_WIDE)
    if not CHINESE.search(said):
        return said
    for pattern, read in _RULES:
        said = pattern.sub(read, said)
    return said


def _phone(found: re.Match[str]) -> str:
    number = re.sub(r"\D", "", found[0])
    return spoken_digits(number[2:] if found[0].startswith("+86") and len(number) > 11 else number)


def _plate(found: re.Match[str]) -> str:
    return found[1] + " ".join(found[2]) + _code_digits(found[3])


def _code(found: re.Match[str]) -> str:
    """Letters one by one; figures too, unless there are only one or two of them: ``A12栋``."""
    digits = sum(char.isdigit() for char in found[0])
    if digits <= 2:
        return re.sub(r"\d+", lambda run: spoken_integer(int(run[0])), _letters(found[0].replace("-", " ")))
    return _code_digits(found[0])


def _code_digits(code: str) -> str:
    parts = re.findall(r"[A-Za-z]+|\d+", code)
    return ",".join(spoken_digits(part) if part.isdigit() else " ".join(part) for part in parts)


def _letters(code: str) -> str:
    return re.sub(r"[A-Za-z]+", lambda run: " ".join(run[0]), code)


def _date(found: re.Match[str]) -> str:
    year, month, day = found.group("year"), found.group("month"), found.group("day")
    end = "号" if found[0].endswith("号") else "日"
    said = spoken_year(year) + "年" if year else ""
    return said + spoken_integer(int(month)) + "月" + (spoken_integer(int(day)) + end if day else "")


def _times(found: re.Match[str]) -> str:
    first = _clock(found["hour"], found["minute"])
    return f"{first}到{_clock(found['hour2'], found['minute2'])}" if found["hour2"] else first


def _clock(hour: str, minute: str) -> str:
    said = spoken_count(int(hour)) + "点"
    minutes = int(minute)
    if minutes == 30:
        return said + "半"
    if not minutes:
        return said
    return said + ("零" if minutes < 10 else "") + spoken_integer(minutes) + "分"


def _percents(found: re.Match[str]) -> str:
    share = "千分之" if found[0].endswith("‰") else "百分之"
    said = share + _plain(found[2])
    return f"{share}{_plain(found[1])}到{said}" if found[1] else said


def _money(found: re.Match[str]) -> str:
    number, scale = (found[1] or found[3]).replace(",", ""), found[2] or found[4] or ""
    if scale:
        return (spoken_decimal(number) if "." in number else spoken_count(int(number))) + scale + "元"
    return spoken_money(Decimal(number))


def _range(found: re.Match[str]) -> str:
    return f"{_plain(found[1])}到{_plain(found[2])}"


def _measured(found: re.Match[str]) -> str:
    """A number before a measure word; the word itself is only looked at."""
    number = found[1].replace(",", "")
    return spoken_decimal(number) if "." in number else spoken_count(int(number))


def _plain(number: str) -> str:
    """A number that stands for itself: long ones, and those that begin with 0, are names."""
    whole = number.replace(",", "")
    if "." in whole:
        return spoken_decimal(whole)
    if "," not in number and (len(whole) >= 7 or (len(whole) > 1 and whole.startswith("0"))):
        return spoken_digits(whole)
    return spoken_integer(int(whole))


def _unit(found: re.Match[str]) -> str:
    sign = "负" if found[1] else ""
    number = found[2].replace(",", "")
    read = spoken_decimal(number) if "." in number else spoken_count(int(number))
    return sign + read + _UNITS[found[3]] + (f"每{_UNITS[found[4]]}" if found[4] else "")


_CLOCK = r"(?P<hour{n}>[01]?\d|2[0-4])[:：](?P<minute{n}>[0-5]\d)(?:[:：][0-5]\d)?"
_ONE_UNIT = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))

_RULES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    # Telephones: mobiles, 400 numbers, landlines
    (re.compile(_NOT_BEFORE + r"(?:\+86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}" + _NOT_AFTER), _phone),
    (re.compile(_NOT_BEFORE + r"[48]00[- ]?\d{3}[- ]?\d{4}" + _NOT_AFTER), _phone),
    (re.compile(_NOT_BEFORE + r"(?:\+86[- ]?)?0\d{2,3}[- ]?\d{7,8}" + _NOT_AFTER), _phone),
    # 京A12345, TS202611220001, B2, WH-1024
    (re.compile(rf"([{_PROVINCES}])([A-Z])([A-Z0-9]{{4,6}}[A-Z0-9])" + _NOT_AFTER), _plate),
    (re.compile(r"(?<![A-Za-z0-9])(?=[A-Za-z0-9-]*\d)[A-Z][A-Z-]{0,7}\d[A-Z0-9-]*" + _NOT_AFTER), _code),
    (re.compile(r"(?<![A-Za-z0-9-])\d+(?:栋|幢|座)?-\d+-\d+(?![\d-])(?=室|房|号)"), lambda m: _rooms(m[0])),
    # Dates
    (
        re.compile(
            r"(?<!\d)(?P<year>\d{4})(?P<mark>[-/.])(?P<month>0?[1-9]|1[0-2])(?P=mark)(?P<day>[12]\d|3[01]|0?[1-9])(?!\d)"
        ),
        _date,
    ),
    (
        re.compile(
            r"(?<!\d)(?:(?P<year>\d{4})年)?(?P<month>0?[1-9]|1[0-2])月(?:份)?(?:(?P<day>[12]\d|3[01]|0?[1-9])(?:日|号))?"
        ),
        _date,
    ),
    (re.compile(r"(?<!\d)(\d{4})(?=年(?!以|后|前|内|期|间))"), lambda m: spoken_year(m[1])),
    # Times of day
    (
        re.compile(rf"(?<![\d:]){_CLOCK.format(n='')}(?:{_TO}{_CLOCK.format(n='2')})?(?![\d:])"),
        _times,
    ),
    # Shares
    (re.compile(rf"(?:({_NUMBER})%?{_TO})?({_NUMBER})\s*[%‰]"), _percents),
    # Money
    (re.compile(rf"¥\s*({_NUMBER})\s*(万|亿)?元?|({_NUMBER})\s*(万|亿)?元"), _money),
    # Measures with a sign
    (
        re.compile(rf"(?:(?<![0-9A-Za-z])(-))?({_NUMBER})\s*({_ONE_UNIT})(?:/({_ONE_UNIT}))?(?![A-Za-z0-9])"),
        _unit,
    ),
    (re.compile(r"(?<=元)/(平方米|平米|米|平|天|月|年|次|项|户|套|个)"), r"每\1"),
    (re.compile(r"(?<=元)/㎡"), "每平方米"),
    # Numbers that name something
    (re.compile(rf"({_NAMED})(\d+)"), lambda m: m[1] + spoken_digits(m[2])),
    (re.compile(r"(?<!\d)(\d{3,4})(?=\s*(?:室|号房|房间|房(?!产|屋|子|型)))"), lambda m: spoken_digits(m[1])),
    # 3-5天, 1:3, 1/2
    (re.compile(rf"(?<![\d.])({_NUMBER}){_TO}({_NUMBER})(?![\d.])"), _range),
    (re.compile(r"(?<![\d:])(\d{1,3}):(\d{1,3})(?![\d:])"), lambda m: f"{_plain(m[1])}比{_plain(m[2])}"),
    (re.compile(r"(?<![\d/])(\d{1,3})/(\d{1,3})(?![\d/])"), lambda m: f"{_plain(m[2])}分之{_plain(m[1])}"),
    (re.compile(rf"(?<!第)(?<![\d.])({_NUMBER})(?={_MEASURES})"), _measured),
    (re.compile(_NUMBER), lambda m: _plain(m[0])),
    # What is left of signs
    (re.compile(r"\*"), "星号"),
    (re.compile(r"#"), "井号"),
    (re.compile(r"(?<=\S)&(?=\S)"), "和"),
    (re.compile(r"\s*[/|~_=<>{}\[\]^`\\]+\s*"), "，"),
)


def _rooms(place: str) -> str:
    *houses, room = place.split("-")
    said = ",".join(re.sub(r"\d+", lambda run: spoken_integer(int(run[0])), house) for house in houses)
    return f"{said},{spoken_digits(room) if len(room) > 2 else spoken_integer(int(room))}"
