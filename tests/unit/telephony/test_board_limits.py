"""When a figure of a queue is an alert, and when it is none any more."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.errors import Invalid
from telephony.domain.board_limits import BoardLimits, LimitKind, LimitWatch, Seen, check_limits

pytestmark = pytest.mark.unit

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LIMITS = BoardLimits(
    version=1,
    queues={
        "repair": {
            LimitKind.WAITING: 3,
            LimitKind.LONGEST: 60,
            LimitKind.LEVEL: 80,
            LimitKind.FREE: 2,
        }
    },
    begins_after=5 * SECOND,
    ends_after=30 * SECOND,
)


def seen(
    waiting: int = 0, longest: float = 0, level: float | None = 90, signed_in: int = 5, free: int = 5
) -> Seen:
    return Seen(
        queue="repair",
        waiting=waiting,
        longest=timedelta(seconds=longest),
        level=level,
        signed_in=signed_in,
        free=free,
    )


def watched() -> LimitWatch:
    watch = LimitWatch()
    watch.set(LIMITS)
    return watch


@pytest.mark.parametrize(
    ("figures", "kinds"),
    [
        pytest.param(seen(waiting=3, longest=60, level=80, free=2), [], id="on the limit is not beyond"),
        pytest.param(seen(waiting=4), [LimitKind.WAITING], id="waiting"),
        pytest.param(seen(longest=61), [LimitKind.LONGEST], id="longest"),
        pytest.param(seen(level=79.9), [LimitKind.LEVEL], id="level"),
        pytest.param(seen(level=None), [], id="no calls, no level"),
        pytest.param(seen(free=1), [LimitKind.FREE], id="free"),
        pytest.param(seen(free=0, signed_in=0), [], id="at night nobody is missed"),
        pytest.param(seen(free=0, signed_in=0, waiting=1), [LimitKind.FREE], id="but by who waits"),
    ],
)
def test_each_limit(figures: Seen, kinds: list[LimitKind]) -> None:
    watch = watched()
    assert watch.take([figures], START) == ()
    assert [one.kind for one in watch.take([figures], START + 5 * SECOND)] == kinds


def test_an_alert_says_since_when_and_ends_after_a_while_on_the_good_side() -> None:
    watch = watched()
    watch.take([seen(waiting=9)], START)
    (alert,) = watch.take([seen(waiting=7)], START + 6 * SECOND)
    assert (alert.since, alert.value, alert.limit) == (START, 7, 3)
    assert len(watch.take([seen()], START + 10 * SECOND)) == 1
    (alert,) = watch.take([seen(waiting=8)], START + 20 * SECOND)
    assert alert.since == START, "it never ended"
    watch.take([seen()], START + 30 * SECOND)
    assert watch.take([seen()], START + 59 * SECOND)[0].since == START
    assert watch.take([seen()], START + 60 * SECOND) == ()


def test_another_version_keeps_the_alerts_whose_limit_is_the_same() -> None:
    watch = watched()
    for at in (START, START + 6 * SECOND):
        watch.take([seen(waiting=9, free=0)], at)
    watch.set(BoardLimits(version=2, queues={"repair": {LimitKind.WAITING: 3, LimitKind.FREE: 1}}))
    kinds = [one.kind for one in watch.take([seen(waiting=9, free=0)], START + 7 * SECOND)]
    assert kinds == [LimitKind.WAITING]
    watch.forget()
    assert watch.take([seen(waiting=9)], START + 8 * SECOND) == ()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 20)), max_size=60))
def test_no_alert_flaps(history: list[tuple[bool, int]]) -> None:
    watch, now, changes, shown = watched(), START, [START], False
    for beyond, seconds in history:
        now += timedelta(seconds=seconds)
        alerts = watch.take([seen(waiting=9 if beyond else 0)], now)
        if bool(alerts) is not shown:
            shown = bool(alerts)
            changes.append(now)
    ends = [(changes[number + 1] - changes[number]) for number in range(1, len(changes) - 1)]
    # What began lasts until the limit was kept for the whole while; what ended stays away that of beginning.
    assert all(spent >= LIMITS.ends_after for spent in ends[0::2])
    assert all(spent >= LIMITS.begins_after for spent in ends[1::2])


@pytest.mark.parametrize(
    ("kind", "limit"), [(LimitKind.LEVEL, 101), (LimitKind.LONGEST, 4), (LimitKind.FREE, 0)]
)
def test_limits_that_cannot_be(kind: LimitKind, limit: int) -> None:
    with pytest.raises(Invalid) as refused:
        check_limits({"repair": {kind: limit}}, SECOND, SECOND)
    assert refused.value.field == f"queues.repair.{kind.value}"
