"""What agents can do: kept by supervisors, followed by routing, never overwritten by a second one."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import select

from crm.caller_standing import CallerStanding
from crm.people_tables import StaffRow
from kernel.audit import AuditRow
from kernel.ids import new_ulid
from tests.support.web_stage import Stage, web_stage
from web.auth import SESSION_COOKIE

pytestmark = pytest.mark.integration
HERE = "/lists/skills"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with web_stage(tmp_path) as found:
        yield found


async def staff(stage: Stage, number: str, *skills: str) -> None:
    """Put the owner of a telephone on the staff."""
    async with stage.database.transaction() as session:
        session.add(StaffRow(id=new_ulid(), name="李<i>娜", role="CS", agent_no=number, skills=list(skills)))


async def headers(stage: Stage, login: str) -> dict[str, str]:
    """Return what somebody who is signed in sends."""
    return {"Cookie": f"{SESSION_COOKIE}={await stage.session_secret(login)}", "Origin": stage.url}


async def test_a_supervisor_changes_them_and_routing_knows(stage: Stage) -> None:
    number = stage.agent_number
    agent_id = stage.agents[number]
    here = f"/api/v1/agents/{agent_id}/skills"
    async with aiohttp.ClientSession(stage.url, headers={"Accept": "application/json"}) as client:
        agent, lead = await headers(stage, "agent"), await headers(stage, "supervisor")
        body = {"skills": ["英语"], "before": []}
        async with client.put(here, json=body, headers=agent) as answer:
            assert answer.status == 403
        async with client.put(here, json=body, headers=lead) as answer:
            assert answer.status == 404, "nobody on the staff has this telephone"
        await staff(stage, number)
        async with client.put(here, json=body, headers=lead) as answer:
            assert (answer.status, (await answer.json())["skills"]) == (200, ["英语"])
        assert (await CallerStanding(stage.database).skills())[number] == {"英语"}
        async with client.put(here, json=body, headers=lead) as answer:
            assert (answer.status, (await answer.json())["code"]) == (409, "skills_changed")
        for skills in (["x" * 21], ["a、b"], [str(one) for one in range(13)]):
            async with client.put(here, json={"skills": skills, "before": ["英语"]}, headers=lead) as answer:
                assert answer.status == 400
        async with client.get("/api/v1/skills", headers=lead) as answer:
            assert (await answer.json())["items"] == [
                {"agent_no": number, "name": "李<i>娜", "skills": ["英语"]}
            ]
    query = select(AuditRow.detail).where(AuditRow.action == "staff_skills")
    async with stage.database.session() as session:
        (told,) = list(await session.scalars(query))
    assert (told["before"], told["after"]) == ({"skills": []}, {"skills": ["英语"]})


async def test_on_the_page(stage: Stage) -> None:
    await staff(stage, stage.agent_number, "水电")
    async with aiohttp.ClientSession(stage.url) as client:
        async with client.get(HERE, headers=await headers(stage, "agent")) as answer:
            assert answer.status == 403
        lead = await headers(stage, "supervisor")
        async with client.get(HERE, headers=lead) as answer:
            page = await answer.text()
            assert (answer.status, "水电" in page, "李&lt;i&gt;娜" in page) == (200, True, True)
            assert "英语" in page, "the rules of routing look for it"
        row = f"{HERE}/{stage.agent_number}"
        form = [("seen", "水电"), ("skill", "水电"), ("skill", "英语"), ("fresh", "吵架、防水")]
        async with client.post(row, data=form, headers=lead, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, f"{HERE}?done=1")
        assert (await CallerStanding(stage.database).skills())[stage.agent_number] == {
            *("水电", "英语", "吵架", "防水")
        }
        async with client.post(row, data=form, headers=lead) as answer:
            assert (answer.status, "同事刚刚改过" in await answer.text()) == (409, True)
        form = [("seen", "水电、英语、吵架、防水"), ("fresh", "x" * 30)]
        async with client.post(row, data=form, headers=lead) as answer:
            assert (answer.status, "x" * 30 in await answer.text()) == (400, True)
        async with client.post(f"{HERE}/9999", data=form, headers=lead) as answer:
            assert answer.status in {400, 404}
