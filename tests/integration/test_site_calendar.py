"""The site's hours and calendar: kept in the browser, followed by limits, menus and queues."""

import json
from collections.abc import AsyncIterator
from datetime import date, datetime, time
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import select, text

from crm.calendar_admin import CalendarAdmin
from crm.calendar_book import CalendarBook
from crm.site_days import SiteDays
from ivr.routing_book import RoutingBook, RoutingVersion
from kernel.access import Actor, Role
from kernel.audit import AuditLog, AuditRow
from kernel.business_time import SHANGHAI, HolidayClosing, OpeningHours, ServiceHours
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Forbidden, Invalid, StaleVersion
from kernel.holidays import CalendarKind
from tests.support.web_stage import Stage, web_stage
from web.auth import SESSION_COOKIE

pytestmark = pytest.mark.integration

MANAGER = Actor(user_id="0" * 26, name="孟经理", role=Role.MANAGER)
AGENT = Actor(user_id="1" * 26, name="李娜", role=Role.AGENT)
PARTY = date(2026, 12, 18)
"""A Friday."""
NOTICE = """{"year": 2028, "days": %s}"""


def noon(day: date) -> datetime:
    """Noon at the site."""
    return datetime.combine(day, time(12), SHANGHAI)


async def test_a_day_off_closes_limits_menus_and_queues(database: Database, clock: FakeClock) -> None:
    book = CalendarBook(clock)
    admin = CalendarAdmin(database, clock, book)
    site = SiteDays(database, clock, ServiceHours())
    menu = OpeningHours(site=site)
    rules = RoutingBook(database, clock, AuditLog(database, clock), queues=_NoQueues(), site=site).read(
        RoutingVersion(version=1, text="queues:\n  service: {hours: '08:00-20:00', closed: offer}\n")
    )
    queue = rules.queues["service"].hours
    assert queue is not None
    await site.look()
    assert menu.is_open(noon(PARTY))
    assert queue.is_open(noon(PARTY))
    with pytest.raises(Forbidden):
        await admin.set_day(AGENT, PARTY, CalendarKind.HOLIDAY, "年会", seen=CalendarKind.WORK)
    await admin.set_day(MANAGER, PARTY, CalendarKind.HOLIDAY, "年会", seen=CalendarKind.WORK)
    assert menu.is_open(noon(PARTY)), "nobody has looked"
    await site.look()
    assert (menu.at(noon(PARTY)).reason, queue.is_open(noon(PARTY))) == ("holiday", False)
    assert not site.is_open(noon(PARTY))
    async with database.session() as session:
        clocks = await book.clocks(session)
    assert clocks.hours.on(PARTY, clocks.calendar) == ()

    with pytest.raises(StaleVersion):
        await admin.set_day(MANAGER, PARTY, CalendarKind.OFF, "", seen=CalendarKind.WORK)
    for day, name, field in ((PARTY, "x" * 41, "name"), (date(2003, 1, 1), "", "date")):
        with pytest.raises(Invalid) as refused:
            await admin.set_day(MANAGER, day, CalendarKind.OFF, name, seen=None)
        assert refused.value.field == field
    await admin.set_day(MANAGER, PARTY, None, "", seen=CalendarKind.HOLIDAY)
    await site.look()
    assert menu.is_open(noon(PARTY))
    query = select(AuditRow.detail).where(AuditRow.entity_id == PARTY.isoformat()).order_by(AuditRow.seq)
    async with database.session() as session:
        told = list(await session.scalars(query))
    assert [(one["before"], one["after"]) for one in told] == [("work", "holiday"), ("holiday", "notice")]


class _NoQueues:
    async def queue_names(self) -> frozenset[str]:
        return frozenset({"service"})


async def test_hours_have_versions_and_the_settings_stand_behind_them(
    database: Database, clock: FakeClock
) -> None:
    settings = ServiceHours.parse("09:00-17:00")
    book, site = CalendarBook(clock, settings), SiteDays(database, clock, settings)
    admin = CalendarAdmin(database, clock, book)
    view = await admin.year(MANAGER, 2026)
    assert [(one.version, one.hours.text) for one in view.hours] == [(0, "09:00-17:00")]
    wish = {"spans": "10:00-12:00，13:00-24:00", "days": "6721", "closing": "never", "why": "旺季"}
    with pytest.raises(Forbidden):
        await admin.set_hours(AGENT, **wish, expected=0)
    for change, field in (
        ({"spans": "12:00-10:00"}, "spans"),
        ({"spans": "noon"}, "spans"),
        ({"spans": "10:00-11:00," * 20}, "spans"),
        ({"days": ""}, "spans"),
        ({"closing": "often"}, "closing"),
        ({"why": " "}, "why"),
    ):
        with pytest.raises(Invalid) as refused:
            await admin.set_hours(MANAGER, **wish | change, expected=0)
        assert refused.value.field == field
    made = await admin.set_hours(MANAGER, **wish, expected=0)
    assert (made.version, made.hours.text, made.hours.closing) == (
        1,
        "10:00-12:00,13:00-24:00",
        HolidayClosing.NEVER,
    )
    with pytest.raises(StaleVersion):
        await admin.set_hours(MANAGER, **wish, expected=0)
    await site.look()
    assert site.hours == made.hours
    saturday, wednesday = date(2026, 12, 19), date(2026, 12, 16)
    assert site.is_open(datetime.combine(saturday, time(23, 59), SHANGHAI))
    assert not site.is_open(noon(saturday)), "the break"
    assert not site.is_open(datetime.combine(wednesday, time(11), SHANGHAI))
    view = await admin.year(MANAGER, 2026)
    assert [one.version for one in view.hours] == [1, 0]


async def test_what_the_database_does_not_say_stays_as_it_was(database: Database, clock: FakeClock) -> None:
    site = SiteDays(database, clock, ServiceHours())
    admin = CalendarAdmin(database, clock, CalendarBook(clock))
    await admin.set_day(MANAGER, PARTY, CalendarKind.HOLIDAY, "", seen=CalendarKind.WORK)
    await site.look()
    async with database.transaction() as session:
        await session.execute(text("DROP TABLE calendar_day"))
    site_before = site.is_open(noon(PARTY))
    await site.look()
    assert (site_before, site.is_open(noon(PARTY))) == (False, False)
    assert site.closed(date(2040, 10, 1)) == (True, True), "by law, without its notice"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with web_stage(tmp_path) as found:
        yield found


async def test_on_the_page(stage: Stage) -> None:
    here = "/admin/calendar"
    async with aiohttp.ClientSession(stage.url, headers={"Origin": stage.url}) as client:
        for login, status in (("agent", 403), ("admin", 200)):
            cookie = {"Cookie": f"{SESSION_COOKIE}={await stage.session_secret(login)}"}
            async with client.get(here, headers=cookie) as answer:
                assert answer.status == status
        for query, status in (("year=2026&day=2026-10-01", 200), ("year=1066", 400), ("day=x", 400)):
            async with client.get(f"{here}?{query}", headers=cookie) as answer:
                page = await answer.text()
                assert answer.status == status
                assert "国庆节" in page, "a year is shown in any case"
        day = {"date": PARTY.isoformat(), "seen": "work", "kind": "holiday", "name": "<b>年会</b>"}
        async with client.post(f"{here}/days", data=day | {"kind": "party"}, headers=cookie) as answer:
            assert answer.status == 400
            assert "&lt;b&gt;年会" in await answer.text(), "what was typed stays"
        async with client.post(f"{here}/days", data=day, headers=cookie, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, f"{here}?year=2026&done=day")
        async with client.post(f"{here}/days", data=day, headers=cookie) as answer:
            assert answer.status == 412
        hours = [("spans", "09:00-18:00"), ("closing", "statutory"), ("why", "冬季"), ("version", "0")]
        async with client.post(f"{here}/hours", data=hours, headers=cookie) as answer:
            assert answer.status == 400, "no day"
        hours += [("day", "1"), ("day", "2")]
        async with client.post(f"{here}/hours", data=hours, headers=cookie) as answer:
            page = await answer.text()
            assert (answer.status, "冬季" in page) == (200, True)
        async with client.get(f"{here}?year=2028", headers=cookie) as answer:
            assert "还没有录入" in await answer.text()
        by_law = [
            *("2028-01-01", "2028-01-25", "2028-01-26", "2028-01-27", "2028-01-28", "2028-04-04"),
            *("2028-05-01", "2028-05-02", "2028-05-28", "2028-10-01", "2028-10-02", "2028-10-03"),
        ]
        days = json.dumps([{"name": "假", "date": one, "isOffDay": True} for one in by_law])
        for notice, status in ((NOTICE % "[]", 400), ("[]", 400), (NOTICE % days, 200)):
            form = aiohttp.FormData()
            form.add_field("file", notice.encode(), filename="2028.json", content_type="application/json")
            async with client.post(f"{here}/notices", data=form, headers=cookie) as answer:
                assert answer.status == status, await answer.text()
