"""What the doctor asks of the calendar: until when days off and working days are known."""

import asyncio
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from app.doctor.findings import Finding
from app.doctor.inputs import DoctorInputs
from crm.calendar_book import CalendarBook
from kernel.business_time import SHANGHAI
from kernel.db import create_database
from kernel.errors import ConfigurationError
from kernel.holidays import WorkCalendar

WARNS_DAYS = 60
FAILS_DAYS = 7


async def check_calendar(inputs: DoctorInputs) -> Sequence[Finding]:
    """Until when the calendar reaches; limits that end after that have no deadline until it is loaded."""
    name = "calendar"
    calendar = await _calendar(inputs)
    try:
        zone = ZoneInfo(inputs.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = SHANGHAI
    today = inputs.clock.now().astimezone(zone).date()
    year = calendar.first_unknown(today.year)
    left = max(0, (date(year, 1, 1) - today).days)
    if left >= WARNS_DAYS:
        return [Finding.good(name, f"days off are known until the end of {year - 1}")]
    said = (
        f"the days off of {year} are not known"
        + (f", and it begins in {left} days" if left else "")
        + "; limits that end in it wait without a deadline"
    )
    mend = (
        "load the State Council's notice (published in November): «huifang calendar load FILE», "
        "or update the package chinesecalendar"
    )
    finding = Finding.error if left < FAILS_DAYS else Finding.warning
    return [finding(name, said, mend)]


async def _calendar(inputs: DoctorInputs) -> WorkCalendar:
    """Return the calendar with what was loaded; the package's own while there is no database to ask."""
    try:
        url = make_url(inputs.database_url)
        if url.get_backend_name() == "sqlite" and not (url.database and Path(url.database).is_file()):
            return WorkCalendar()
        database = create_database(inputs.database_url)
    except (ConfigurationError, SQLAlchemyError):
        return WorkCalendar()
    try:
        async with asyncio.timeout(inputs.deadline.total_seconds()), database.session() as session:
            return (await CalendarBook(inputs.clock).clocks(session)).calendar
    except (OSError, SQLAlchemyError, TimeoutError):
        return WorkCalendar()
    finally:
        await database.dispose()
