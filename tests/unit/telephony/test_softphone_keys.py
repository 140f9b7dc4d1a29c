"""Passwords of browser telephones: what a page is given, Asterisk takes, for a period at least."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from telephony.softphone_keys import PERIOD, WRITTEN_WITHIN, SoftphoneKeys

KEYS = SoftphoneKeys("secret", node="pbx1")
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))


@given(MOMENTS, st.timedeltas(timedelta(0), PERIOD - WRITTEN_WITHIN))
def test_what_a_page_is_given_is_taken_for_a_while(now: datetime, later: timedelta) -> None:
    key = KEYS.key("1001", now)
    assert key.password in KEYS.accepted("1001", now)
    assert key.password in KEYS.accepted("1001", now + later)
    assert key.expires_at > now + PERIOD - WRITTEN_WITHIN


@given(MOMENTS)
def test_it_is_not_taken_when_it_has_run_out(now: datetime) -> None:
    key = KEYS.key("1001", now)
    assert key.password not in KEYS.accepted("1001", key.expires_at)
    assert key.password in KEYS.accepted("1001", key.expires_at - timedelta(seconds=1))


@given(MOMENTS)
def test_asterisk_may_be_late_with_a_new_period(now: datetime) -> None:
    begins = now + KEYS.until_next(now)
    written_before = KEYS.accepted("1001", begins - timedelta(seconds=1))
    assert KEYS.key("1001", begins + WRITTEN_WITHIN - timedelta(seconds=1)).password in written_before


def test_everybody_and_every_pbx_has_its_own() -> None:
    now = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    others = [
        KEYS.key("1002", now),
        SoftphoneKeys("secret", node="pbx2").key("1001", now),
        SoftphoneKeys("other", node="pbx1").key("1001", now),
    ]
    assert KEYS.key("1001", now) not in others
    assert KEYS.key("1001", now) == KEYS.key("1001", now)
