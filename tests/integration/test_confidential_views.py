"""What of cases is hidden from whom: every role before every view, over pages and the API."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from crm.attachments import AttachmentView
from crm.complaint_input import Acceptance, NewLine
from crm.complaint_views import ComplaintView
from crm.confidential import HIDDEN
from crm.domain.case import Severity
from crm.domain.complaint import ComplaintClass, Verdict
from crm.domain.complaint_line import AcceptMode, ProblemStatus
from crm.escalations import NewEscalation
from crm.tables import ServiceCase
from kernel.access import Actor, Role
from kernel.clock import FakeClock
from kernel.errors import Forbidden, NotFound
from kernel.ids import new_ulid
from tests.support.office import DAY, DRAWN, TILE, OfficeStage
from tests.support.office_web import photo, signed_in
from tests.support.web_stage import PASSWORD, web_stage

pytestmark = pytest.mark.integration

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)  # a Tuesday, 09:00 at the site
SECRET = "两千元红包"
BRIBE = NewLine(class_=ComplaintClass.INTEGRITY, subclass="private_charge", cause=f"监理收了{SECRET}")
INSIDERS = ("spc", "manager", "boss")
"""Who wrote it down, and the two managers; not every specialist, and not who runs the system."""
OTHERS = ("colleague", "supervisor", "admin", "head", "member", "designer", "captain", "finance", "hr")
SECRET_ONLY = "监理私下收款"


@dataclass
class Mixed:
    """A complaint with a line about integrity and one of the engineers', and everything written about it."""

    view: ComplaintView
    secret_line: str
    own_line: str
    sheets: dict[str, str]
    escalation_id: str
    whole: AttachmentView
    secret: AttachmentView
    own: AttachmentView

    @property
    def secrets(self) -> tuple[str, ...]:
        """What nobody but insiders may read anywhere."""
        return (SECRET, self.secret_line, self.whole.attachment_id, self.secret.attachment_id)

    def pages(self) -> list[str]:
        """Every page on which a case may stand."""
        case = self.view.case_id
        lists = [
            "/cases",
            "/handoffs",
            "/handoffs?box=all",
            "/inbox",
            "/escalations",
            "/approvals",
            "/overdue",
        ]
        lists += [f"/overdue?which={which}" for which in ("not_accepted", "plan_late", "not_solved")]
        lists += ["/my-day", "/red-list", "/captain", "/notices", "/figures", "/search?q=厨房暗格"]
        one = [f"/cases/{case}", f"/lines/{self.own_line}", f"/lines/{self.secret_line}"]
        one += [f"/handoffs/{sheet}/sheet" for sheet in self.sheets.values()]
        one += [f"/customers/{self.view.header.customer_id}"]
        return [*lists, *one, f"/escalations/{self.escalation_id}"]

    def resources(self) -> list[str]:
        """Every resource in which a case may stand."""
        case = self.view.case_id
        lists = ["/complaints", "/handoffs?box=all", "/escalations", "/overdue-lists", "/notices"]
        lists += ["/overdue?which=not_accepted", "/overdue?which=not_solved", "/search?q=厨房暗格"]
        one = [f"/complaints/{case}", f"/cases/{case}/attachments", f"/escalations/{self.escalation_id}"]
        one += [f"/complaint-lines/{line}" for line in (self.own_line, self.secret_line)]
        one += [f"/handoffs/{sheet}" for sheet in self.sheets.values()]
        one += [f"/customers/{self.view.header.customer_id}/timeline"]
        lists += ["/appraisals", f"/search?q={self.view.no}"]
        return [f"/api/v1{path}" for path in (*lists, *one)]


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(START)
    async with web_stage(tmp_path, clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        await stage.accounts.users.create(
            login="colleague", password=PASSWORD, role=Role.AGENT, display_name="同组专员"
        )
        yield found


async def mixed(office: OfficeStage) -> Mixed:
    """Write it all down, and let it become late."""
    complaints, files = office.crm.complaints, office.crm.repairs.attachments
    view = await office.new(
        TILE,
        BRIBE,
        content=f"监理收了{SECRET}藏在厨房暗格，另外墙砖空鼓",
        demand=f"退回{SECRET}",
        want_by=START + DAY,
    )
    own = next(line for line in view.lines if not line.confidential)
    secret = next(line for line in view.lines if line.confidential)

    async def keep(login: str, line_id: str | None) -> AttachmentView:
        return await files.add(
            office.who(login),
            view.case_id,
            content=photo(),
            name="厨房.jpg",
            line_id=line_id,
        )

    whole, hidden = await keep("spc", None), await keep("manager", secret.line_id)
    shown = await keep("head", None)
    assert shown.line_id == own.line_id
    await complaints.complaints.called_again(office.who("spc"), view.case_id, note=f"又提到{SECRET}")
    await office.visit(view, 0 if not view.lines[0].confidential else 1)
    await office.call_back(
        view, verdict=Verdict.DISSATISFIED, problem=ProblemStatus.NOT_HANDLED, note=f"问{SECRET}"
    )
    found = await office.fresh(view)
    told = NewEscalation(cause=f"监理收{SECRET}", process_so_far=f"核实{SECRET}", demand=f"退{SECRET}")
    escalation = await complaints.escalations.submit(office.who("spc"), found.case_id, found.version, told)
    office.clock.advance(timedelta(days=5))
    return Mixed(
        view=await office.fresh(view),
        secret_line=secret.line_id,
        own_line=own.line_id,
        sheets={line.line_id: line.handoffs[0].handoff_id for line in found.lines if line.handoffs},
        escalation_id=escalation.escalation_id,
        whole=whole,
        secret=hidden,
        own=shown,
    )


async def test_class_9_is_hidden_from_every_other_role_in_every_view(office: OfficeStage) -> None:
    case = await mixed(office)
    assert len(case.sheets) == 2
    for login in (*INSIDERS, *OTHERS):
        async with signed_in(office, login) as session:
            for path in (*case.pages(), *case.resources()):
                async with session.get(path, allow_redirects=False) as answer:
                    status, body = answer.status, await answer.text()
                assert status in (200, 302, 303, 403, 404), (login, path, body)
                if login == "manager":
                    assert status in (200, 303) or path in ("/inbox", "/captain"), (path, status)
                if login in OTHERS:
                    found = [word for word in case.secrets if word in body and word not in path]
                    assert found == [], (login, path)
                    if "search" in path and status == 200:
                        assert case.view.no not in body, (login, path)
            for file in (case.whole, case.secret, case.own):
                async with session.get(f"/api/v1/attachments/{file.attachment_id}") as answer:
                    seen = login in INSIDERS or (file is case.own and login not in ("designer", "captain"))
                    assert (answer.status == 200) is seen, (login, file)

    for login in (*INSIDERS, "colleague", "supervisor", "admin", "head", "finance", "hr"):
        async with (
            signed_in(office, login) as session,
            session.get(f"/api/v1/complaints/{case.view.case_id}") as answer,
        ):
            body = await answer.text()
        assert ((SECRET in body), (HIDDEN in body)) == ((True, False) if login in INSIDERS else (False, True))
    async with signed_in(office, "spc") as session, session.get("/api/v1/search?q=厨房暗格") as answer:
        assert case.view.no in await answer.text()
    async with signed_in(office, "head") as session:
        for path in (f"/lines/{case.own_line}", f"/handoffs/{case.sheets[case.own_line]}/sheet"):
            async with session.get(path) as answer:
                body = await answer.text()
            assert HIDDEN in body
            assert TILE.cause in body
            assert str(case.view.header.address) in body


async def test_a_complaint_about_integrity_alone_is_found_by_whom_it_is_for(office: OfficeStage) -> None:
    """One rule for reading and searching; signing is the manager's and nobody else's."""
    view = await office.new(
        NewLine(class_=ComplaintClass.INTEGRITY, subclass="private_charge", cause=SECRET_ONLY),
        content=f"{SECRET_ONLY}，要求退还",
    )
    line = view.lines[0]
    for login in (*INSIDERS, *OTHERS):
        async with signed_in(office, login) as session:
            async with session.get(f"/api/v1/search?q={SECRET_ONLY}") as answer:
                found = answer.status == 200 and view.no in await answer.text()
            async with session.get(f"/api/v1/complaint-lines/{line.line_id}") as answer:
                read = answer.status == 200
        assert (found, read) == ((True, True) if login in INSIDERS else (False, False)), login
    work, given = office.crm.complaints.work, Acceptance(signature=DRAWN, mode=AcceptMode.NO_PLAN)
    admin, colleague = (
        Actor(user_id=new_ulid(), name="另一位", role=role) for role in (Role.ADMINISTRATOR, Role.AGENT)
    )
    boss, writer = office.who("boss"), office.who("spc")
    for other, refusal in ((admin, NotFound), (boss, Forbidden), (writer, Forbidden)):
        with pytest.raises(refusal):
            await work.accept(other, line.line_id, line.version, given)
    seen = await office.crm.complaints.complaints.get(colleague, view.case_id)
    assert (seen.lines, seen.steps) == ((), ("called_again", "add_line"))
    with pytest.raises(Forbidden):
        await office.crm.complaints.complaints.set_severity(
            colleague, view.case_id, view.version, Severity.MAJOR, "客户催促"
        )
    again = await office.crm.complaints.complaints.called_again(colleague, view.case_id, note="客户再次来电")
    assert again.header.call_count == view.header.call_count + 1
    card = await office.stage.directory.card(view.header.customer_id)
    assert SECRET_ONLY not in repr(card)
    signed = await work.accept(office.who("manager"), line.line_id, line.version, given)
    assert signed.accepted_by == office.who("manager").name


async def test_6_4_a_department_knows_the_customer_only_while_the_case_is_open(office: OfficeStage) -> None:
    view = await office.new(TILE)
    await office.done(view)
    view = await office.call_back(view)
    header, sheet = view.header, view.lines[0].handoffs[0].handoff_id
    assert header.address is not None
    places = [f"/api/v1/complaints/{view.case_id}", "/api/v1/complaints", f"/api/v1/handoffs/{sheet}"]
    places += ["/api/v1/handoffs?box=signed", f"/api/v1/search?q={view.no}", f"/cases/{view.case_id}"]
    places += [f"/lines/{view.lines[0].line_id}", f"/handoffs/{sheet}/sheet"]

    async def known(login: str) -> dict[str, bool]:
        found = {}
        async with signed_in(office, login) as session:
            for path in places:
                async with session.get(path) as answer:
                    assert answer.status == 200, path
                    body = await answer.text()
                assert view.no in body, path
                found[path] = header.customer_name in body or str(header.address) in body
        return found

    assert set((await known("head")).values()) == {True}
    async with office.stage.database.transaction() as session:
        # What it takes to close it is another test's matter.
        await session.execute(update(ServiceCase).values(closed_at=office.clock.now(), status="closed"))
    assert set((await known("head")).values()) == {False}
    async with signed_in(office, "head") as browser:
        async with browser.get(f"/api/v1/search?q={view.no}") as answer:
            (hit,) = (await answer.json())["items"]
        assert (hit["customer_id"], hit["phones"]) == (None, [])
        async with browser.get(f"/api/v1/search?q={header.customer_name}") as answer:
            assert (await answer.json())["items"] == [], "a name leads to no closed case"
    assert set((await known("spc")).values()) == {True}
