"""Which telephone numbers a person sees whole.

Supervisors and administrators (and tokens of these roles) see whole numbers, and each such answer is written
to the audit log. An agent sees the number of the caller they are handling, every other one masked.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from kernel.phone import Phone, mask
from telephony.views import CallView
from web.identity import CurrentUser
from web.permissions import Permission

EXTENSION_LENGTH = 6
_NUMBERISH = re.compile(r"\+?\d{7,15}")


def is_handling(user: CurrentUser, *, agent_id: str | None, state: str) -> bool:
    """Tell whether this is a call the person is in right now."""
    return user.agent_id is not None and user.agent_id == agent_id and state != "ended"


def sees_number(user: CurrentUser, *, agent_id: str | None, state: str) -> bool:
    """Tell whether the person sees the whole number of a call."""
    return user.can(Permission.PHONES_FULL) or is_handling(user, agent_id=agent_id, state=state)


def masked(number: str) -> str:
    """Hide the middle of an outside number; extensions, words (``anonymous``) and short codes stay."""
    phone = Phone.parse_caller(number)
    if phone is not None:
        return number if len(phone.national) <= EXTENSION_LENGTH else phone.masked
    digits = sum(character.isdigit() for character in number)
    return mask(number) if digits > EXTENSION_LENGTH else number


class Mask:
    """Hides one call's outside number wherever it stands: in the fields, the channels, the time line."""

    def __init__(self, call: CallView) -> None:
        self._line = call.to_number if call.direction == "in" else call.from_number
        outside = {call.from_number, call.to_number, *(leg.number for leg in call.legs)}
        outside -= {self._line, ""}
        spellings = {spelling: masked(number) for number in outside for spelling in _spellings(number)}
        self._hidden = dict(sorted(spellings.items(), key=lambda item: -len(item[0])))

    def number(self, number: str) -> str:
        """Mask a number, unless it is the centre's own line."""
        return number if number == self._line else masked(number)

    def text(self, text: str) -> str:
        """Mask the number inside any other text, such as a channel's name."""
        if _NUMBERISH.fullmatch(text):
            return self.number(text)
        for spelling, shown in self._hidden.items():
            text = text.replace(spelling, shown)
        return text

    def texts(self, detail: Mapping[str, str]) -> dict[str, str]:
        """Mask every value of a mapping."""
        return {key: self.text(value) for key, value in detail.items()}


def _spellings(number: str) -> set[str]:
    """The ways a number may be written inside a channel name or a detail."""
    if masked(number) == number:
        return set()
    found = {number, number.removeprefix("+")}
    phone = Phone.parse_caller(number)
    if phone is not None:
        found |= {phone.e164, phone.national, phone.e164.removeprefix("+"), phone.e164.removeprefix("+86")}
    return {spelling for spelling in found if len(spelling) > EXTENSION_LENGTH}


def mask_call(call: CallView) -> CallView:
    """Return the call with its outside number hidden everywhere."""
    cover = Mask(call)
    return replace(
        call,
        from_number=cover.number(call.from_number),
        to_number=cover.number(call.to_number),
        from_name=cover.text(call.from_name),
        legs=tuple(
            replace(leg, number=cover.number(leg.number), channel=cover.text(leg.channel))
            for leg in call.legs
        ),
        timeline=tuple(
            replace(
                entry,
                channel=cover.text(entry.channel) if entry.channel else entry.channel,
                detail=cover.texts(entry.detail),
            )
            for entry in call.timeline
        ),
    )


SILENT = frozenset({"listen", "end"})
"""What a supervisor may do on a call without being heard: who may not listen themselves does not see it."""


def shown_call(call: CallView, user: CurrentUser) -> CallView:
    """Return the call as ``user`` may see it."""
    if not user.can(Permission.CALLS_LISTEN):
        told = (one for one in call.timeline if one.kind != "supervised" or one.detail["mode"] not in SILENT)
        call = replace(call, timeline=tuple(told))
    return call if sees_number(user, agent_id=call.agent_id, state=call.state) else mask_call(call)
