"""Rules of listening: drafted, tried, published, by role; the company's words; proposals beside a call."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from kernel.access import Actor, Role
from kernel.audit import AuditLog
from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid, NotFound, StaleVersion
from kernel.ids import new_ulid
from kernel.list_watch import ListChanged
from speech.events import SpeechHeard
from speech.phrases import KeptPhrases, PhraseBook
from speech.rule_book import NoRuleDraft, RuleBook
from speech.rules.model import RulesInvalid, shipped_text
from tests.support.waiting import eventually
from tests.support.web_stage import Stage
from web.auth import SESSION_COOKIE

pytestmark = pytest.mark.integration

MANAGER = Actor(user_id=new_ulid(), name="王经理", role=Role.MANAGER)
AGENT = Actor(user_id=new_ulid(), name="李娜", role=Role.AGENT)
SUPERVISOR = Actor(user_id=new_ulid(), name="张班长", role=Role.SUPERVISOR)
CHANGED = shipped_text().replace("phrases: [扰民,", "phrases: [扰民, 太闹心,")


@pytest.fixture
async def stage(sqlite: Database, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Stage]:
    made = Stage(sqlite, clock, tmp_path)
    await made.seed()
    await made.start()
    yield made
    await made.stop()


async def ask(
    stage: Stage, login: str, method: str, path: str, body: Any = None, version: int | None = None
) -> tuple[int, Any]:
    secret = await stage.session_secret(login)
    headers = {"Origin": stage.url} | ({"If-Match": f'"{version}"'} if version else {})
    async with (
        aiohttp.ClientSession(cookies={SESSION_COOKIE: secret}, headers=headers) as client,
        client.request(method, f"{stage.url}{path}", json=body, allow_redirects=False) as answer,
    ):
        if answer.content_type.endswith("json"):
            return answer.status, await answer.json()
        return answer.status, await answer.text()


async def test_rules_are_drafted_and_published_by_the_manager(database: Database, clock: FakeClock) -> None:
    audit = AuditLog(database, clock)
    book = RuleBook(database, clock, audit)
    assert (await book.in_force()).rules and (await book.get(SUPERVISOR)).published == 1
    with pytest.raises(Forbidden):
        await book.get(AGENT)
    with pytest.raises(Forbidden):
        await book.save_draft(SUPERVISOR, CHANGED, expected=1)
    with pytest.raises(Invalid):
        await book.save_draft(MANAGER, " ", expected=1)
    with pytest.raises(NoRuleDraft):
        await book.publish(MANAGER, expected=1, why="x")
    wrong = await book.save_draft(MANAGER, "rules: []", expected=1)
    assert wrong.problems and wrong.draft == "rules: []"
    with pytest.raises(RulesInvalid):
        await book.publish(MANAGER, expected=wrong.version, why="x")
    with pytest.raises(StaleVersion):
        await book.save_draft(MANAGER, CHANGED, expected=1)
    kept = await book.save_draft(MANAGER, CHANGED, expected=wrong.version)
    assert kept.problems == () and (await book.in_force()).rules != ()
    with pytest.raises(Invalid):
        await book.publish(MANAGER, expected=kept.version, why=" ")
    done = await book.publish(MANAGER, expected=kept.version, why="多一种说法")
    assert (done.published, done.draft, done.text) == (2, None, CHANGED)
    other = RuleBook(database, clock, audit)
    assert any("太闹心" in rule.phrases for rule in (await other.in_force()).rules)
    assert any("太闹心" in rule.phrases for rule in (await book.in_force()).rules)
    assert [one.number for one in await book.versions(SUPERVISOR)] == [2, 1]
    with pytest.raises(NoRuleDraft):
        await book.discard_draft(MANAGER, expected=done.version)
    actions = [one.action for one in await audit.recent()]
    assert actions == ["speech_rules.published", "speech_rules.draft_saved", "speech_rules.draft_saved"]


async def test_words_of_the_company_are_hints(sqlite: Database, clock: FakeClock) -> None:
    class Names:
        found: tuple[str, ...] = ("张师傅队", "东鹏", "x", "坏\x00的", "长" * 41)

        async def names(self) -> tuple[str, ...]:
            return self.found

    names = Names()
    book = PhraseBook(sqlite, clock, AuditLog(sqlite, clock), names=names)
    made = await book.add(MANAGER, " 马可波罗 ")
    assert await book.for_language("zh") == ("马可波罗", "张师傅队", "东鹏")
    assert await book.for_language("en") == ()
    kept = KeptPhrases(book, every_seconds=3600)
    assert kept() == ()
    reading = asyncio.create_task(kept.run())
    await eventually(lambda: kept() == ("马可波罗", "张师傅队", "东鹏"), timeout=20)
    reading.cancel()
    bus = Bus()
    kept = KeptPhrases(book, every_seconds=3600, bus=bus, lists=("materials",))
    reading = asyncio.create_task(kept.run())
    await eventually(lambda: kept() != (), timeout=20)
    names.found = ("马师傅队",)
    bus.publish(ListChanged(at=clock.now(), name="calls"))
    bus.publish(ListChanged(at=clock.now(), name="materials"))
    await eventually(lambda: kept() == ("马可波罗", "马师傅队"), timeout=20)
    reading.cancel()
    for text in ("马", "长" * 41, "坏\x00的"):
        with pytest.raises(Invalid):
            await book.add(MANAGER, text)
    with pytest.raises(Conflict):
        await book.add(MANAGER, "马可波罗")
    with pytest.raises(Forbidden):
        await book.add(SUPERVISOR, "东鹏瓷砖")
    await book.remove(MANAGER, made.phrase_id)
    with pytest.raises(NotFound):
        await book.remove(MANAGER, made.phrase_id)
    assert await book.of_hand(SUPERVISOR) == ()


async def test_over_rest_and_on_the_page(stage: Stage) -> None:
    api = "/api/v1/speech-rules"
    assert (await ask(stage, "agent", "GET", api))[0] == 403
    status, now = await ask(stage, "supervisor", "GET", api)
    assert status == 200 and now["published"] == 1 and now["text"] == shipped_text()
    said = {"text": "卫生间漏水三天了，卡号6222021234567894，再不来我就打一二三一五"}
    status, found = await ask(stage, "supervisor", "POST", f"{api}/try", said)
    assert status == 200 and {"topic.waterproof", "threat.regulator", "place.bathroom"} <= {
        one["rule"] for one in found["items"]
    }
    assert "6222" not in found["text"]
    assert (await ask(stage, "supervisor", "PUT", f"{api}/draft", {"text": CHANGED}, 1))[0] == 403
    assert (await ask(stage, "admin", "PUT", f"{api}/draft", {"text": CHANGED}))[0] == 428
    status, kept = await ask(stage, "admin", "PUT", f"{api}/draft", {"text": CHANGED}, 1)
    assert status == 200 and kept["problems"] == []
    noise = {"text": "天天太闹心", "draft": True}
    status, found = await ask(stage, "supervisor", "POST", f"{api}/try", noise)
    assert [one["rule"] for one in found["items"]] == ["topic.neighbour"]
    status, page = await ask(stage, "supervisor", "GET", "/speech-rules")
    assert status == 200 and "草稿" in page and "太闹心" in page and "speech-rules/discard" not in page
    assert (await ask(stage, "agent", "GET", "/speech-rules"))[0] == 403
    status, done = await ask(stage, "admin", "POST", f"{api}/publish", {"why": "新说法"}, kept["version"])
    assert status == 200 and done["published"] == 2
    assert (await ask(stage, "admin", "DELETE", f"{api}/draft", version=done["version"]))[0] == 409
    status, versions = await ask(stage, "supervisor", "GET", f"{api}/versions")
    assert [one["number"] for one in versions["items"]] == [2, 1]
    status, made = await ask(stage, "admin", "POST", "/api/v1/speech-phrases", {"text": "马可波罗"})
    assert status == 201
    assert (await ask(stage, "supervisor", "GET", "/api/v1/speech-phrases"))[1]["items"] == [made]
    status, left = await ask(stage, "admin", "DELETE", f"/api/v1/speech-phrases/{made['phrase_id']}")
    assert status == 200 and left["items"] == []
    status, page = await ask(stage, "admin", "GET", "/speech-rules/rule/topic.neighbour")
    assert status == 200 and "太闹心" in page
    assert (await ask(stage, "admin", "GET", "/speech-rules/rule/no.such"))[0] == 404
    secret = await stage.session_secret("supervisor")
    async with (
        aiohttp.ClientSession(cookies={SESSION_COOKIE: secret}, headers={"Origin": stage.url}) as client,
        client.post(f"{stage.url}/speech-rules", data={"sentence": "漏水了，明天下午三点我在家"}) as answer,
    ):
        page = await answer.text()
        assert answer.status == 200 and "<mark>漏水</mark>" in page and "15:00" in page


async def test_what_is_said_is_proposed_beside_the_form(stage: Stage) -> None:
    call = new_ulid()

    def heard(n: int, speaker: str, kind: str, text: str) -> SpeechHeard:
        return SpeechHeard(
            at=datetime(2026, 11, 22, 2, 0, tzinfo=UTC),
            call_id=call,
            speaker=speaker,
            kind=kind,
            segment_id=f"{n:03}" if kind == "final" else "",
            text=text,
            start=float(n),
            end=n + 1.0,
            delay_seconds=0.3,
        )

    stage.bus.publish(heard(0, "customer", "partial", "我家厨房漏水"))
    stage.bus.publish(heard(1, "agent", "final", "您是说要赔偿吗"))
    stage.bus.publish(heard(2, "customer", "final", "我家卫生间<b>漏水了你们要给我重做"))
    path = f"/api/v1/calls/{call}/suggestions"

    async def proposed() -> bool:
        return bool((await ask(stage, "supervisor", "GET", path))[1]["items"])

    await eventually(proposed, timeout=20)
    status, none = await ask(stage, "agent", "GET", path)
    assert status == 200 and none["items"] == [], "it is not the agent's call"
    status, found = await ask(stage, "supervisor", "GET", path)
    values = {one["field"]: one["value"] for one in found["items"]}
    assert status == 200 and found["topics"] == ["1.waterproof"]
    assert values["lines.0.kind"] == "1.waterproof" and values["demand"] == "返工重做"
    status, found = await ask(stage, "supervisor", "GET", f"{path}?form=repair")
    assert "卫生间" in {one["value"] for one in found["items"]}
    status, page = await ask(stage, "supervisor", "GET", f"/cases/new/suggestions?call={call}&form=complaint")
    assert status == 200 and 'data-field="lines.0.kind" data-value="1.waterproof"' in page
    assert "<b>漏水" not in page, "what a caller says is no markup"
    status, page = await ask(stage, "agent", "GET", f"/cases/new/suggestions?call={call}&form=complaint")
    assert status == 200 and "漏水" not in page
    status, empty = await ask(stage, "supervisor", "GET", f"/api/v1/calls/{new_ulid()}/suggestions")
    assert status == 200 and empty == {"items": [], "topics": []}
