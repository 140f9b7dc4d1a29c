"""When something may be noted down about a line (domain.md §4.4, handle records)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from crm.domain.complaint_line import LINE_FINAL, AcceptMode, Line, LineStatus
from crm.domain.line_record import RECORD_LABELS, RecordKind, check_record, may_be_recorded
from crm.domain.machine import IllegalStep
from kernel.errors import Invalid

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 20, 8, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
AT_WORK = Line(status=LineStatus.ACCEPTED, mode=AcceptMode.PLAN_FIRST, accepted_at=NOW - HOUR)


def test_4_4_every_kind_of_record_has_a_name() -> None:
    assert set(RECORD_LABELS) == set(RecordKind)
    assert [kind.value for kind in RecordKind] == ["visit", "telephone", "on_site", "material", "other"]


@pytest.mark.parametrize("status", LineStatus)
def test_4_4_records_are_of_lines_that_a_department_works_on(status: LineStatus) -> None:
    assert may_be_recorded(replace(AT_WORK, status=status)) is (status not in LINE_FINAL)
    assert not may_be_recorded(replace(AT_WORK, status=status, mode=None)), "nobody has signed"


def test_4_4_what_is_recorded_happened_after_the_receipt_and_before_now() -> None:
    for done_at in (NOW, NOW - HOUR):
        check_record(AT_WORK, done_at, NOW)
    for done_at in (NOW + timedelta(seconds=1), NOW - 2 * HOUR):
        with pytest.raises(Invalid) as refused:
            check_record(AT_WORK, done_at, NOW)
        assert refused.value.field == "done_at"
    with pytest.raises(IllegalStep):
        check_record(replace(AT_WORK, status=LineStatus.CLOSED), NOW, NOW)
