"""Requests about one's own data: the limit, the copy, what a deletion takes and what the law keeps (§6.4)."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from crm.data_requests import DataRequests, RequestKind, RequestState
from crm.domain.retention import shipped_retention
from crm.limits import LimitBook
from crm.retention import Retention
from crm.tables import Customer, CustomerPhone, Project
from kernel.audit import AuditRow
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid, StaleVersion
from tests.support.office import OfficeStage
from tests.support.office_web import get, post
from tests.support.people import AGENT, MANAGER, Desk, make_desk
from tests.support.web_stage import web_stage

pytestmark = pytest.mark.integration

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
PROOF = "来电号码与登记一致，核对了合同号"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def desk(sqlite: Database, clock: FakeClock) -> Desk:
    return make_desk(sqlite, clock)


@pytest.fixture
def requests(desk: Desk, clock: FakeClock) -> DataRequests:
    return DataRequests(desk.office, LimitBook(clock), Retention(desk.office, shipped_retention()))


async def test_6_4_a_request_is_answered_or_refused_with_a_reason_within_15_working_days(
    desk: Desk, requests: DataRequests, clock: FakeClock
) -> None:
    owner = (await desk.customer("王建军", "13800138001")).customer_id
    with pytest.raises(Forbidden):
        await requests.receive(AGENT, owner, RequestKind.SEE, evidence=PROOF)
    with pytest.raises(Invalid) as refused:
        await requests.receive(MANAGER, owner, RequestKind.CORRECT, evidence=PROOF)
    assert refused.value.field == "wish"
    made = await requests.receive(MANAGER, owner, RequestKind.SEE, evidence=PROOF)
    assert made.no == "GX202603020001"
    assert made.due_at == datetime(2026, 3, 23, 10, 0, tzinfo=UTC), "15 working days, 18:00 at the site"
    with pytest.raises(Conflict):
        await requests.receive(MANAGER, owner, RequestKind.SEE, evidence=PROOF)
    other = await requests.receive(MANAGER, owner, RequestKind.CORRECT, evidence=PROOF, wish="姓名有误")
    assert other.no == "GX202603020002"
    clock.advance(timedelta(days=22))
    assert (await requests.get(MANAGER, made.request_id)).overdue
    assert [one.no for one in await requests.late(MANAGER)] == [made.no, other.no], (
        "on the list of what is late"
    )
    with pytest.raises(Forbidden):
        await requests.late(AGENT)
    with pytest.raises(StaleVersion):
        await requests.answer(MANAGER, made.request_id, made.version + 5, "已出示")
    with pytest.raises(Invalid):
        await requests.refuse(MANAGER, made.request_id, made.version, " ")
    no = await requests.refuse(MANAGER, made.request_id, made.version, "无法核实身份")
    assert (no.state, no.answer, no.overdue) == (RequestState.REFUSED, "无法核实身份", False)
    with pytest.raises(Conflict):
        await requests.answer(MANAGER, made.request_id, no.version, "已出示")
    page = await requests.page(MANAGER, state=RequestState.OPEN)
    assert [one.no for one in page.items] == [other.no]


async def test_two_who_take_requests_down_at_once_get_numbers_of_their_own(
    database: Database, clock: FakeClock
) -> None:
    desk = make_desk(database, clock)
    requests = DataRequests(desk.office, LimitBook(clock), Retention(desk.office, shipped_retention()))
    owners = [(await desk.customer(f"王建{n}", f"1380013800{n}")).customer_id for n in range(4)]
    made = await asyncio.gather(
        *(requests.receive(MANAGER, one, RequestKind.SEE, evidence=PROOF) for one in owners)
    )
    assert sorted(one.no for one in made) == [f"GX20260302000{n}" for n in range(1, 5)]
    again = await asyncio.gather(
        *(requests.receive(MANAGER, owners[0], RequestKind.DELETE, evidence=PROOF) for _ in range(3)),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in again) == ["Conflict", "Conflict", "DataRequestView"]


async def test_the_copy_has_everything_and_is_noted(desk: Desk, requests: DataRequests) -> None:
    owner = (await desk.customer("王建军", "13800138001")).customer_id
    await desk.project(owner)
    made = await requests.receive(MANAGER, owner, RequestKind.COPY, evidence=PROOF)
    copy = await requests.copy(MANAGER, made.request_id)
    assert json.loads(json.dumps(copy)) == copy, "a file"
    assert copy["customer"]["name"] == "王建军"
    assert [one["e164"] for one in copy["phones"]] == ["+8613800138001"], "their own number, whole"
    assert len(copy["projects"]) == 1
    async with desk.office.database.session() as session:
        actions = list(await session.scalars(select(AuditRow.action).order_by(AuditRow.seq)))
    assert actions[-1] == "data_request.copied"
    other = await requests.receive(MANAGER, owner, RequestKind.DELETE, evidence=PROOF)
    with pytest.raises(Invalid):
        await requests.copy(MANAGER, other.request_id)


async def test_a_deletion_without_a_contract_takes_everything(desk: Desk, requests: DataRequests) -> None:
    owner = (await desk.customer("王建军", "13800138001")).customer_id
    made = await requests.receive(MANAGER, owner, RequestKind.DELETE, evidence=PROOF)
    done = await requests.answer(MANAGER, made.request_id, made.version)
    assert (done.kept_until, done.erased_on) == (None, date(2026, 3, 2))
    assert "不能识别个人" in (done.answer or "")
    async with desk.office.database.session() as session:
        assert "王" not in (await session.get_one(Customer, owner)).name
        assert (await session.scalars(select(CustomerPhone))).all() == []


async def test_a_deletion_keeps_what_the_law_keeps_and_goes_on_at_its_end(
    desk: Desk, requests: DataRequests, clock: FakeClock
) -> None:
    owner = (await desk.customer("王建军", "13800138001")).customer_id
    key = (await desk.project(owner)).project.project_id
    async with desk.office.database.transaction() as session:
        home = await session.get_one(Project, key)
        home.stage, home.finished_on = 95, date(2024, 6, 30)
        home.warranty_until = date(2026, 6, 30)
    made = await requests.receive(MANAGER, owner, RequestKind.DELETE, evidence=PROOF)
    done = await requests.answer(MANAGER, made.request_id, made.version)
    assert (done.kept_until, done.erased_on) == (date(2029, 6, 30), None)
    assert "2029-06-30" in (done.answer or "")
    async with desk.office.database.session() as session:
        assert (await session.get_one(Customer, owner)).name == "王建军", "the contract needs it"
    assert await requests.erase_kept() == 0
    clock.advance(timedelta(days=1220))
    assert await requests.erase_kept() == 1
    assert await requests.erase_kept() == 0
    async with desk.office.database.session() as session:
        home = await session.get_one(Project, key)
        assert "锦秋" not in home.address
        assert home.warranty_until == date(2026, 6, 30), "figures stay"


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(NOW)
    async with web_stage(tmp_path, clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


async def test_the_page_takes_down_answers_and_hands_out_the_copy(office: OfficeStage) -> None:
    async with office.stage.database.session() as session:
        name = await session.scalar(
            select(Customer.name).where(Customer.id == office.projects[0].customer_id)
        )
    who = f"/customers/{office.projects[0].customer_id}"
    assert (await get(office, "spc", "/data-requests"))[0] == 403
    status, page = await get(office, "manager", "/data-requests")
    assert (status, "没有这样的请求" in page) == (200, True)
    form = {"who": "无此人", "kind": "copy", "evidence": PROOF}
    status, _, page = await post(office, "manager", "/data-requests", form)
    assert (status, "没有找到这位客户" in page) == (400, True)
    status, location, _ = await post(office, "supervisor", "/data-requests", form | {"who": who})
    assert (status, location) == (303, "/data-requests")
    (item,) = (await office.crm.data_requests.page(office.who("manager"))).items
    status, page = await get(office, "manager", "/data-requests")
    assert item.no in page
    status, page = await get(office, "manager", f"/data-requests/{item.request_id}/copy.html")
    assert (status, str(name) in page) == (200, True)
    status, text = await get(office, "manager", f"/data-requests/{item.request_id}/copy.json")
    assert json.loads(text)["customer"]["name"] == name
    path = f"/data-requests/{item.request_id}/answer"
    status, _, page = await post(office, "manager", path, {"version": "9", "text": "已交付"})
    assert (status, "已交付" in page) == (412, True)
    status, _, _ = await post(office, "manager", path, {"version": str(item.version), "text": "已交付"})
    assert status == 303
    status, page = await get(office, "manager", "/data-requests?state=answered")
    assert "已交付" in page


async def test_the_manager_holds_a_case_and_lets_it_go_on_a_page(office: OfficeStage) -> None:
    case_id = (await office.new()).header.case_id
    path = f"/cases/{case_id}/legal-hold"
    assert (await get(office, "spc", path))[0] == 403
    assert f'href="{path}"' in (await get(office, "manager", f"/cases/{case_id}"))[1]
    assert "没有保留过" in (await get(office, "manager", path))[1]
    assert (await post(office, "manager", path, {"reason": " "}))[0] == 400
    assert (await post(office, "manager", path, {"reason": "法院来函"}))[0] == 303
    status, _, page = await post(office, "manager", path, {"reason": "再来一次"})
    assert (status, "已经保留了" in page, "再来一次" in page) == (409, True, True)
    status, page = await get(office, "manager", path)
    assert ("法院来函" in page, f'action="{path}/release"' in page) == (True, True)
    who = f"/customers/{(await office.crm.cases.get(office.who('manager'), case_id)).customer_id}"
    wish = {"who": who, "kind": "delete", "evidence": PROOF}
    assert (await post(office, "manager", "/data-requests", wish))[0] == 303
    status, page = await get(office, "manager", "/data-requests")
    assert ("依法保全" in page, "法院来函" in page) == (True, True), "why nothing would be deleted"
    assert (await post(office, "manager", f"{path}/release", {"reason": "官司结束"}))[0] == 303
    assert "官司结束" in (await get(office, "manager", path))[1]
