"""Questionnaires over REST: read, drafted, published, previewed, judged."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from callback_campaigns.questionnaire_sets import SHIPPED, shipped_text
from kernel.clock import FakeClock
from kernel.db import Database
from tests.support.web_stage import Stage
from web.auth import SESSION_COOKIE

pytestmark = pytest.mark.integration

CHANGED = shipped_text("KG").replace("您满意吗？", "您觉得怎么样？")


@pytest.fixture
async def stage(sqlite: Database, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Stage]:
    made = Stage(sqlite, clock, tmp_path)
    await made.seed()
    await made.start()
    yield made
    await made.stop()


async def ask(
    stage: Stage, login: str, method: str, path: str, body: Any = None, version: int | None = None
) -> tuple[int, dict[str, Any]]:
    secret = await stage.session_secret(login)
    headers = {"Origin": stage.url} | ({"If-Match": f'"{version}"'} if version else {})
    url = f"{stage.url}/api/v1/questionnaires{path}"
    async with (
        aiohttp.ClientSession(cookies={SESSION_COOKIE: secret}, headers=headers) as client,
        client.request(method, url, json=body) as answer,
    ):
        return answer.status, await answer.json()


async def test_drafted_published_previewed_and_judged(stage: Stage) -> None:
    status, found = await ask(stage, "agent", "GET", "")
    assert status == 200 and [item["code"] for item in found["items"]] == list(SHIPPED)

    status, checked = await ask(stage, "agent", "POST", "/check", {"text": CHANGED.replace("MAT", "XX")})
    assert status == 200 and checked["problems"][0]["item"] == "KG3"
    assert (await ask(stage, "agent", "PUT", "/KG/draft", {"text": CHANGED}, 1))[0] == 403
    assert (await ask(stage, "admin", "PUT", "/KG/draft", {"text": CHANGED}))[0] == 428
    assert (await ask(stage, "admin", "PUT", "/KG/draft", {"text": CHANGED}, 9))[0] == 412
    status, kept = await ask(stage, "admin", "PUT", "/KG/draft", {"text": CHANGED}, 1)
    assert status == 200 and kept["draft"] == CHANGED and kept["problems"] == []
    status, done = await ask(stage, "admin", "POST", "/KG/publish", {"why": "更自然"}, kept["version"])
    assert status == 200 and (done["published"], done["draft"]) == (2, None)
    assert (await ask(stage, "admin", "DELETE", "/KG/draft", version=done["version"]))[0] == 409
    status, versions = await ask(stage, "agent", "GET", "/KG/versions")
    assert [item["number"] for item in versions["items"]] == [2, 1]

    status, heard = await ask(stage, "agent", "POST", "/KG/preview", {"level": "B", "channel": "ivr"})
    assert status == 200 and heard["number"] == 2
    assert [item["part"] for item in heard["items"]] == ["opening", *["item"] * 8, "closing"]
    spoken = [item["text"] for item in heard["items"]]
    assert spoken[0].startswith("您好，这里是安居装饰客户服务中心"), "the site's own name, not an example"
    assert "如有问题请拨打01065558800" in spoken[-1]
    assert heard["items"][1]["keys"][0] == ["1", "都到了"] and "请按1" in heard["items"][1]["text"]
    assert (await ask(stage, "agent", "POST", "/KG/preview", {"level": "A", "channel": "ivr"}))[0] == 400

    answers = {"KG1": {"values": ["both_came"]}, "KG5": {"values": ["charged"], "reason": "收了搬运费"}}
    status, judged = await ask(stage, "agent", "POST", "/KG/evaluate", {"answers": answers, "level": "B"})
    assert status == 200 and (judged["verdict"], judged["decided_by"]) == ("dissatisfied", ["KG5"])
    assert judged["departments"] == ["MGR", "ENG", "SPC"][:2] and judged["tickets"][0]["severity"] == 2
    wrong = {"answers": {"KG1": {"values": ["maybe"]}}}
    assert (await ask(stage, "agent", "POST", "/KG/evaluate", wrong))[0] == 400
    assert (await ask(stage, "agent", "GET", "/QQ"))[0] == 404

    own = shipped_text("LW").replace("LW", "SX")
    assert (await ask(stage, "admin", "POST", "", {"text": own}))[0] == 201
    assert (await ask(stage, "admin", "POST", "", {"text": own}))[0] == 409
    status, refused = await ask(stage, "admin", "POST", "", {"text": "code: ZZ"})
    assert status == 400 and refused["code"] == "questionnaire_invalid" and "items" in refused["detail"]
