"""What is left of calling once everything was refused (domain.md §6.4, do-not-call level 3)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from crm.domain.freeze import CaseCall, is_last_call

pytestmark = pytest.mark.unit

REFUSED = datetime(2026, 3, 2, 8, tzinfo=UTC)
CALL = CaseCall(is_open=True, safety=True, by_human=True)


def test_6_4_a_call_about_an_open_safety_ticket_is_allowed_once_by_a_human() -> None:
    assert is_last_call(CALL, REFUSED)
    for wrong in (replace(CALL, is_open=False), replace(CALL, safety=False), replace(CALL, by_human=False)):
        assert not is_last_call(wrong, REFUSED), wrong
    assert is_last_call(replace(CALL, called_at=REFUSED - timedelta(days=1)), REFUSED), "before the refusal"
    assert not is_last_call(replace(CALL, called_at=REFUSED + timedelta(hours=1)), REFUSED)
