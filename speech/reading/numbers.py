"""Which numerals of a text become figures: telephone numbers, money, dates, times, addresses, amounts.

A number that counts few things stays a word (三个人), as do indefinite ones (两三天) and idioms (万一).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from speech.reading.model import Change
from speech.reading.numerals import (
    ALL,
    LONGEST,
    digits_of,
    is_approximate,
    is_count,
    is_string,
    value_of,
    written,
)

_RUN = re.compile(f"[{ALL}]+")
_AROUND = 8
"""Characters before and after a run that decide about it."""

_DAY = "[一二三四五六日天]"
_KEPT = re.compile(
    f"(?<![{ALL}0-9几每])周{_DAY}|星期{_DAY}|礼拜{_DAY}|第[一二三四五六七八九](?![{ALL}])"
    "|十三陵|十里堡|十里河|十八里店|三十六计|三十而立|四十不惑|双十[一二]|大年三十|九九八十一|三七二十一"
    "|一百个不|百里挑一|一千零一夜|一五一十|十三香|二十四节气|一百八十度大转弯|十全十美|十有八九|十万八千里|十万火急"
    "|一点一滴"
)
"""Words that hold numerals and mean no number, and weekdays and ordinals, which nobody writes in figures."""

_COUNTED = re.compile(
    "(?:个|天(?!半)|块|元|月(?!子)|号|日|点(?!都|也|儿|意见)|分钟|年|平|方|米|厘米|公分|毫米|公里|公斤|斤|次|遍|人|户|楼|层|栋|幢|单元|小时|袋|桶|箱"
    "|套|扇|根|张|片|周(?!围|边|到|全)|岁|秒|折(?!腾|叠|断|中)|倍|期|页|条|项|件|道|趟|台|盏|间|步|位|笔|单|家|升|吨|瓦|度|寸)"
)
"""What stands after a number that counts or measures."""

_MEASURED = re.compile(
    "(?:米(?!线|饭|白|黄|色)|平米|平方|厘米|公分|毫米|公里|公斤|千克|千瓦|毫升|英寸|兆|吨(?!吨)|元(?!素|旦|件))"
)
"""Units beside which even a small number is written in figures."""

_OFF = re.compile("折(?!腾|叠|断|中)")
_HOME_BEFORE = re.compile("(?:单元|号楼|楼|层|栋|幢|门|座)$")
_STOREY = re.compile("(?:楼|单元|栋|幢)")
_MONEY = re.compile(
    "(?:收|付|交|花|退|赔|欠|扣|付款|报价|定金|订金|押金|首付|首期|尾款|工程款|总价|价格|费用|优惠|便宜|加价|价)"
    "(?:给|掉|出)?(?:是|了|我|你们|您|我们|他|大概|一共|总共|就|才|要|到)*$"
)
_COINS = re.compile("块(?!儿|瓷|砖|板|地|玻|石|木|来|去|走|修|弄)")
_COINS_SURE = re.compile("块(?:钱|[一二三四五六七八九]毛)|毛(?:钱|[一二三四五六七八九]分)")
_DATED = re.compile("号(?!召|称|外)|月(?!一次|两次|子|光|亮)")
_PARTS = re.compile("(?:上午|中午|下午|晚上|傍晚|凌晨|早上|清早|夜里|半夜|今晚|明晚|今早|明早|早晨)$")
_DAYS = re.compile(f"(?:今天|明天|后天|当天|每天|[号日]|周{_DAY}|星期{_DAY}|礼拜{_DAY}|[到至])$")
_HOUR_TAIL = re.compile("(?:半|钟|整|左右|来钟|一刻|三刻)")
_HOUR_TAIL_LOOSE = re.compile("(?:多(?!少|余)|前|后|以前|以后|之前|之后|到|至|过)")
_NO_HOUR = re.compile("(?:意见|要求|建议|问题|原因|理由|都|也|儿|没|不|吧|内容|体会|情况|说明)")
_MINUTE = re.compile(
    "(?:零?[一二三四五六七八九](?=分(?!之))|零[一二三四五六七八九]|[二三四五]?十[一二三四五六七八九]?)"
)
_HALF = re.compile(
    "[一二三四五六七八九](?:$|[^\u4e00-\u9fff]|[的了吧啊呢吗左宽高长深厚每]|一(?:斤|平|米|个|片|块))"
)
_DECIMALS = re.compile("[零〇一二三四五六七八九]+")
_ROOM = re.compile(
    "([一二三四五六七八九]?十[一二三四五六七八九]?|[一二三四五六七八九])[零〇]([一二三四五六七八九])"
)
_PHONE = re.compile(r"(?<![0-9])(1[3-9][0-9])[，,、 ]([0-9]{4})[，,、 ]([0-9]{4})(?![0-9])")


@dataclass(frozen=True, slots=True)
class _At:
    """A run of numerals in its text."""

    text: str
    start: int
    end: int

    @property
    def run(self) -> str:
        return self.text[self.start : self.end]

    @property
    def before(self) -> str:
        return self.text[max(0, self.start - _AROUND) : self.start]

    @property
    def after(self) -> str:
        return self.text[self.end : self.end + _AROUND]

    def becomes(self, new: str, *, end: int = 0) -> Change:
        return Change(self.start, end or self.end, new)


def changes_of(text: str) -> list[Change]:
    """Return what to change so that the text's numbers can be read; nothing where all is well."""
    return list(_changes(text)) or [
        Change(found.start(), found.end(), "".join(found.groups())) for found in _PHONE.finditer(text)
    ]


def _changes(text: str) -> Iterator[Change]:
    kept = _KEPT.finditer(text)
    word = next(kept, None)
    at = 0
    while (found := _RUN.search(text, at)) is not None:
        while word is not None and word.end() <= found.start():
            word = next(kept, None)
        if word is not None and word.start() < found.end():
            if word.start() <= found.start():
                at = word.end()
                continue
            found = _RUN.match(text, found.start(), word.start()) or found
        at = found.end()
        one = _At(text, found.start(), found.end())
        if one.before[-1:].isascii() and one.before[-1:].isdigit():
            continue
        if one.after[:1].isascii() and one.after[:1].isdigit():
            continue
        for reader in _READERS:
            change = reader(one)
            if change is not None:
                if change.new != text[change.start : change.end]:
                    yield change
                at = max(at, change.end)
                break


def _percent(one: _At) -> Change | None:
    """百分之三十 → 30%."""
    sign = {"百": "%", "千": "‰"}.get(one.run)
    if sign is None or not one.after.startswith("分之"):
        return None
    found = _RUN.match(one.text, one.end + 2)
    if found is None or is_approximate(found.group()) or one.text[found.end() : found.end() + 1] == "几":
        return None
    number, end = _decimal(one.text, found.start(), found.end()) or (None, found.end())
    if number is None:
        value = value_of(found.group())
        number = None if value is None else str(value)
    return None if number is None else one.becomes(f"{number}{sign}", end=end)


def _decimal(text: str, start: int, end: int) -> tuple[str, int] | None:
    """Return the number written as 三点五, and where it ends."""
    if text[end : end + 1] != "点" or end - start > LONGEST:
        return None
    found = _DECIMALS.match(text, end + 1)
    run = text[start:end]
    whole = 0 if run in ("零", "〇") else value_of(run)
    if found is None or whole is None or found.end() - found.start() > LONGEST:
        return None
    following = text[found.end() : found.end() + 1]
    if following in ("点", "十", "百", "千", "几", "分"):
        return None
    return f"{whole}.{digits_of(found.group())}", found.end()


def _time(one: _At) -> Change | None:
    """下午三点半 → 下午3点半, 八点二十 → 8点20."""
    if not one.after.startswith("点"):
        return None
    hour = 0 if one.run in ("零", "〇") else value_of(one.run)
    if hour is None or hour > 24 or is_approximate(one.run):
        return None
    tail = one.text[one.end + 1 : one.end + 1 + _AROUND]
    minute = _MINUTE.match(tail)
    lone = one.run == "一"
    part = _PARTS.search(one.before) is not None
    if minute is not None and not is_approximate(minute.group()):
        rest = tail[minute.end() : minute.end() + 1]
        if rest not in ("百", "千", "万", "点", "几", "个", *"一二三四五六七八九十"):
            said = minute.group()
            value = value_of(said.lstrip("零"))
            if value is not None and value < 60:
                figures = f"0{value}" if said.startswith("零") else str(value)
                return one.becomes(f"{hour}点{figures}", end=one.end + 1 + minute.end())
    if _HOUR_TAIL.match(tail):
        return one.becomes(str(hour))
    if tail[:1] and tail[0] in ALL and not part:
        return None
    if _HOUR_TAIL_LOOSE.match(tail) and (not lone or part):
        return one.becomes(str(hour))
    if (part or (not lone and _DAYS.search(one.before))) and not _NO_HOUR.match(tail):
        return one.becomes(str(hour))
    return None


def _fraction(one: _At) -> Change | None:
    """三点五 → 3.5; what else stands before 点 is no number that is read in figures."""
    if not one.after.startswith("点"):
        return None
    found = _decimal(one.text, one.start, one.end)
    if found is not None:
        return one.becomes(found[0], end=found[1])
    return Change(one.start, one.start, "") if len(one.run) == 1 else None


def _half_unit(one: _At) -> Change | None:
    """一米八 → 1.8米, 三块五 → 3.5元."""
    unit = one.after[:1]
    tail = one.text[one.end + 1 : one.end + 4]
    if unit not in ("米", "块") or not _HALF.match(tail):
        return None
    value = _whole(one)
    if value is None:
        return None
    name = "元" if unit == "块" else unit
    return one.becomes(f"{value}.{digits_of(tail[0])}{name}", end=one.end + 2)


def _whole(one: _At) -> int | None:
    return None if is_approximate(one.run) else value_of(one.run)


def _string(one: _At) -> Change | None:
    """一三八零零一三八零零零 → 13800138000, 二零二六年 → 2026年."""
    run, before, after = one.run, one.before, one.after
    if not is_string(run) or len(run) < 2:
        return None
    home = _STOREY.match(after) or after[:1] in ("室", "号", "房", "户") or _HOME_BEFORE.search(before)
    if len(run) > 2:
        return None if is_count(run) and not home else one.becomes(digits_of(run))
    if "幺" in run or (after.startswith("后") and run[1] == "零"):
        return one.becomes(digits_of(run))
    if (home or after.startswith("年") or _OFF.match(after)) and not is_approximate(run):
        return one.becomes(digits_of(run))
    return None


def _number(one: _At) -> Change | None:
    """三千五百块 → 3500块, 八十九平 → 89平, 二十三号 → 23号."""
    run, before, after = one.run, one.before, one.after
    if len(run) < 2 and run != "十":
        return None
    if is_approximate(run) or after.startswith(("几", "分之")) or before.endswith(("几", "数", "初", "分之")):
        return None
    value = value_of(run)
    if value is None:
        room = _ROOM.fullmatch(run)
        if room is None:
            return None
        floor = value_of(room.group(1))
        return one.becomes(f"{floor}0{digits_of(room.group(2))}")
    counted = _COUNTED.match(after)
    if run == "十" and (not counted or before.endswith(("零", "第"))):
        return one.becomes("10") if before.endswith("第") else None
    money = _MONEY.search(before) is not None
    if run in ("十一", "二百五") and not counted and not money and not before.endswith("第"):
        return None
    figures = written(run, value)
    if money and not counted and value >= 100 and after[:1] not in ("多", "来", "左", "以", "万", "亿"):
        figures += "元"
    return one.becomes(figures)


def _small(one: _At) -> Change | None:
    """三号楼 → 3号楼, 五月 → 5月, 两米 → 2米."""
    run, before, after = one.run, one.before, one.after
    if len(run) != 1 or run in "零〇十百千万亿幺":
        return None
    value = str(value_of(run))
    if _MEASURED.match(after) and not before.endswith(("第", "几")):
        return one.becomes(value)
    if (_COINS.match(after) and _MONEY.search(before)) or _COINS_SURE.match(after) or _OFF.match(after):
        return one.becomes(value)
    if run == "两":
        return None
    if (_DATED.match(after) or _STOREY.match(after)) and not before.endswith(("个", "几", "每", "第")):
        return one.becomes(value)
    if after.startswith("日") and before.endswith("月"):
        return one.becomes(value)
    if after.startswith("门") and re.search("(?:楼|栋|单元)$", before):
        return one.becomes(value)
    return None


_READERS: tuple[Callable[[_At], Change | None], ...] = (
    _percent,
    _time,
    _half_unit,
    _fraction,
    _string,
    _number,
    _small,
)
