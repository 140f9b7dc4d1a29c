"""The pages of questionnaires: read, heard, worded anew, written as text, published, thrown away."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from callback_campaigns.questionnaire_sets import shipped_text
from kernel.access import Actor
from kernel.clock import FakeClock
from kernel.db import Database
from tests.support.web_stage import Stage
from web.auth import SESSION_COOKIE
from web.pages.questionnaires_edit import EXAMPLE
from web.questionnaire_part import QUESTIONNAIRES

pytestmark = pytest.mark.integration


@pytest.fixture
async def stage(sqlite: Database, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Stage]:
    made = Stage(sqlite, clock, tmp_path)
    await made.seed()
    await made.start()
    yield made
    await made.stop()


async def ask(
    stage: Stage, login: str, method: str, path: str, form: dict[str, str] | None = None
) -> tuple[int, str, str]:
    secret = await stage.session_secret(login)
    async with (
        aiohttp.ClientSession(cookies={SESSION_COOKIE: secret}, headers={"Origin": stage.url}) as client,
        client.request(
            method, f"{stage.url}/questionnaires{path}", data=form, allow_redirects=False
        ) as answer,
    ):
        return answer.status, await answer.text(), answer.headers.get("Location", "")


async def test_read_worded_anew_and_published(stage: Stage) -> None:
    status, page, _ = await ask(stage, "agent", "GET", "")
    assert status == 200 and "隐蔽工程回访" in page and "随系统提供" in page
    status, page, _ = await ask(stage, "agent", "GET", "/KG")
    assert status == 200 and "现在方便请按1" in page and "问题单 客服经理+工程部 2级" in page
    assert "/KG/wording" not in page and "试听" not in page  # an agent reads; this stage has no voice
    status, page, _ = await ask(stage, "agent", "GET", "/KG?level=A")
    assert "现在方便请按1" not in page and page.index("您有什么意见或要求") < page.index("都到现场做交底")
    status, page, _ = await ask(stage, "agent", "GET", "/TS?level=A&channel=ivr")
    assert status == 200 and "由人工回访" in page
    assert (await ask(stage, "agent", "GET", "/KG/wording"))[0] == 403
    assert (await ask(stage, "admin", "GET", "/QQ"))[0] == 404

    status, page, _ = await ask(stage, "admin", "GET", "/KG/wording")
    assert status == 200 and 'name="KG2.keys"' in page
    hostile = {"version": "1", "KG2.ask": "交底讲清楚了吗<script>？"}
    status, _, place = await ask(stage, "admin", "POST", "/KG/wording", hostile)
    assert (status, place) == (303, "/questionnaires/KG?of=draft")
    status, page, _ = await ask(stage, "admin", "GET", "/KG?of=draft")
    assert "交底讲清楚了吗&lt;script&gt;？" in page and "<script>？" not in page
    status, page, _ = await ask(stage, "admin", "POST", "/KG/publish", {"version": "2", "why": " "})
    assert status == 400 and "请写明改了什么" in page
    status, page, _ = await ask(stage, "admin", "POST", "/KG/publish", {"version": "1", "why": "试"})
    assert status == 409 and "别人刚刚修改" in page
    status, _, place = await ask(stage, "admin", "POST", "/KG/publish", {"version": "2", "why": "更清楚"})
    assert (status, place) == (303, "/questionnaires/KG")
    status, page, _ = await ask(stage, "agent", "GET", "/KG")
    assert "交底讲清楚了吗" in page and "v2" in page and "更清楚" in page
    status, page, _ = await ask(stage, "agent", "GET", "/KG?of=1")
    assert "对交底讲解是否清楚" in page and "旧版本" in page
    wrong = {"version": "3", "KG1.keys": "都到了请按1。"}
    status, page, _ = await ask(stage, "admin", "POST", "/KG/wording", wrong)
    assert status == 400 and "按键 2 有含义，但按键说明没有提到它" in page and "都到了请按1。" in page


async def test_the_text_is_kept_with_its_mistakes_until_it_is_thrown_away(stage: Stage) -> None:
    text = shipped_text("YB").replace("to: [ENG, QC]", "to: [ENG, XX]")
    status, _, place = await ask(stage, "admin", "POST", "/YB/edit", {"version": "1", "text": text})
    assert (status, place) == (303, "/questionnaires/YB/edit")
    status, page, _ = await ask(stage, "admin", "GET", "/YB/edit")
    assert status == 200 and "to 不能写“XX”；可以写的有 " in page and 'data-line="' in page
    status, page, _ = await ask(stage, "admin", "GET", "/YB")
    assert "错误 2 处" in page and "/questionnaires/YB/edit#L22" in page
    assert 'action="/questionnaires/YB/publish' not in page
    status, page, _ = await ask(stage, "admin", "POST", "/YB/edit", {"version": "1", "text": text})
    assert status == 409
    status, _, _ = await ask(stage, "admin", "POST", "/YB/discard", {"version": "2"})
    assert status == 303
    status, page, _ = await ask(stage, "admin", "POST", "/YB/discard", {"version": "3"})
    assert status == 400 and "没有可以发布或放弃的草稿" in page


async def test_a_questionnaire_of_ones_own(stage: Stage) -> None:
    assert (await ask(stage, "agent", "GET", "/new"))[0] == 403
    status, page, _ = await ask(stage, "admin", "GET", "/new")
    assert status == 200 and "code: SX" in page
    text = EXAMPLE
    status, _, place = await ask(stage, "admin", "POST", "/new", {"text": text})
    assert (status, place) == (303, "/questionnaires/SX?of=draft")
    status, page, _ = await ask(stage, "admin", "POST", "/new", {"text": text})
    assert status == 400 and "已经有这个编号的问卷" in page
    status, page, _ = await ask(stage, "admin", "POST", "/new", {"text": "code: ZZ"})
    assert status == 400 and "items 下面要写题号，每个题号下面写题目。" in page
    status, page, _ = await ask(stage, "admin", "GET", "/SX")
    assert status == 200 and "对我们的服务，您满意吗" in page and "放弃草稿" not in page


async def test_a_prompt_is_spoken_only_where_there_is_a_voice(stage: Stage) -> None:
    assert (await ask(stage, "agent", "GET", "/KG/speech?prompt=KG1"))[0] == 503
    assert (await ask(stage, "agent", "GET", "/KG/speech?prompt=KG99"))[0] == 404
    assert stage.app is not None
    assert (await stage.app[QUESTIONNAIRES].get(Actor.system("tests"), "KG")).published == 1
