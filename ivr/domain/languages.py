"""Languages that flows speak: what each of them says without being told to, and how it reads numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ivr.domain.stock import STOCK_PROMPTS
from kernel.spoken import spoken_count, spoken_digits
from kernel.spoken_en import spoken_digits_en, spoken_integer_en

DEFAULT = "zh"
LANGUAGE_VARIABLE = "HF_LANG"
"""Channel variable, inherited by all channels of a call: the language of its caller, once it was chosen."""

_CASE_KINDS = {"投诉": "complaint", "报修": "repair", "回访问题": "matter from our follow-up call"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """How a language is spoken.

    Attributes:
        channel: Asterisk's name of it; the dialplan's own words lie in a folder of that name.
        voice: the synthesiser's voice where a flow names none.
        stock: prompts every flow of this language has.
        digits: a number digit by digit.
        count: how many.
        words: words of the records → as this language says them; others stay as they are.
    """

    code: str
    channel: str
    voice: str
    stock: Mapping[str, str]
    digits: Callable[[str], str]
    count: Callable[[int], str]
    words: Mapping[str, str]


LANGUAGES: Mapping[str, Language] = {
    "zh": Language(
        code="zh",
        channel="",
        voice="cmn",
        stock=STOCK_PROMPTS,
        digits=spoken_digits,
        count=spoken_count,
        words={},
    ),
    "en": Language(
        code="en",
        # Not «en», which channels are born with: the dialplan would speak English to everybody.
        channel="en_US",
        voice="en",
        stock={
            "stock_wrong": "Sorry, that is not one of the choices.",
            "stock_silence": "We did not receive a key.",
            "stock_transfer": "One moment please, we are connecting you with one of our staff.",
            "stock_apology": "We are very sorry.",
            "stock_taken": "All right.",
            "stock_goodbye": "Thank you for calling. Goodbye.",
            **{f"stock_digit_{digit}": spoken_digits_en(digit) for digit in "0123456789"},
        },
        digits=spoken_digits_en,
        count=spoken_integer_en,
        words=_CASE_KINDS,
    ),
}


def channel_of(code: str, ahead: int | None = None) -> str:
    """Return Asterisk's name of a language, or that of a caller with ``ahead`` others before them.

    Asterisk looks for a file in the folder of ``en_US_p3`` first, then ``en_US``, ``en``, then beside them:
    what is said to one place in a queue only has to lie in its folder, and nothing is ever missing.
    """
    language = LANGUAGES.get(code, LANGUAGES[DEFAULT])
    base = language.channel or language.code
    return base if ahead is None else f"{base}_p{ahead}"


def code_of(channel: str) -> str:
    """Return the code of a channel's language, whatever its place in a queue."""
    names = ((one.code, one.channel) for one in LANGUAGES.values() if one.channel)
    return next((code for code, name in names if channel == name or channel.startswith(f"{name}_")), DEFAULT)
