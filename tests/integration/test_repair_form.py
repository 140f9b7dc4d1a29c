"""The form of a repair stands ready to be saved, whoever built the home."""

import re
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar
from sqlalchemy import select

from crm.tables import Crew, Project
from tests.support.web_stage import web_stage
from web.auth import SESSION_COOKIE

pytestmark = pytest.mark.integration


async def test_a_home_without_a_working_crew_goes_to_the_captain_with_the_reason_filled_in(
    tmp_path: Path,
) -> None:
    async with (
        web_stage(tmp_path) as stage,
        ClientSession(base_url=stage.url, cookie_jar=CookieJar(unsafe=True)) as session,
    ):
        session.cookie_jar.update_cookies({SESSION_COOKIE: await stage.session_secret("agent")})
        query = select(Project.customer_id, Project.id, Crew.status).outerjoin(
            Crew, Crew.id == Project.crew_id
        )
        async with stage.database.session() as reading:
            homes: dict[str | None, tuple[str, str]] = {}
            homes |= {status: (owner, key) for owner, key, status in await reading.execute(query)}
        for status, chosen in ((None, "captain"), ("departed", "captain"), ("active", "original")):
            owner, key = homes[status]
            async with session.get(f"/cases/new?kind=repair&customer={owner}&project={key}") as answer:
                text = await answer.text()
            assert re.search(rf'<option value="{chosen}" selected>', text), status
            assert ('<option value="crew_left" selected>' in text) is (chosen == "captain"), status
            form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', text))
            form |= {"content": f"角阀滴水 {status}", "place": "厨房", "read_back": "1", "severity": "1"}
            form |= {"source": "phone", "repair_class": "out", "route": chosen, "reason": "crew_left"}
            posted = session.post(
                "/cases/new/repair", data=form, headers={"Origin": stage.url}, allow_redirects=False
            )
            async with posted as answer:
                assert answer.status == 303, await answer.text()
