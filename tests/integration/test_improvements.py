"""Improvement measures through service, API and pages (domain.md §1.15)."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest
import pytest_asyncio
from aiohttp import FormData

from crm.domain.complaint import ComplaintClass
from crm.domain.improvement import EffectUnknown, MeasureState
from crm.domain.line_steps import SamePerson
from crm.improvement_views import MeasureDetail, MeasureFilter, NewMeasure
from kernel.audit import AuditLog
from kernel.clock import FakeClock
from kernel.errors import Forbidden, Invalid, NotFound, StaleVersion
from tests.support.office import TILE, OfficeStage
from tests.support.office_web import get, photo, post, signed_in
from tests.support.web_stage import web_stage

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)  # a Tuesday, 09:00 at the site
HERE = "/lists/improvements"
HOSTILE = "<script>alert(1)</script>'\">"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(START)
    async with web_stage(tmp_path_factory.mktemp("improvements"), clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


async def new(office: OfficeStage, **changes: object) -> MeasureDetail:
    what = {
        "problem": "墙砖空鼓连续两个月居首",
        "measure": "贴砖前基层验收拍照，质检员签字后才能铺贴",
        "department": "ENG",
        "due_on": office.crm.improvements.today() + timedelta(days=20),
        "class_code": ComplaintClass.WORKMANSHIP,
        "subclass": "tile",
    }
    return await office.crm.improvements.set(office.who("manager"), NewMeasure(**(what | changes)))  # type: ignore[arg-type]


async def test_1_15_owner_due_evidence_and_the_check_in_the_next_month(office: OfficeStage) -> None:
    improvements, manager, head = office.crm.improvements, office.who("manager"), office.who("head")
    found = await new(office, owner_id=office.who("member").user_id)
    key = found.measure.measure_id
    assert (found.measure.owner, found.measure.month) == ("刘铁柱", "2026-03")
    await office.crm.improvement_evidence.add(office.who("member"), key, content=photo(), name="基层.jpg")
    done = await improvements.report(
        office.who("member"), key, expected=found.measure.version, evidence="三个工地已按新办法验收"
    )
    assert done.measure.check_from == date(2026, 4, 1)
    with pytest.raises(EffectUnknown):
        await improvements.check(manager, key, expected=done.measure.version, effective=True, text="下降")
    office.clock.advance(timedelta(days=25))
    with pytest.raises(StaleVersion):
        await improvements.check(manager, key, expected=1, effective=True, text="下降")
    again = await improvements.check(
        manager,
        key,
        expected=done.measure.version,
        effective=False,
        text="四月仍有四条",
        due_on=date(2026, 4, 30),
    )
    assert (again.measure.state, again.measure.round) == (MeasureState.OPEN, 2)
    done = await improvements.report(head, key, expected=again.measure.version, evidence="增加抽查")
    office.clock.advance(timedelta(days=30))
    own = await improvements.get(head, key)
    assert "check" not in {step.value for step in own.measure.steps}
    closed = await improvements.check(
        office.who("boss"), key, expected=own.measure.version, effective=True, text="五月一条"
    )
    assert closed.measure.state is MeasureState.EFFECTIVE
    assert [(entry.step, entry.round) for entry in closed.history] == [
        ("set", 1),
        ("reported", 1),
        ("not_effective", 1),
        ("reported", 2),
        ("effective", 2),
    ]
    assert [file.name for file in closed.evidence] == ["基层.jpg"]
    actions = {record.action for record in await AuditLog(office.stage.database, office.clock).recent()}
    assert {"improvement.set", "improvement.reported", "improvement.not_effective"} <= actions


async def test_departments_see_and_report_their_own_alone(office: OfficeStage) -> None:
    improvements = office.crm.improvements
    found = (await new(office)).measure
    page = await improvements.page(office.who("designer"), MeasureFilter())
    assert found.measure_id not in {item.measure_id for item in page.items}
    assert found.measure_id in {
        item.measure_id for item in (await improvements.page(office.who("head"), MeasureFilter())).items
    }
    for login, refusal in (("designer", NotFound), ("member", Forbidden), ("spc", NotFound)):
        with pytest.raises(refusal):
            await improvements.report(
                office.who(login), found.measure_id, expected=found.version, evidence="做了"
            )
    with pytest.raises(Forbidden):
        await improvements.set(
            office.who("head"), NewMeasure(problem="x", measure="x", department="ENG", due_on=found.due_on)
        )
    own = await improvements.report(
        office.who("manager"), found.measure_id, expected=found.version, evidence="x"
    )
    office.clock.advance(timedelta(days=40))
    version = own.measure.version
    with pytest.raises(SamePerson):
        await improvements.check(
            office.who("manager"), found.measure_id, expected=version, effective=True, text="x"
        )


async def test_what_cannot_be_is_refused_by_field(office: OfficeStage) -> None:
    view = await office.repair()
    wrong = {
        "problem": "  ",
        "department": "NIX",
        "due_on": date(2025, 1, 1),
        "owner_id": office.who("designer").user_id,
        "subclass": "manner",
        "case_id": view.case_id,
        "month": "2031-01",
    }
    for field, value in wrong.items():
        with pytest.raises(Invalid) as refused:
            await new(office, **{field: value})
        assert refused.value.field == field


async def test_overdue_is_a_filter_and_pages_follow_the_due_date(office: OfficeStage) -> None:
    improvements, boss = office.crm.improvements, office.who("boss")
    late = (await new(office, due_on=improvements.today())).measure
    for ahead in (3, 1, 2):
        await new(office, due_on=improvements.today() + timedelta(days=ahead), department="DES")
    office.clock.advance(timedelta(days=1))
    overdue = await improvements.page(boss, MeasureFilter(overdue=True))
    assert late.measure_id in {item.measure_id for item in overdue.items}
    assert all(item.overdue for item in overdue.items)
    wanted, seen, cursor = MeasureFilter(department="DES", is_open=True), [], None
    for _ in range(3):
        page = await improvements.page(boss, wanted, cursor=cursor, limit=1)
        seen += [item.due_on for item in page.items]
        cursor = page.next_cursor
    assert seen == sorted(seen)
    assert len(seen) == 3
    assert cursor is None


async def test_the_api_has_versions_and_files(office: OfficeStage) -> None:
    api, headers = "/api/v1/improvements", {"Origin": office.stage.url}
    body = {"problem": "送货晚", "measure": "提前三天确认", "department": "MAT", "due_on": "2026-12-31"}
    async with signed_in(office, "manager") as session:
        async with session.post(api, json=body, headers=headers) as answer:
            assert answer.status == 201
            made, tag = await answer.json(), answer.headers["ETag"]
        path = f"{api}/{made['measure_id']}"
        changed = {"problem": "送货晚", "measure": "提前五天确认", "due_on": "2026-12-30"}
        async with session.put(path, json=changed, headers=headers) as answer:
            assert answer.status == 428
        async with session.put(path, json=changed, headers=headers | {"If-Match": tag}) as answer:
            assert answer.status == 200
            tag = answer.headers["ETag"]
        form = FormData()
        form.add_field("file", photo(), filename="a.jpg", content_type="image/jpeg")
        async with session.post(f"{path}/evidence", data=form, headers=headers) as answer:
            assert answer.status == 201
            file = await answer.json()
        async with session.get(f"/api/v1/improvement-evidence/{file['file_id']}") as answer:
            assert answer.status == 200
        async with session.post(
            f"{path}/drop", json={"reason": "换供应商"}, headers=headers | {"If-Match": tag}
        ) as answer:
            assert (await answer.json())["state"] == "dropped"
        async with session.get(f"{api}?state=dropped&department=MAT&limit=1") as answer:
            assert [item["measure_id"] for item in (await answer.json())["items"]] == [made["measure_id"]]
    async with signed_in(office, "designer") as session:
        async with session.get(path) as answer:
            assert answer.status == 404
        async with session.post(api, json=body, headers=headers) as answer:
            assert answer.status == 403


async def test_the_pages_from_cause_and_complaint_to_the_report(office: OfficeStage) -> None:
    view = await office.new(TILE)
    _, page = await get(office, "manager", f"/cases/{view.case_id}")
    assert f'href="{HERE}?case={view.case_id}"' in page
    assert "制定改进措施" not in (await get(office, "spc", f"/cases/{view.case_id}"))[1]
    month = f"{office.crm.improvements.today():%Y-%m}"
    _, page = await get(office, "manager", "/lists/causes")
    assert f"{HERE}?from_month={month}&amp;from_department=ENG&amp;from_class_code=1" in page
    assert HERE + "?from" not in (await get(office, "boss", "/lists/causes"))[1]
    _, page = await get(office, "manager", f"{HERE}?case={view.case_id}")
    assert TILE.cause in page
    form = {
        "version": "0",
        "problem": HOSTILE,
        "measure": "每户验收",
        "department": "ENG",
        "due_on": "2020-01-01",
        "class_code": "1",
        "subclass": "tile",
        "case_id": view.case_id,
    }
    status, _, page = await post(office, "manager", f"{HERE}/steps/set", form)
    assert status in {400, 422}
    assert "&lt;script&gt;" in page
    assert HOSTILE not in page
    due = (office.crm.improvements.today() + timedelta(days=9)).isoformat()
    status, place, _ = await post(office, "manager", f"{HERE}/steps/set", form | {"due_on": due})
    assert status == 303
    key = re.sub(r"\?.*", "", place)
    _, page = await get(office, "head", key)
    assert f'action="{key}/steps/report"' in page
    assert view.no in page
    sent = FormData({"version": "1", "evidence": "已整改"})
    sent.add_field("photos", photo(), filename="b.jpg", content_type="image/jpeg")
    status, _, _ = await post(office, "head", f"{key}/steps/report", sent)
    assert status == 303
    _, page = await get(office, "head", key)
    picture = re.search(r"/improvement-files/[0-9A-Z]+", page)
    assert picture is not None
    assert (await get(office, "designer", picture[0]))[0] == 404
    for query in ("state=nonsense&department=%27", "month=abc", "cursor=zzz", "case=zzz"):
        assert (await get(office, "boss", f"{HERE}?{query}"))[0] in {200, 400}
