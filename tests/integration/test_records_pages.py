"""Pages of records: warranty items, sheets of staff, regular reports, payroll's file, repair points."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from aiohttp import FormData
from sqlalchemy import select

from callback_campaigns.regular_reports import RegularReports
from crm.domain.project import Stage
from crm.people_tables import StageEventRow
from crm.point_visits import VisitKind
from crm.repair_point_views import PointText
from crm.tables import Project
from kernel.business_time import SHANGHAI
from kernel.clock import FakeClock
from kernel.errors import Conflict, Forbidden, Invalid, NotFound, StaleVersion
from kernel.ids import new_ulid
from tests.support.office import OfficeStage
from tests.support.office_web import get, post
from tests.support.web_stage import web_stage
from web.callback_part import CALLBACKS

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)
TODAY = START.date()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(START)
    async with web_stage(tmp_path_factory.mktemp("records"), clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        await found.set_warranty()
        yield found


async def test_a_warranty_is_written_item_by_item_and_the_form_of_repairs_names_them(
    office: OfficeStage,
) -> None:
    async with office.stage.database.transaction() as session:
        project = (await session.scalars(select(Project).order_by(Project.id).limit(1))).one()
        session.add(
            StageEventRow(
                id=new_ulid(),
                project_id=project.id,
                stage=int(Stage.COMPLETED),
                happened_on=TODAY - timedelta(days=400),
                recorded_at=START,
                recorded_by="陈建国",
            )
        )
    path = f"/projects/{project.id}/warranty"
    status, page = await get(office, "manager", path)
    assert status == 200 and "按公司的保修条款" in page and "防水" in page
    ends = (TODAY - timedelta(days=35)).isoformat()
    begins = (TODAY - timedelta(days=400)).isoformat()
    form = {
        "version": "0",
        "flag": "partial",
        "no": "BX-9",
        "issued_on": begins,
        "until": "",
    }
    taps = {"code.0": "fittings", "name.0": "五金配件", "starts_on.0": begins, "ends_on.0": ends, "why.0": ""}
    wood = {"code.1": "woodwork", "name.1": "定制木作", "starts_on.1": begins, "ends_on.1": "2029-01-01"}
    empty = {"code.2": "item2", "name.2": "", "starts_on.2": "", "ends_on.2": "", "why.2": ""}
    form |= taps | wood | empty | {"excluded.1": "1", "why.1": ""}
    status, _, page = await post(office, "manager", path, form)
    assert status == 400 and "不保修的项目要写明原因" in page and 'value="五金配件"' in page
    status, to, _ = await post(office, "manager", path, form | {"why.1": "<b>客户自购</b>"})
    assert (status, to) == (303, path)
    _, page = await get(office, "manager", path)
    assert "已过期" in page and "&lt;b&gt;客户自购" in page
    _, page = await get(
        office, "spc", f"/cases/new?kind=repair&customer={project.customer_id}&project={project.id}"
    )
    assert 'value="fittings" data-class="out" data-warning="坏的这一项已过保修期。' in page
    assert (await post(office, "hr", path, form))[0] == 403


async def test_a_sheet_of_staff_is_checked_and_written_on_a_page(office: OfficeStage) -> None:
    def sheet(content: str, write: str = "") -> FormData:
        form = FormData({"write": write} if write else {})
        form.add_field("file", content.encode(), filename="员工.csv", content_type="text/csv")
        return form

    path = "/organisation/staff/import"
    assert (await get(office, "manager", path))[0] == 200
    status, _, page = await post(office, "manager", path, sheet("姓名,岗位,工号\n钱进,国王,12"))
    assert status == 400 and "没有导入" in page
    status, _, page = await post(
        office, "manager", path, sheet("姓名,岗位,工号,技能\n钱进,客服专员,8012,英语", "1")
    )
    assert status == 200 and "已导入" in page
    _, page = await get(office, "manager", "/organisation/staff")
    assert "8012" in page and "英语" in page
    assert (await get(office, "spc", path))[0] == 403


async def test_regular_reports_are_read_and_taken_out(office: OfficeStage) -> None:
    assert office.stage.app is not None
    reports: RegularReports = office.stage.app[CALLBACKS].reports
    await reports.prepare()
    async with office.stage.database.transaction() as session:
        project = (await session.scalars(select(Project).order_by(Project.id.desc()).limit(1))).one()
        project.cancelled_at, project.ended_reason = office.clock.now(), "=cmd|房屋计划有变"
    later = RegularReports(office.stage.database, FakeClock(START + timedelta(days=30)), zone=SHANGHAI)
    assert await later.worker(worker="w1").run_once() == 3
    status, page = await get(office, "boss", "/lists/reports")
    assert status == 200 and "流失客户" in page and "2026-03" in page
    _, page = await get(office, "boss", "/lists/reports?month=2026-03")
    assert "房屋计划有变" in page
    status, text = await get(office, "boss", "/exports/lost.csv?month=2026-03")
    assert status == 200 and "'=cmd|房屋计划有变" in text
    assert (await get(office, "boss", "/lists/reports?month=2026"))[0] == 400
    for name, status in (("lost", 200), ("suggestions", 200), ("nothing", 404)):
        assert (await get(office, "boss", f"/lists/reports/{name}/2026-03.csv"))[0] == status
    assert (await get(office, "boss", "/lists/reports/lost/2026-13.csv"))[0] == 400
    assert (await get(office, "head", "/lists/reports/lost/2026-03.csv"))[0] == 403
    for login in ("spc", "hr"):
        assert (await get(office, login, "/lists/reports"))[0] == 403


async def test_payroll_takes_a_months_entries_once(office: OfficeStage) -> None:
    status, to, _ = await post(office, "hr", "/lists/appraisals/export", {"month": "2026-03"})
    assert (status, to) == (303, "/lists/appraisals?month=2026-03&state=confirmed&sent=yes&new=0")
    _, page = await get(office, "hr", to)
    assert "没有新的条目要导出" in page and "/exports/appraisals.xlsx?month=2026-03" in page
    status, text = await get(office, "hr", "/exports/appraisals.csv?month=2026-03")
    assert status == 200 and "确认人" in text
    assert (await get(office, "spc", "/exports/appraisals.csv?month=2026-03"))[0] == 403


async def test_visits_trainings_and_audits_are_planned_and_done(office: OfficeStage) -> None:
    assert office.stage.app is not None
    captain, visits = office.who("captain"), office.crm.point_visits
    text = PointText(
        name="通州张记水电维修",
        agreement_no="WX-8",
        district="通州区",
        contact="张师傅",
        phone="13811112222",
        valid_from=TODAY,
    )
    point = await office.crm.repair_points.put_point(office.who("manager"), None, text, expected=None)
    key = point.point_id
    with pytest.raises(Forbidden):
        await visits.plan(office.who("spc"), key, VisitKind.VISIT, planned_on=TODAY, topic="走访")
    with pytest.raises(Invalid):
        await visits.plan(captain, key, VisitKind.VISIT, planned_on=TODAY - timedelta(days=1), topic="走访")
    with pytest.raises(NotFound):
        await visits.plan(captain, new_ulid(), VisitKind.VISIT, planned_on=TODAY, topic="走访")
    made = await visits.plan(captain, key, VisitKind.AUDIT, planned_on=TODAY, topic="盘点配件")
    with pytest.raises(Invalid) as caught:
        await visits.finish(captain, made.visit_id, made.version, done_on=TODAY, result="盘点完")
    assert caught.value.field == "sound", "an audit says whether stock and books agree"
    with pytest.raises(StaleVersion):
        await visits.finish(captain, made.visit_id, 9, done_on=TODAY, result="盘点完", sound=False)
    done = await visits.finish(
        captain, made.visit_id, made.version, done_on=TODAY, result="少一个角阀", sound=False
    )
    with pytest.raises(Conflict):
        await visits.finish(captain, made.visit_id, done.version, done_on=TODAY, result="再来", sound=True)
    path = f"/lists/repair-points/{key}"
    _, page = await get(office, "captain", path)
    assert "账实不符" in page and "少一个角阀" in page
    form = {"kind": "training", "planned_on": (TODAY + timedelta(days=7)).isoformat(), "topic": "新阀门安装"}
    status, to, _ = await post(office, "captain", f"{path}/steps/plan?key=plan-new", form | {"version": "0"})
    assert status == 303, to
    assert [one.kind for one in await visits.of_point(captain, key)] == [VisitKind.TRAINING, VisitKind.AUDIT]
