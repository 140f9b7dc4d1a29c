"""When a customer in a survey may be put through to a person."""

from pathlib import Path

import pytest

from app.settings import Settings, load_settings
from app.survey_part import survey_rules
from crm.site_days import SiteDays
from kernel.clock import FakeClock
from kernel.db import create_database
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.unit


def days_of(settings: Settings) -> SiteDays:
    """The site's days before anything was read from a database."""
    database = create_database("sqlite+aiosqlite://")
    return SiteDays(database, FakeClock(at("2026-03-02 09:00")), settings.service_hours)


@pytest.mark.parametrize(
    ("moment", "there"),
    [
        ("2026-03-02 09:00", True),
        ("2026-03-02 12:30", False),
        ("2026-03-02 13:30", True),
        ("2026-03-02 23:30", True),
        ("2026-10-01 10:00", False),
    ],
)
def test_the_service_hours_decide(tmp_path: Path, moment: str, there: bool) -> None:
    settings = load_settings({}, data_dir=tmp_path, centre={"service_hours": "08:30-12:00,13:30-00:00"})
    assert survey_rules(settings, days_of(settings)).is_open(at(moment)) is there


def test_a_centre_that_is_always_open_is(tmp_path: Path) -> None:
    settings = load_settings({}, data_dir=tmp_path, centre={"always_open": True})
    assert survey_rules(settings, days_of(settings)).is_open(at("2026-10-01 03:00"))
