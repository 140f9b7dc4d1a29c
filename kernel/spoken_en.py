"""Numbers, dates and money as people say them aloud in English, for whatever is spoken by a machine."""

from datetime import date, time
from decimal import Decimal

from kernel.spoken import LARGEST

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ("", "thousand", "million", "billion", "trillion", "quadrillion")
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


def spoken_digits_en(value: str) -> str:
    """Return a number digit by digit: ``13800138000`` → ``one three eight, zero zero one three, …``.

    Mobiles go 3-4-4, everything else in fours from the end. Other characters are left out.
    """
    digits = "".join(char for char in value if char in "0123456789")
    if len(digits) <= 5:
        groups = [digits]
    else:
        head = 3 if len(digits) == 11 else len(digits) % 4
        groups = [digits[:head], *(digits[at : at + 4] for at in range(head, len(digits), 4))]
    return ", ".join(" ".join(_ONES[int(digit)] for digit in group) for group in groups if group)


def spoken_integer_en(number: int) -> str:
    """Return a whole number: ``10086`` → ``ten thousand and eighty-six``."""
    if number < 0:
        return "minus " + spoken_integer_en(-number)
    if number > LARGEST:
        return spoken_digits_en(str(number))
    if number == 0:
        return _ONES[0]
    threes: list[tuple[int, str]] = []
    rest, scale = number, 0
    while rest:
        rest, three = divmod(rest, 1000)
        if three:
            threes.insert(0, (three, _SCALES[scale]))
        scale += 1
    parts = [f"{_hundreds(three)} {name}".strip() for three, name in threes]
    last, name = threes[-1]
    if len(parts) > 1 and not name and last < 100:
        return " ".join(parts[:-1]) + " and " + parts[-1]
    return " ".join(parts)


def _hundreds(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    said = f"{_ONES[hundreds]} hundred" if hundreds else ""
    if not rest:
        return said
    tens, ones = divmod(rest, 10)
    small = _ONES[rest] if rest < 20 else _TENS[tens] + (f"-{_ONES[ones]}" if ones else "")
    return f"{said} and {small}" if said else small


def spoken_ordinal_en(number: int) -> str:
    """Return a place in an order: ``22`` → ``twenty-second``."""
    said = spoken_integer_en(number)
    head, mark, last = said.rpartition("-") if "-" in said.split(" ")[-1] else said.rpartition(" ")
    ordinal = _ORDINALS.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
    return head + mark + ordinal


def spoken_money_en(amount: Decimal) -> str:
    """Return an amount in yuan: ``1280.50`` → ``one thousand two hundred and eighty yuan fifty``."""
    if amount < 0:
        return "minus " + spoken_money_en(-amount)
    yuan, fen = divmod(int((amount * 100).to_integral_value()), 100)
    said = f"{spoken_integer_en(yuan)} yuan"
    return said if not fen else f"{said} {'oh ' if fen < 10 else ''}{spoken_integer_en(fen)}"


def spoken_date_en(day: date, *, year: bool = False) -> str:
    """Return a day: ``2026-11-22`` → ``November the twenty-second``, perhaps ``…, twenty twenty-six``."""
    said = f"{_MONTHS[day.month - 1]} the {spoken_ordinal_en(day.day)}"
    return f"{said}, {spoken_year_en(day.year)}" if year else said


def spoken_year_en(year: int) -> str:
    """Return a year: ``2026`` → ``twenty twenty-six``, ``2005`` → ``two thousand and five``."""
    century, rest = divmod(year, 100)
    if not 1000 <= year <= 9999 or (century % 10 == 0 and rest < 10):
        return spoken_integer_en(year)
    if not rest:
        return f"{spoken_integer_en(century)} hundred"
    return f"{spoken_integer_en(century)} {'oh ' if rest < 10 else ''}{spoken_integer_en(rest)}"


def spoken_time_en(at: time) -> str:
    """Return an hour of the day: ``8:30`` → ``eight thirty a.m.``, ``18:00`` → ``six p.m.``."""
    half = "a.m." if at.hour < 12 else "p.m."
    said = spoken_integer_en((at.hour - 1) % 12 + 1)
    if not at.minute:
        return f"{said} {half}"
    return f"{said} {'oh ' if at.minute < 10 else ''}{spoken_integer_en(at.minute)} {half}"
