"""Which other times are offered to a customer who cannot talk now (domain.md §3.0, IVR frame 1; §6.1)."""

from dataclasses import replace
from datetime import datetime, time, timedelta

from callback_campaigns.domain.survey_words import Slot, When
from callback_campaigns.domain.windows import CallingWindows, CallWish, Occasion, Span
from kernel.holidays import CalendarYearMissing

MORNING = Span(time(9, 30), time(12))
AFTERNOON = Span(time(14), time(18))
LEAD = timedelta(hours=2)
"""So long at least nobody is called again (CB-7), whatever part of the day they chose."""

_OFFERED = {
    When.THIS_AFTERNOON: (0, AFTERNOON),
    When.TOMORROW_MORNING: (1, MORNING),
    When.TOMORROW_AFTERNOON: (1, AFTERNOON),
}


def slots(windows: CallingWindows, wish: CallWish, now: datetime) -> tuple[Slot, ...]:
    """Return the times that may be chosen: those at which the customer may be called, and none else."""
    if wish.occasion is Occasion.ROUTINE:
        wish = replace(wish, occasion=Occasion.APPOINTED)
    found = []
    for when, (days, span) in _OFFERED.items():
        midnight = windows.midnight(windows.day_of(now) + timedelta(days=days))
        begins, ends = (midnight + _since_midnight(one) for one in (span.start, span.end))
        try:
            at = windows.opens(max(begins, now + LEAD), wish)
        except CalendarYearMissing:
            # A day of which nobody knows whether it is a holiday is not promised.
            continue
        if at is not None and at < ends:
            found.append(Slot(when, at))
    return tuple(found)


def _since_midnight(moment: time) -> timedelta:
    return timedelta(hours=moment.hour, minutes=moment.minute)
