"""Numbers as people say them aloud in Mandarin, for whatever is spoken by a machine."""

from decimal import Decimal

_DIGITS = dict(zip("0123456789", "零幺二三四五六七八九", strict=True))
_NUMERALS = "零一二三四五六七八九"
_PLACES = ("", "十", "百", "千")
_MYRIADS = ("", "万", "亿", "万亿")

LARGEST = 10**16 - 1
"""Larger numbers are read digit by digit."""


def spoken_digits(value: str) -> str:
    """Return a number as people read it aloud: ``13800138000`` → ``幺三八,零零幺三,八零零零``.

    Mobiles go 3-4-4, landlines by area code, 400 numbers 3-3-4, up to five digits in one breath, the rest in
    fours from the end. Other characters are left out.
    """
    digits = "".join(char for char in value if char in _DIGITS)
    count = len(digits)
    if count == 11 and digits.startswith("1"):
        groups = [digits[:3], digits[3:7], digits[7:]]
    elif count == 10 and digits.startswith(("400", "800")):
        groups = [digits[:3], digits[3:6], digits[6:]]
    elif digits.startswith("0") and count >= 10:
        area = 3 if digits[1] in "12" else 4
        rest = digits[area:]
        groups = [digits[:area], rest[:-4], rest[-4:]]
    elif count in {6, 7}:
        groups = [digits[:3], digits[3:]]
    elif count <= 5:
        groups = [digits]
    else:
        head = count % 4
        groups = [digits[:head], *(digits[at : at + 4] for at in range(head, count, 4))]
    return ",".join("".join(_DIGITS[digit] for digit in group) for group in groups if group)


def spoken_year(year: str) -> str:
    """Return a year's digits one by one, 一 and not 幺: ``2026`` → ``二零二六``."""
    return "".join(_NUMERALS[int(digit)] for digit in year)


def spoken_integer(number: int) -> str:
    """Return a whole number: ``10086`` → ``一万零八十六``, ``15`` → ``十五``, ``-3`` → ``负三``."""
    if number < 0:
        return "负" + spoken_integer(-number)
    if number > LARGEST:
        return spoken_year(str(number))
    said, gap = "", False
    for myriad in range(len(_MYRIADS) - 1, -1, -1):
        four = number // 10_000**myriad % 10_000
        if not four:
            gap = gap or bool(said)
            continue
        if said and (gap or four < 1000):
            said += "零"
        said, gap = said + _thousands(four) + _MYRIADS[myriad], False
    if said.startswith("一十"):
        said = said[1:]
    return said or "零"


def _thousands(number: int) -> str:
    said, gap = "", False
    for place in range(3, -1, -1):
        digit = number // 10**place % 10
        if not digit:
            gap = gap or bool(said)
            continue
        said += ("零" if gap else "") + _NUMERALS[digit] + _PLACES[place]
        gap = False
    return said


def spoken_count(number: int) -> str:
    """Return a count as it stands before a measure word: ``2`` → ``两`` (分钟), ``2200`` → ``两千二百``."""
    if number == 2:
        return "两"
    said = spoken_integer(number)
    # 两百, 两千, 两万 at the head of a number; 二十 and 十二 stay.
    return "两" + said[1:] if said[:2] in {"二百", "二千", "二万", "二亿"} else said


def spoken_decimal(number: str) -> str:
    """Return a number as it is written, digit by digit after the point: ``3.50`` → ``三点五零``."""
    sign = "负" if number.startswith("-") else ""
    whole, _, rest = number.lstrip("+-").partition(".")
    said = spoken_integer(int(whole or "0"))
    return sign + said + ("点" + spoken_year(rest) if rest else "")


def spoken_money(amount: Decimal) -> str:
    """Return an amount of yuan: ``1280.50`` → ``一千二百八十元五角``, ``12.05`` → ``十二元零五分``.

    More than two places are read after a point.
    """
    if amount < 0:
        return "负" + spoken_money(-amount)
    if amount.as_tuple().exponent < -2:  # type: ignore[operator]  # infinite amounts have no exponent
        return spoken_decimal(format(amount.normalize(), "f")) + "元"
    fen = int(amount * 100)
    yuan, jiao, fen = fen // 100, fen // 10 % 10, fen % 10
    said = spoken_count(yuan) + "元" if yuan or not (jiao or fen) else ""
    if jiao:
        said += ("两" if jiao == 2 and not said else _NUMERALS[jiao]) + "角"
    if fen:
        said += (
            ("零" if said and not jiao else "") + ("两" if fen == 2 and not said else _NUMERALS[fen]) + "分"
        )
    return said
