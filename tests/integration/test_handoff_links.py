"""Links to hand-offs without signing in: what they show, to whom they open, when they end, what is noted."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from sqlalchemy import select, update

from crm.complaint_input import NewLine
from crm.domain.complaint import ComplaintClass
from crm.handoff_link_tables import HandoffLinkRow
from crm.handoff_links import LASTS, MAX_LIVE, HandoffLinks, NoLink
from crm.tables import CustomerPhone
from kernel.audit import AuditRow
from kernel.clock import FakeClock
from kernel.errors import Conflict, NotFound
from tests.support.office import TILE, OfficeStage
from tests.support.office_web import get, post
from tests.support.web_stage import web_stage
from web.pages.office.shared import PACE
from web.tables import UserRow

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)  # a Tuesday, 09:00 at the site
INTEGRITY = NewLine(class_=ComplaintClass.INTEGRITY, subclass="private_charge", cause="工人私下收费三千元")
NUMBER = "13912345678"
LANDLINE = "0539-812 3456"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(START)
    async with web_stage(tmp_path_factory.mktemp("links"), clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


def links(office: OfficeStage) -> HandoffLinks:
    return office.crm.handoff_links


async def handoff(office: OfficeStage, *lines: NewLine, content: str = "厨房墙砖空鼓") -> str:
    view = await office.new(*lines or (TILE,), content=content)
    return view.lines[0].handoffs[0].handoff_id


async def visit(office: OfficeStage, token: str) -> tuple[int, str, dict[str, str]]:
    async with ClientSession(base_url=office.stage.url) as session, session.get(f"/shared/{token}") as answer:
        return answer.status, await answer.text(), dict(answer.headers)


async def notes(office: OfficeStage, handoff_id: str) -> list[tuple[str, str, str]]:
    query = select(AuditRow).where(AuditRow.entity_id == handoff_id).order_by(AuditRow.seq)
    async with office.stage.database.session() as session:
        return [(row.action, row.actor, row.ip) for row in await session.scalars(query)]


async def test_a_link_shows_the_sheet_masked_to_whoever_has_it(office: OfficeStage) -> None:
    handoff_id = await handoff(office, content=f"墙砖空鼓，请打{NUMBER}或{LANDLINE}转805联系")
    made = await links(office).make(office.who("head"), handoff_id)
    assert len(made.token) == 43
    assert made.link.expires_at == office.clock.now() + LASTS
    status, page, headers = await visit(office, made.token)
    assert status == 200
    sheet = await office.crm.complaints.handoffs.sheet(office.who("spc"), handoff_id)
    assert sheet.handoff.receipt_no in page
    assert "墙砖空鼓" in page
    assert NUMBER not in page
    assert LANDLINE not in page
    async with office.stage.database.session() as session:
        numbers = (
            await session.scalars(
                select(CustomerPhone.e164).where(CustomerPhone.customer_id == office.projects[0].customer_id)
            )
        ).all()
        rows = (await session.scalars(select(HandoffLinkRow))).all()
    assert numbers
    assert not [number for number in numbers if number[3:] in page.replace(" ", "")]
    assert made.token not in str([vars(row) for row in rows]), "only its hash is kept"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Robots-Tag"].startswith("noindex")
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "/sign-out" not in page
    assert await notes(office, handoff_id) == [
        ("handoff_link.made", "陈建国", "10.1.2.3"),
        ("handoff_link.opened", "link", "127.0.0.1"),
    ]
    (live,) = await links(office).live(office.who("spc"), handoff_id)
    assert (live.opened, live.made_by, live.last_opened_at) == (1, "陈建国", office.clock.now())


async def test_who_does_not_see_the_hand_off_makes_no_link(office: OfficeStage) -> None:
    handoff_id = await handoff(office)
    made = await links(office).make(office.who("spc"), handoff_id)
    with pytest.raises(NotFound):
        await links(office).make(office.who("designer"), handoff_id)
    with pytest.raises(NotFound):
        await links(office).live(office.who("designer"), handoff_id)
    with pytest.raises(NotFound):
        await links(office).revoke(office.who("designer"), made.link.link_id)
    with pytest.raises(NotFound):
        await links(office).revoke(office.who("spc"), handoff_id)
    assert (await visit(office, made.token))[0] == 200


async def test_nothing_about_integrity_has_a_link(office: OfficeStage) -> None:
    secret = await handoff(office, INTEGRITY)
    for login in ("spc", "manager", "boss"):
        with pytest.raises(NoLink):
            await links(office).make(office.who(login), secret)
    mixed = await handoff(office, TILE, INTEGRITY, content="工人私下收费三千元，墙砖空鼓")
    made = await links(office).make(office.who("manager"), mixed)
    status, page, _ = await visit(office, made.token)
    assert status == 200
    assert "三千元" not in page, "what was written about the whole may be about integrity"
    assert TILE.cause in page


async def test_a_link_ends_after_a_day_when_revoked_sent_back_or_closed(office: OfficeStage) -> None:
    view = await office.new(TILE)
    line = view.lines[0]
    handoff_id = line.handoffs[0].handoff_id
    spc = office.who("spc")
    revoked, other = [await links(office).make(spc, handoff_id) for _ in range(2)]
    assert (await links(office).revoke(spc, revoked.link.link_id)).revoked_at == office.clock.now()
    office.clock.advance(LASTS - timedelta(seconds=1))
    assert (await visit(office, revoked.token))[0] == 404
    assert (await visit(office, other.token))[0] == 200
    office.clock.advance(timedelta(seconds=1))
    gone = await visit(office, other.token)
    assert gone[0] == 404
    assert gone[2]["X-Robots-Tag"].startswith("noindex")
    assert gone[1] == (await visit(office, "A" * 43))[1], "which of them it is, is not said"
    assert await links(office).live(spc, handoff_id) == ()
    last = await links(office).make(spc, handoff_id)
    now = await office.line(view)
    await office.crm.complaints.work.reject(office.who("head"), now.line_id, now.version, "不是我们的")
    assert (await visit(office, last.token))[0] == 404
    with pytest.raises(Conflict):
        await links(office).make(spc, handoff_id)


async def test_a_link_ends_with_the_rights_of_who_made_it(office: OfficeStage) -> None:
    handoff_id = await handoff(office)
    users = office.stage.accounts.users
    made = await links(office).make(office.who("member"), handoff_id)
    other = await links(office).make(office.who("head"), handoff_id)

    async def move(department: str) -> None:
        async with office.stage.database.transaction() as session:
            member = UserRow.user_id == office.who("member").user_id
            await session.execute(update(UserRow).where(member).values(department=department))

    await move("DES")
    assert (await visit(office, made.token))[0] == 404, "sees the hand-off no more"
    await move("ENG")
    assert (await visit(office, made.token))[0] == 200
    await users.change("member", active=False)
    assert (await visit(office, made.token))[0] == 404
    assert (await visit(office, other.token))[0] == 200, "the head's link is another"
    await users.change("member", active=True)


async def test_links_are_few_and_strange_ones_open_nothing(office: OfficeStage) -> None:
    handoff_id = await handoff(office)
    for _ in range(MAX_LIVE):
        await links(office).make(office.who("spc"), handoff_id)
    with pytest.raises(Conflict, match="revoke one"):
        await links(office).make(office.who("spc"), handoff_id)
    for token in ("x", "../" * 5, "%00", "A" * 300, "令牌"):
        with pytest.raises(NotFound):
            await links(office).open(token, ip="10.9.9.9")


async def test_pages_make_show_once_and_revoke(office: OfficeStage) -> None:
    handoff_id = await handoff(office)
    status, _, page = await post(office, "head", f"/handoffs/{handoff_id}/links", {})
    assert status == 200
    url = page.split('id="made-link" readonly value="', 1)[1].split('"', 1)[0]
    assert url.startswith(office.stage.url + "/shared/")
    status, again = await get(office, "head", f"/handoffs/{handoff_id}/sheet")
    assert status == 200
    assert url not in again
    assert (await visit(office, url.rsplit("/", 1)[1]))[0] == 200
    (live,) = await links(office).live(office.who("head"), handoff_id)
    path = f"/handoffs/{handoff_id}/links/{live.link_id}/revoke"
    assert (await post(office, "designer", path, {}))[0] == 404
    status, location, _ = await post(office, "member", path, {})
    assert (status, location) == (303, f"/handoffs/{handoff_id}/sheet?done=revoked")
    assert (await visit(office, url.rsplit("/", 1)[1]))[0] == 404
    secret = await handoff(office, INTEGRITY)
    status, _, page = await post(office, "manager", f"/handoffs/{secret}/links", {})
    assert status == 403
    assert 'role="alert"' in page


async def test_guessing_is_slowed_down_by_address(office: OfficeStage) -> None:
    office.clock.advance(PACE.memory)
    answers = [(await visit(office, "B" * 43))[0] for _ in range(PACE.free + 3)]
    assert answers[: PACE.free] == [404] * PACE.free
    assert answers[-1] == 429
    office.clock.advance(PACE.memory)
    assert (await visit(office, "B" * 43))[0] == 404


async def test_a_sheet_says_nothing_of_where_it_was_signed(office: OfficeStage) -> None:
    view = await office.new(TILE)
    await office.accept(view)
    handoff_id = (await office.fresh(view)).lines[0].handoffs[0].handoff_id
    made = await links(office).make(office.who("spc"), handoff_id)
    _, page, _ = await visit(office, made.token)
    assert "陈建国" in page
    assert "10.1.2.3" not in page
    assert "<path" not in page, "nobody copies a signature from a link"
