"""Numbers that nobody may keep: identity cards and bank cards, read or spoken, also across several texts.

Finds them; hides them in a text; and says which seconds of the sound hold them. It never returns a number.
Telephone numbers are none of them: who may see those, roles decide.

Found is what the number itself proves: an identity card's region, date of birth and check character
(GB 11643), a bank card's check digit (ISO/IEC 7812). A recogniser mishears digits, so that a number announced
as one (卡号, 身份证) is taken without proof once it is long enough.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

LABELS = {"id_card": "〔身份证号已隐藏〕", "bank_card": "〔银行卡号已隐藏〕"}
MAX_GAP_SECONDS = 20.0
"""A longer silence ends a number."""
MAX_SYMBOLS = 120
"""Digits that are remembered of a speaker at the most."""
GROUP = 3
"""Digits that make a group of a number; fewer among words are none of it."""
MAX_BETWEEN = 14
"""Characters between two groups of digits that belong to one number."""
PAD_SECONDS = 0.2
"""Silenced before and after, since a word's times are never exact."""

_SPOKEN = {
    **dict(zip("零〇一幺二两三四五六七八九", "0011223456789", strict=True)),
    **dict(zip("０１２３４５６７８９", "0123456789", strict=True)),
    **{digit: digit for digit in "0123456789"},
    **dict(zip("貳贰叁肆伍陆柒捌玖壹兩", "22345678912", strict=True)),
}
_MISHEARD = dict(
    zip(
        "林玲依衣要腰耳儿伞山思事屋武舞流柳刘溜妻期奇吧把爸酒久就",
        "0011112233445556666777888999",
        strict=True,
    )
)
"""What a recogniser writes for a digit; counts as one between digits only."""
_X = re.compile(r"[XxＸｘ叉]|(?:艾|爱|埃)克斯")
_COUNT = re.compile("([两三四五])个([零〇一幺二三四五六七八九0-9])")
_FILLER = re.compile(
    r"[\s,，。.、\-—–·:：嗯啊呃额哦呢吧]|然后|接着|后面|后边|下面|再|就是|还有|那个|是|对|好|的"
)
_ANNOUNCED = (
    ("id_card", re.compile("身份证|证件号|身份号码")),
    (
        "bank_card",
        re.compile(
            "卡号|银行卡|信用卡|储蓄卡|借记卡|帐号|账号|账户|打到卡|工商银行|建设银行|农业银行|中国银行|招商银行"
        ),
    ),
)
_TELEPHONE = re.compile("电话|手机|座机|微信")
"""After such a word another number begins, and it is no card's."""
_ANNOUNCED_FOR = 60
"""Characters for which an announcement holds."""
_REGIONS = frozenset(
    (
        *range(11, 16),
        *range(21, 24),
        *range(31, 38),
        *range(41, 47),
        *range(50, 55),
        *range(61, 66),
        71,
        81,
        82,
        83,
    )
)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_MOBILES = re.compile(r"(?:86)?(?:1[3-9]\d{9}){1,4}")
_CARD_LEADS = "34569"
_ID_LENGTH = 18
_UNPROVEN = {"id_card": 14, "bank_card": 13}
"""So many digits are taken without proof where a number was announced."""
MAX_UNPROVEN = 40


class Kind(StrEnum):
    """What a number is."""

    ID_CARD = "id_card"
    BANK_CARD = "bank_card"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A part of a text with its time in the recording, in seconds."""

    start: int
    end: int
    since: float
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A part of one text that belongs to a number; ``piece`` names the text."""

    piece: str
    start: int
    end: int
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitive:
    """A number that was found: where it stands, never what it is.

    Attributes:
        places: one for each text that it goes through, in order.
        proven: its check digit is right; otherwise it was announced and long enough.
    """

    kind: Kind
    places: tuple[Place, ...]
    proven: bool


@dataclass(frozen=True, slots=True)
class _Symbol:
    digit: str  # "0" to "9" or "X"
    piece: str
    start: int
    end: int
    since: float | None
    until: float | None
    announced: str


def luhn(digits: str) -> bool:
    """Whether the check digit of a bank card is right (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_id_card(number: str) -> bool:
    """Whether 18 characters are an identity card's number: region, date of birth and check character."""
    if len(number) != _ID_LENGTH or not number[:17].isdigit() or int(number[:2]) not in _REGIONS:
        return False
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    if not 1900 <= born.year <= 2100:
        return False
    total = sum(int(char) * weight for char, weight in zip(number, _WEIGHTS, strict=False))
    return "10X98765432"[total % 11] == number[17]


def is_bank_card(number: str) -> bool:
    """Whether 13 to 19 digits may be a bank card's number."""
    return (
        13 <= len(number) <= 19
        and number.isdigit()
        and number[0] in _CARD_LEADS
        and len(set(number)) > 2
        and luhn(number)
    )


class Watch:
    """Follows what one speaker says and finds numbers that go from one text into the next.

    Feed every final text of the speaker, in order. It remembers digits of the last seconds only.
    """

    def __init__(self) -> None:
        self._symbols: deque[_Symbol] = deque(maxlen=MAX_SYMBOLS)
        self._found: set[tuple[Kind, tuple[Place, ...]]] = set()
        self._between = 0
        self._group = 0
        self._announced = ""
        self._announced_left = 0
        self._until: float | None = None

    @property
    def suspect(self) -> bool:
        """Whether a number that may be sensitive is just being said: reason to pause the recording."""
        run = "".join(one.digit for one in self._symbols)
        announced = bool(self._symbols) and bool(self._symbols[-1].announced)
        return len(run) >= (4 if announced else 12) and not _MOBILES.fullmatch(run)

    def feed(self, piece: str, text: str, times: Sequence[Timed] = ()) -> tuple[Sensitive, ...]:
        """Take the next text of the speaker; return what became certain with it.

        Args:
            piece: names the text in the places that are returned; they may lie in earlier texts as well.
            times: parts of the text with their times, in order; none if the text has none.
        """
        found: list[Sensitive] = []
        clock = _Clock(times)
        if times and self._until is not None and times[0].since - self._until > MAX_GAP_SECONDS:
            found += self._settle()
        gap_from = 0
        for start, end, digits in _digits(text):
            if not self._bridged(text[gap_from:start]):
                found += self._settle()
            gap_from = end
            self._group += len(digits)
            if self._group >= GROUP:
                self._between = 0
            since, until = clock.at(start, end)
            announced = self._announced if self._announced_left > 0 else ""
            self._symbols.extend(
                _Symbol(digit, piece, start, end, since, until, announced) for digit in digits
            )
        if not self._bridged(text[gap_from:]):
            found += self._settle()
        if times:
            self._until = times[-1].until
        return (*found, *self._look())

    def _bridged(self, between: str) -> bool:
        """Take what stands between digits; return whether the number may go on after it."""
        told = [(m.end(), kind) for kind, words in _ANNOUNCED for m in words.finditer(between)]
        if told:
            end, self._announced = max(told)
            self._announced_left = _ANNOUNCED_FOR - (len(between) - end)
        else:
            self._announced_left -= len(between)
        telephones = [m.end() for m in _TELEPHONE.finditer(between)]
        if telephones:
            if not told or max(told)[0] < telephones[-1]:
                self._announced, self._announced_left = "", 0
            return False
        other = len(_FILLER.sub("", between))
        if other:
            if self._group < GROUP:
                # One or two digits among words are words: 一个, 两天.
                for _ in range(min(self._group, len(self._symbols))):
                    self._symbols.pop()
                other += self._group
            self._group = 0
        self._between += other
        return self._between <= MAX_BETWEEN

    def _settle(self) -> list[Sensitive]:
        """Look at the number that has ended, and forget it."""
        found = self._look()
        self._symbols.clear()
        self._between = self._group = 0
        return found

    def _look(self) -> list[Sensitive]:
        fresh = []
        for one in _in(list(self._symbols)):
            key = (one.kind, one.places)
            if key not in self._found:
                fresh.append(one)
        self._found = {(one.kind, one.places) for one in _in(list(self._symbols))}
        return fresh


def sensitive(text: str, times: Sequence[Timed] = ()) -> tuple[Sensitive, ...]:
    """Return the sensitive numbers of one text, in order. Never fails."""
    return Watch().feed("", text, times)


def hidden(text: str, found: Iterable[Sensitive], piece: str = "") -> str:
    """Return the text with labels in the place of numbers."""
    places = [(place, one.kind) for one in found for place in one.places if place.piece == piece]
    parts: list[str] = []
    at = 0
    for place, kind in sorted(places, key=lambda pair: (pair[0].start, -pair[0].end)):
        if place.end <= at:
            continue
        parts += [text[at : max(at, place.start)], LABELS[kind] if place.start >= at else ""]
        at = place.end
    return "".join((*parts, text[at:]))


def without_numbers(text: str) -> str:
    """Return a text that somebody typed with labels in the place of cards' numbers."""
    return hidden(text, sensitive(text))


def silences(found: Iterable[Sensitive]) -> tuple[tuple[float, float], ...]:
    """Return the seconds of sound that hold numbers, in order and without overlaps."""
    ranges: list[tuple[float, float]] = []
    for since, until in sorted(
        (max(0.0, place.since - PAD_SECONDS), place.until + PAD_SECONDS)
        for one in found
        for place in one.places
        if place.since is not None and place.until is not None
    ):
        if ranges and since <= ranges[-1][1]:
            ranges[-1] = (ranges[-1][0], max(until, ranges[-1][1]))
        else:
            ranges.append((since, until))
    return tuple(ranges)


class _Clock:
    """Finds the time of a part of the text; asked in order."""

    def __init__(self, times: Sequence[Timed]) -> None:
        self._times = times
        self._next = 0

    def at(self, start: int, end: int) -> tuple[float | None, float | None]:
        while self._next < len(self._times) and self._times[self._next].end <= start:
            self._next += 1
        since = until = None
        for one in self._times[self._next :]:
            if one.start >= end:
                break
            since = one.since if since is None else since
            until = one.until
        return since, until


def _digits(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield where digits stand and which: one for a character, more for «三个零»."""
    at = 0
    while at < len(text):
        char = text[at]
        count = _COUNT.match(text, at)
        if count is not None:
            yield at, count.end(), _SPOKEN[count.group(2)] * int(_SPOKEN[count.group(1)])
            at = count.end()
            continue
        digit = _SPOKEN.get(char)
        if digit is None and char in _MISHEARD and _between_digits(text, at):
            digit = _MISHEARD[char]
        if digit is not None:
            yield at, at + 1, digit
        else:
            last = _X.match(text, at)
            if last is not None:
                yield at, last.end(), "X"
                at = last.end()
                continue
        at += 1


def _between_digits(text: str, at: int) -> bool:
    """Whether a word that sounds like a digit stands among digits."""
    left = sum(char in _SPOKEN for char in text[max(0, at - 3) : at])
    right = sum(char in _SPOKEN for char in text[at + 1 : at + 4])
    return left >= 2 and right >= 1 and left + right >= 4


def _in(symbols: list[_Symbol]) -> list[Sensitive]:
    run = "".join(one.digit for one in symbols)
    found: list[Sensitive] = []
    at = 0
    while at < len(run):
        kind, length = _proven_at(run, at)
        if length:
            found.append(_made(Kind(kind), symbols[at : at + length], proven=True))
            at += length
        else:
            at += 1
    if found or _MOBILES.fullmatch(run):
        return found
    first = next((place for place, one in enumerate(symbols) if one.announced), len(symbols))
    said = symbols[first:]
    if (
        said
        and _UNPROVEN[said[0].announced] <= len(said) <= MAX_UNPROVEN
        and not _MOBILES.fullmatch(run[first:])
    ):
        return [_made(Kind(said[0].announced), said, proven=False)]
    return []


def _proven_at(run: str, at: int) -> tuple[str, int]:
    """Return which number begins here and how long it is; nothing where none does."""
    if is_id_card(run[at : at + _ID_LENGTH]):
        return "id_card", _ID_LENGTH
    rest = len(run) - at
    if _MOBILES.fullmatch(run):
        return "", 0
    for length in (19, 16, 18, 17, 15, 14, 13):
        # A short one must stand alone: among many digits every tenth would pass.
        alone = rest == length and at == 0
        sure = length in (16, 19) and (alone or run[at : at + 2] in ("62", "60", "95") or at == 0)
        if length <= rest and (alone or sure) and is_bank_card(run[at : at + length]):
            return "bank_card", length
    return "", 0


def _made(kind: Kind, symbols: Sequence[_Symbol], *, proven: bool) -> Sensitive:
    places: list[Place] = []
    for one in symbols:
        last = places[-1] if places else None
        if last is not None and last.piece == one.piece:
            places[-1] = replace(last, end=one.end, until=one.until if one.until is not None else last.until)
        else:
            places.append(
                Place(piece=one.piece, start=one.start, end=one.end, since=one.since, until=one.until)
            )
    return Sensitive(kind=kind, places=tuple(places), proven=proven)
