"""Phone numbers as values: parsed leniently, kept in E.164, shown masked (domain.md §6.3)."""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Self

from kernel.errors import Invalid

_MOBILE = re.compile(r"1[3-9]\d{9}")
_LANDLINE = re.compile(r"0(?:10\d{8}|2\d\d{8}|[3-9]\d{2}\d{7,8})")
_SERVICE = re.compile(r"(?:400|800)\d{7}")
_SHORT_ACCESS = re.compile(r"9[56]\d{3,4}|950\d{7,8}")
# 96 is local: from elsewhere it is dialled with the area code.
_LOCAL_ACCESS = re.compile(r"0(?:10|2\d|[3-9]\d{2})96\d{3,4}")
# Emergencies, enquiries, carriers' desks, and the government's lines 12xxx; other five digits are no number.
_PUBLIC = re.compile(r"110|119|120|122|114|100(?:0[01]|1[0156]|50|60|86)|12\d{3}")
_FOREIGN = re.compile(r"\+[1-9]\d{6,14}")
_EXTENSION = re.compile(r"(?:转|ext\.?|x|-)[ \t]*\d{1,6}$", re.IGNORECASE)


class InvalidPhone(Invalid):
    """Not a telephone number; the message never repeats it."""

    code = "invalid_phone"


class PhoneKind(StrEnum):
    """What sort of number it is; only mobiles and landlines may be dialled by the system."""

    MOBILE = "mobile"
    LANDLINE = "landline"
    SERVICE = "service"
    SHORT = "short"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Phone:
    """A telephone number.

    Attributes:
        e164: ``+86…``; service and short numbers, which have no E.164 form, keep their digits.
        kind: see :class:`PhoneKind`.
    """

    e164: str
    kind: PhoneKind

    MAX_INPUT: ClassVar[int] = 40

    @classmethod
    def parse(cls, raw: str, *, default_area: str | None = None) -> Self:
        """Read a number as people write it.

        Full-width digits, spaces, dashes, brackets, ``+86``/``0086``/``86``, the carrier's ``0`` before a
        mobile and an extension are understood. ``default_area`` (``"010"``) completes a local number.

        Raises:
            InvalidPhone: no rule of domain.md §6.3 fits.
        """
        if len(raw) > cls.MAX_INPUT:
            raise InvalidPhone("phone number is too long", field="phone")
        text = unicodedata.normalize("NFKC", raw).strip()
        problem = InvalidPhone("not a phone number: write digits, e.g. 13800138000", field="phone")
        # «-8000» ends a mobile as often as it is an extension: the whole is tried before the part.
        for reading in (text, _EXTENSION.sub("", text)):
            digits = re.sub(r"[ \t\-().·]", "", reading)
            if re.fullmatch(r"\+?[0-9]{2,16}", digits):
                try:
                    return cls._from_digits(digits, default_area)
                except InvalidPhone as error:
                    problem = error
        raise problem

    @classmethod
    def _from_digits(cls, text: str, default_area: str | None) -> Self:
        if text.startswith("00"):
            text = "+" + text[2:]
        if text.startswith("+") and not text.startswith("+86"):
            if _FOREIGN.fullmatch(text):
                return cls(text, PhoneKind.FOREIGN)
            raise InvalidPhone("not a foreign number: + country code and digits", field="phone")
        explicit = text.startswith("+86")
        national = text[3:] if explicit else text
        for candidate in cls._readings(national, explicit=explicit):
            if _MOBILE.fullmatch(candidate):
                return cls("+86" + candidate, PhoneKind.MOBILE)
            if _LANDLINE.fullmatch(candidate):
                return cls("+86" + candidate[1:], PhoneKind.LANDLINE)
        if _SERVICE.fullmatch(national):
            return cls(national, PhoneKind.SERVICE)
        if any(one.fullmatch(national) for one in (_SHORT_ACCESS, _LOCAL_ACCESS, _PUBLIC)):
            return cls(national, PhoneKind.SHORT)
        if default_area is not None and re.fullmatch(r"[2-8]\d{6,7}", national):
            return cls("+86" + (default_area + national)[1:], PhoneKind.LANDLINE)
        raise InvalidPhone(
            "not a Chinese number: 11 digits for a mobile, area code and number for a landline", field="phone"
        )

    @staticmethod
    def _readings(national: str, *, explicit: bool) -> tuple[str, ...]:
        readings = [national]
        if explicit:
            readings.append("0" + national)
        elif national.startswith("86"):
            readings += [national[2:], "0" + national[2:]]
        if national.startswith("01") and not national.startswith("010"):
            readings.append(national[1:])
        return tuple(readings)

    @classmethod
    def parse_caller(cls, raw: str | None, *, default_area: str | None = None) -> Self | None:
        """Read a caller number from the network; ``None`` for anonymous, malformed or missing ones."""
        if not raw:
            return None
        try:
            return cls.parse(raw, default_area=default_area)
        except InvalidPhone:
            return None

    @property
    def national(self) -> str:
        """The number as dialled inside China: ``13800138000``, ``01065551234``; foreign ones with ``00``."""
        if self.kind is PhoneKind.MOBILE:
            return self.e164[3:]
        if self.kind is PhoneKind.LANDLINE:
            return "0" + self.e164[3:]
        if self.kind is PhoneKind.FOREIGN:
            return "00" + self.e164[1:]
        return self.e164

    @property
    def masked(self) -> str:
        """The number with its middle hidden: ``138****8000`` (domain.md §4)."""
        return mask(self.national)

    @property
    def dialable(self) -> bool:
        """Whether the system may call it by itself (domain.md §6.3)."""
        return self.kind in (PhoneKind.MOBILE, PhoneKind.LANDLINE)

    def __str__(self) -> str:
        return self.e164


def mask(number: str) -> str:
    """Hide the middle of any number: first three and last four stay where there are enough of them."""
    if number.startswith("+86"):
        number = number[3:]
    if len(number) >= 10:
        return f"{number[:3]}{'*' * (len(number) - 7)}{number[-4:]}"
    if len(number) >= 5:
        return f"{number[:1]}{'*' * (len(number) - 3)}{number[-2:]}"
    return "*" * len(number)
