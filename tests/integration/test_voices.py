"""Suggestions to market planning and the competitor form to the general manager (domain.md §1.12)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from crm.domain.voice import VoiceKind, competitor_of
from crm.voices import NewVoice, VoiceFilter
from kernel.business_time import SHANGHAI
from kernel.clock import FakeClock
from kernel.errors import Forbidden, Invalid
from kernel.ids import new_ulid
from tests.support.office import TILE, OfficeStage
from tests.support.office_web import get, post, signed_in
from tests.support.web_stage import web_stage

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

HERE = "/lists/voices"
HOSTILE = "<script>alert(1)</script>"
FORMULA = "=HYPERLINK(1)"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(datetime(2026, 3, 31, 15, 0, tzinfo=UTC))  # 23:00 at the site
    async with web_stage(tmp_path_factory.mktemp("voices"), clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


async def test_1_12_news_of_a_competitor_names_it() -> None:
    assert competitor_of(VoiceKind.COMPETITOR, " 宜居  装饰 ") == "宜居 装饰"
    assert competitor_of(VoiceKind.SUGGESTION, None) == ""
    for kind, name in (
        (VoiceKind.COMPETITOR, "  "),
        (VoiceKind.SUGGESTION, "宜居"),
        (VoiceKind.COMPETITOR, "x" * 61),
    ):
        with pytest.raises(Invalid) as refused:
            competitor_of(kind, name)
        assert refused.value.field == "competitor"


async def test_1_12_suggestions_are_grouped_by_the_sites_month_for_the_managers(office: OfficeStage) -> None:
    voices, spc = office.crm.voices, office.who("spc")
    case = await office.new(TILE)
    first = await voices.note(spc, NewVoice(kind=VoiceKind.SUGGESTION, text=FORMULA, case_id=case.case_id))
    assert (first.month, first.case_no, first.customer_id) == ("2026-03", case.no, case.header.customer_id)
    office.clock.advance(timedelta(hours=1))
    await voices.note(
        office.who("manager"),
        NewVoice(kind=VoiceKind.COMPETITOR, text="送全屋窗帘", competitor="宜居装饰", call_id=new_ulid()),
    )
    months = await voices.months(office.who("boss"))
    assert [(one.month, dict(one.counts)) for one in months[:2]] == [
        ("2026-04", {VoiceKind.COMPETITOR: 1}),
        ("2026-03", {VoiceKind.SUGGESTION: 1}),
    ]
    assert [item.by for item in (await voices.page(spc, VoiceFilter())).items] == ["周晓梅"]
    everything = await voices.page(office.who("boss"), VoiceFilter(), limit=1)
    rest = await voices.page(office.who("boss"), VoiceFilter(), limit=1, cursor=everything.next_cursor)
    assert [item.kind for item in (*everything.items, *rest.items)] == ["competitor", "suggestion"]
    assert (
        await voices.count(office.who("boss"), VoiceFilter(kind=VoiceKind.SUGGESTION, month="2026-04")) == 0
    )


async def test_what_cannot_be_noted(office: OfficeStage) -> None:
    voices, case = office.crm.voices, await office.new(TILE)
    for login in ("head", "boss", "hr"):
        with pytest.raises(Forbidden):
            await voices.note(office.who(login), NewVoice(kind=VoiceKind.SUGGESTION, text="x"))
    with pytest.raises(Forbidden):
        await voices.page(office.who("captain"), VoiceFilter())
    other = next(one.customer_id for one in office.projects if one.customer_id != case.header.customer_id)
    wrong = {"text": " ", "case_id": "nix", "call_id": "nix", "customer_id": other, "competitor": "宜居"}
    for field, value in wrong.items():
        given = {"kind": VoiceKind.SUGGESTION, "text": "早点到", "case_id": case.case_id, field: value}
        with pytest.raises(Invalid) as refused:
            await voices.note(office.who("spc"), NewVoice(**given))
        assert refused.value.field == field


async def test_pages_and_files(office: OfficeStage) -> None:
    case = await office.new(TILE)
    suggestion = NewVoice(kind=VoiceKind.SUGGESTION, text=FORMULA, case_id=case.case_id)
    await office.crm.voices.note(office.who("spc"), suggestion)
    assert f'href="{HERE}?case={case.case_id}"' in (await get(office, "spc", f"/cases/{case.case_id}"))[1]
    assert HERE not in (await get(office, "head", f"/cases/{case.case_id}"))[1]
    form = {"version": "0", "kind": "competitor", "text": HOSTILE, "case": case.case_id}
    status, _, page = await post(office, "spc", f"{HERE}/steps/note", form)
    assert status in {400, 422}
    assert "&lt;script&gt;" in page
    status, place, _ = await post(office, "spc", f"{HERE}/steps/note", form | {"competitor": "美家"})
    assert (status, place) == (303, f"{HERE}?done=note")
    _, page = await get(office, "boss", f"{HERE}?kind=competitor")
    assert HOSTILE not in page
    assert case.no in page
    async with signed_in(office, "boss") as session:
        async with session.get("/exports/voices.csv?kind=suggestion") as answer:
            assert answer.status == 200
            assert f"'{FORMULA}" in await answer.text("utf-8-sig")
        month = f"{office.clock.now().astimezone(SHANGHAI):%Y-%m}"
        async with session.get(f"/api/v1/voices?month={month}&limit=5") as answer:
            assert {item["month"] for item in (await answer.json())["items"]} == {month}
        async with session.get("/api/v1/voice-months") as answer:
            assert answer.status == 200
    async with signed_in(office, "spc") as session:
        async with session.get("/exports/voices.csv") as answer:
            assert answer.status == 403
        sent = {"kind": "suggestion", "text": "周末也能验收"}
        async with session.post("/api/v1/voices", json=sent, headers={"Origin": office.stage.url}) as answer:
            assert answer.status == 201
    for query in ("kind=x&month=abc", "cursor=zz"):
        assert (await get(office, "boss", f"{HERE}?{query}"))[0] == 400
