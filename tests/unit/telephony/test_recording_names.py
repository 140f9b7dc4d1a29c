"""Names of recordings' files, and when the nightly comparison is."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from kernel.ids import new_ulid
from telephony.recording_check import until_night
from telephony.recordings import name_in, name_of

pytestmark = pytest.mark.unit

SHANGHAI = ZoneInfo("Asia/Shanghai")


def test_a_file_belongs_to_the_recording_whose_name_it_bears() -> None:
    call_id = new_ulid()
    name = name_of(call_id, "hf-1/2:1732.7")
    assert name == f"{call_id}-hf-121732.7"
    again = name_of(call_id, "hf-1/2:1732.7", 2)
    assert again == f"{name}_2"
    for ending in (".wav", "-agent.wav", "-customer.wav"):
        assert name_in(name + ending) == name
        assert name_in(again + ending) == again


@pytest.mark.parametrize(
    "filename", ["notes.txt", ".wav", "short-1.wav", "x" * 200 + ".wav", "a" * 30 + ".wav"]
)
def test_other_files_are_no_recordings(filename: str) -> None:
    assert name_in(filename) == ""


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        pytest.param(datetime(2026, 3, 9, 18, 30, tzinfo=UTC), 1.0, id="before it"),
        pytest.param(datetime(2026, 3, 9, 19, 30, tzinfo=UTC), 24.0, id="at the moment itself"),
        pytest.param(datetime(2026, 3, 9, 20, 0, tzinfo=UTC), 23.5, id="after it"),
    ],
)
def test_the_comparison_is_at_night_where_the_centre_is(now: datetime, hours: float) -> None:
    assert until_night(now, SHANGHAI) == timedelta(hours=hours)
