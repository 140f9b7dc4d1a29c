"""Numbers as people say them aloud in Mandarin, for whatever is spoken by a machine."""

_DIGITS = dict(zip("0123456789", "零幺二三四五六七八九", strict=True))
_COUNTS = "零一两三四五六七八九十"


def spoken_digits(value: str) -> str:
    """Return a number as people read it aloud: ``13800138000`` → ``幺三八,零零幺三,八零零零``.

    Mobiles go 3-4-4, landlines by area code, the rest in fours from the end. Other characters are left out.
    """
    digits = "".join(char for char in value if char in _DIGITS)
    if len(digits) == 11 and digits.startswith("1"):
        groups = [digits[:3], digits[3:7], digits[7:]]
    elif digits.startswith("0") and len(digits) >= 10:
        area = 3 if digits[1] in "12" else 4
        rest = digits[area:]
        groups = [digits[:area], rest[:-4], rest[-4:]]
    else:
        head = len(digits) % 4
        groups = [digits[:head], *(digits[at : at + 4] for at in range(head, len(digits), 4))]
    return ",".join("".join(_DIGITS[digit] for digit in group) for group in groups if group)


def spoken_count(number: int) -> str:
    """Return a small count as it stands before a measure word: ``2`` → ``两`` (分钟)."""
    if 0 <= number <= 10:
        return _COUNTS[number]
    if number < 20:
        return f"十{'' if number == 10 else '二' if number == 12 else _COUNTS[number - 10]}"
    return str(number)
