"""The lists of the office: customers, duplicates, freezes, do-not-call, the company's own; who does what."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession, CookieJar

from crm.domain.customer_rules import PhoneEntry
from crm.people import CustomerFilter, NewCustomer
from crm.people_services import PeopleServices
from tests.support.people import MANAGER
from tests.support.web_stage import PASSWORD, Stage, web_stage
from web.auth import SESSION_COOKIE
from web.crm_part import CRM
from web.permissions import Role

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

PEOPLE = (
    ("manager", Role.MANAGER, None),
    ("eng", Role.DEPARTMENT_HEAD, "ENG"),
    ("boss", Role.GENERAL_MANAGER, None),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with web_stage(tmp_path_factory.mktemp("registers")) as found:
        for login, role, department in PEOPLE:
            await found.accounts.users.create(
                login=login, password=PASSWORD, role=role, display_name=login, department=department
            )
        yield found


def people_of(stage: Stage) -> PeopleServices:
    assert stage.app is not None
    return stage.app[CRM].people


class Reader:
    """Somebody who is signed in, without a browser."""

    def __init__(self, session: ClientSession, url: str) -> None:
        self._session, self._url = session, url

    async def get(self, path: str, *, status: int = 200) -> str:
        async with self._session.get(path, allow_redirects=False) as answer:
            assert answer.status == status, path
            return answer.headers.get("Location") or await answer.text()

    async def post(self, path: str, form: dict[str, Any], *, status: int = 303) -> str:
        headers = {"Origin": self._url}
        async with self._session.post(path, data=form, headers=headers, allow_redirects=False) as answer:
            text = await answer.text()
            assert answer.status == status, text
            return answer.headers.get("Location") or text


@asynccontextmanager
async def signed_in(stage: Stage, login: str) -> AsyncIterator[Reader]:
    async with ClientSession(base_url=stage.url, cookie_jar=CookieJar(unsafe=True)) as session:
        session.cookie_jar.update_cookies({SESSION_COOKIE: await stage.session_secret(login)})
        yield Reader(session, stage.url)


async def customer(stage: Stage, name: str) -> str:
    page = await people_of(stage).customers.page(MANAGER, CustomerFilter(name=name))
    return page.items[0].customer_id


async def another(stage: Stage, name: str, *numbers: str) -> str:
    phones = [PhoneEntry(number=number) for number in numbers]
    made = await people_of(stage).customers.create(MANAGER, NewCustomer(name=name, phones=phones))
    return made.customer_id


def hidden(text: str) -> dict[str, str]:
    """Return the hidden fields of a page's forms."""
    pattern = r'<input type="hidden" name="([^"]+)" value="([^"]*)">'
    return {name: value for name, value in re.findall(pattern, text) if name != "next"}


async def test_who_sees_which_list(stage: Stage) -> None:
    seen = {
        "manager": (200, 200, 200, 200, 200, 200),
        "agent": (200, 403, 200, 200, 200, 403),
        "boss": (200, 403, 200, 200, 200, 403),
        "eng": (403, 403, 403, 403, 200, 403),
    }
    paths = (
        "/customers",
        "/duplicates",
        "/freezes",
        "/do-not-call",
        "/organisation/crews",
        "/organisation/stores/new",
    )
    for login, statuses in seen.items():
        async with signed_in(stage, login) as reader:
            for path, status in zip(paths, statuses, strict=True):
                await reader.get(path, status=status)
    async with signed_in(stage, "boss") as reader:
        assert 'action="/freezes' not in await reader.get("/freezes"), "who only looks has no forms"
        form = {"who": "13800138003", "scope": "all", "reason": "x"}
        await reader.post("/freezes", form, status=403)
        await reader.post("/organisation/stores/new", {"name": "新店"}, status=403)


async def test_the_list_of_customers_is_filtered_and_paged(stage: Stage) -> None:
    for n in range(60):
        await another(stage, f"翻页{n:02}", f"1390000{n:04}")
    async with signed_in(stage, "agent") as reader:
        text = await reader.get("/customers?q=翻页")
        assert text.count('class="row-link"') == 50
        (more,) = set(re.findall(r'href="(/customers\?[^"]*cursor=[^"]+)"', text))
        rest = await reader.get(more.replace("&amp;", "&"))
        assert rest.count('class="row-link"') == 10
        whole = await reader.get("/customers?q=139 0000 0007")
        assert "翻页07" in whole
        assert whole.count('class="row-link"') == 1
        assert "13900000007" not in whole.replace('value="139 0000 0007"', "")
        frozen = await reader.get("/customers?frozen=1")
        assert "黄磊" in frozen
        assert "王建军" not in frozen
        assert "赵丽颖" in await reader.get("/customers?level=A")
        assert "没有符合条件" in await reader.get("/customers?q=%25")
        for strange in ("level=Z", "store=<b>", "frozen=maybe", "q=" + "长" * 300):
            await reader.get(f"/customers?{strange}")
        await reader.get("/customers?cursor=nonsense", status=400)


async def test_two_customers_side_by_side_are_merged_and_parted(stage: Stage) -> None:
    wang, other = await customer(stage, "王建军"), await another(stage, "王先生", "13800138001")
    async with signed_in(stage, "manager") as reader:
        listed = await reader.get("/duplicates")
        assert f"/{wang}/{other}" in listed or f"/{other}/{wang}" in listed
        path = f"/duplicates/{wang}/{other}"
        text = await reader.get(path)
        assert text.count("相同") == 2
        await people_of(stage).customers.set_level(MANAGER, other, "C", "小户", expected=None)
        form = hidden(text) | {"kept": "first", "reason": "同一人"}
        stale = await reader.post(path, form, status=412)
        assert "王先生 级别" in stale
        assert "<del>B</del> → <ins>C 小户</ins>" in stale
        assert 'value="同一人"' in stale
        assert 'value="first" required checked' in stale
        no_choice = hidden(stale) | {"reason": "同一人"}
        assert "请选择保留哪一位" in await reader.post(path, no_choice, status=400)
        assert await reader.post(path, no_choice | {"kept": "first"}) == f"/customers/{wang}"
        assert await reader.get(path, status=303) == f"/customers/{wang}"
        merges = (await people_of(stage).merging.page(MANAGER)).items
        undo = {"merge_id": merges[0].merge.merge_id, "reason": ""}
        assert "撤销合并" in await reader.post("/duplicates/undo", undo, status=400)
        assert await reader.post("/duplicates/undo", undo | {"reason": "不是"}) == f"/customers/{other}"
        assert "已经撤销过" in await reader.post("/duplicates/undo", undo | {"reason": "又"}, status=409)
        two = {"first": "13800138001", "second": "张伟"}
        assert "有几位客户" in await reader.post("/duplicates/compare", two, status=400)
        assert "没有找到" in await reader.post("/duplicates/compare", two | {"first": "无此人"}, status=400)
        to = await reader.post(
            "/duplicates/compare", {"first": f"http://x/customers/{wang}", "second": "张伟"}
        )
        assert to.startswith(f"/duplicates/{wang}/")


async def test_a_freeze_from_the_list_to_the_answer_after_the_thaw(stage: Stage) -> None:
    people = people_of(stage)
    until = people.office.today() + timedelta(days=3)
    form = {"who": "张伟", "scope": "site", "reason": "家中有事", "planned_thaw": until.isoformat()}
    async with signed_in(stage, "agent") as reader:
        refused = await reader.post("/freezes", form | {"planned_thaw": "2020-01-01"}, status=400)
        assert "计划解冻日要在今天之后" in refused
        assert 'value="家中有事"' in refused
        assert await reader.post("/freezes", form) == "/freezes"
        assert "家中有事" in await reader.get("/freezes")
        assert "已冻结的先解冻" in await reader.post("/freezes", form, status=409)
        await another(stage, "张伟东", "13800138003")
        which = await reader.post("/freezes", form | {"who": "13800138003"}, status=400)
        assert which.count('name="customer_id"') == 2
        key = await customer(stage, "张伟东")
        await reader.post("/freezes", form | {"who": "13800138003", "customer_id": key})
        await reader.post(f"/freezes/{key}/thaw", {}, status=403)
    async with signed_in(stage, "manager") as reader:
        record = await people.customers.get(MANAGER, key)
        thaw = {"version": str(record.version), "reason": "办完了"}
        assert "需要回访" in await reader.post(f"/freezes/{key}/thaw", thaw, status=400)
        thaw |= {"callback_needed": "no"}
        stale = thaw | {"version": str(record.version - 1)}
        assert "别人刚刚改过" in await reader.post(f"/freezes/{key}/thaw", stale, status=412)
        assert await reader.post(f"/freezes/{key}/thaw", thaw) == "/freezes?show=frozen"
        assert (await people.customers.get(MANAGER, key)).freeze is None
        assert "张伟东" not in await reader.get("/freezes")
        assert "这张清单是空的" in await reader.get("/freezes?show=unanswered")
        await reader.get("/freezes?show=standing")


async def test_the_do_not_call_list_takes_customers_and_bare_numbers(stage: Stage) -> None:
    form = {"who": "13977776666", "level": "2", "source": "sms", "evidence": "短信回复 T"}
    async with signed_in(stage, "agent") as reader:
        assert await reader.post("/do-not-call", form) == "/do-not-call"
        listed = await reader.get("/do-not-call")
        assert "139****6666" in listed
        assert "13977776666" not in listed
        assert "请写明凭据" in await reader.post("/do-not-call", form | {"evidence": " "}, status=400)
        assert "没有找到" in await reader.post("/do-not-call", form | {"who": "无此人"}, status=400)
        liu = await another(stage, "刘一敏", "13611110000")
        await another(stage, "刘小妹", "13611110000")
        which = await reader.post("/do-not-call", form | {"who": "13611110000"}, status=400)
        assert which.count('name="customer_id"') == 3, "either of both, or the number alone"
        await reader.post("/do-not-call", form | {"who": "13611110000", "customer_id": liu})
        page = await people_of(stage).do_not_call.of_customer(MANAGER, liu)
        (entry,) = [one for one in page if one.customer_id == liu]
        lift = {"reason": "客户来电要求", "evidence": ""}
        path = f"/do-not-call/{entry.entry_id}/lift"
        refused = await reader.post(path, lift, status=400)
        assert 'value="客户来电要求"' in refused
        assert await reader.post(path, lift | {"evidence": "通话 00:12"}) == "/do-not-call"
        assert "刚刚有人做过了" in await reader.post(path, lift | {"evidence": "又"}, status=409)
        assert "刘一敏" not in await reader.get("/do-not-call?level=2")
        assert "客户来电要求" in await reader.get("/do-not-call?state=lifted")
        assert "139****6666" in await reader.get("/do-not-call?q=139-7777-6666&source=sms")
        assert "请输入完整的号码" in await reader.get("/do-not-call?q=139", status=400)


async def test_the_company_keeps_what_was_typed_when_somebody_was_faster(stage: Stage) -> None:
    people = people_of(stage)
    async with signed_in(stage, "manager") as reader:
        assert await reader.get("/organisation", status=303) == "/organisation/stores"
        await reader.get("/organisation/nothing", status=404)
        made = {
            "name": "孟师傅施工队",
            "head": "孟祥",
            "phone": "13612345678",
            "status": "active",
            "direct": "1",
        }
        assert await reader.post("/organisation/crews/new", made) == "/organisation/crews"
        (crew,) = [one for one in await people.organisation.crews(MANAGER) if one.name == "孟师傅施工队"]
        path = f"/organisation/crews/{crew.crew_id}"
        text = await reader.get(path)
        assert 'value="136****5678"' in text
        changes = {"head": "孟强"}
        await people.organisation.put_crew(MANAGER, crew.crew_id, changes, expected=crew.version)
        typed = hidden(text) | {
            "name": "孟师傅一队",
            "head": "孟祥",
            "phone": "136****5678",
            "status": "departed",
            "departed_on": "2026-01-05",
            "departed_reason": "",
        }
        stale = await reader.post(path, typed, status=412)
        assert "<del>孟祥</del> → <ins>孟强</ins>" in stale
        assert 'value="孟师傅一队"' in stale
        again = typed | hidden(stale)
        refused = await reader.post(path, again, status=400)
        assert "离职的施工队要写明原因" in refused
        await reader.post(path, again | {"departed_reason": "合同到期"})
        (crew,) = await people.organisation.crews(MANAGER, status=None) and [
            one for one in await people.organisation.crews(MANAGER) if one.crew_id == crew.crew_id
        ]
        assert (crew.name, crew.status, crew.direct) == ("孟师傅一队", "departed", False)
        assert crew.phone_masked == "136****5678", "a masked number that was left alone is kept"
        assert "合同到期" in await reader.get("/organisation/crews?status=departed")
        assert "不能和别的重复" in await reader.post(
            "/organisation/departments/new", {"code": "ENG", "name": "工程二部", "active": "1"}, status=409
        )
        await reader.post("/organisation/departments/new", {"code": "lab", "name": "检测部", "active": "1"})
        assert "请选择岗位" in await reader.post("/organisation/staff/new", {"name": "钱进"}, status=400)
        staff = {"name": "钱进", "role": "PM", "department_code": "LAB", "active": "1"}
        await reader.post("/organisation/staff/new", staff)
        listed = await reader.get("/organisation/staff?status=PM")
        assert "钱进" in listed
        assert "检测部" in listed
