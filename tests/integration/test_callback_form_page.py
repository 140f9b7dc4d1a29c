"""The form by SMS as whoever has the link meets it: no signing in, and nothing to be had by a wrong link."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession
from sqlalchemy import select

from callback_campaigns.talk_tables import CallbackAnswerRow, CallbackFormRow
from callback_campaigns.task_tables import CallbackTaskRow
from kernel.clock import FakeClock
from tests.support.callback_calls import sent_form
from tests.support.web_stage import Stage, web_stage

pytestmark = pytest.mark.integration

SCRIPT = "<script>alert(1)</script>"
ATTRIBUTE = '" autofocus onfocus="alert(1)'
GOOD = {
    "v-KG1": "both_came",
    "v-KG2": "satisfied",
    "v-KG3": "checked",
    "v-KG4": "satisfied",
    "v-KG5": "no_charge",
    "v-KG6": "explained",
    "v-KG7": "5",
}


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with web_stage(tmp_path, clock=FakeClock(datetime.now(UTC))) as found:
        yield found


async def get(stage: Stage, path: str) -> tuple[int, str]:
    async with ClientSession(base_url=stage.url) as somebody, somebody.get(path) as answer:
        return answer.status, await answer.text()


async def send(
    stage: Stage, token: str, given: dict[str, str], *, shown: str = "", origin: str | None = None
) -> tuple[int, str]:
    _, page = await get(stage, f"/f/{token}")
    before = shown.split() or re.findall(r'name="shown" value="(\w+)"', page)
    data = [*(("shown", name) for name in before), *given.items()]
    headers = {"Origin": origin or stage.url}
    async with (
        ClientSession(base_url=stage.url) as somebody,
        somebody.post(f"/f/{token}", data=data, headers=headers) as answer,
    ):
        return answer.status, await answer.text()


async def answers(stage: Stage, task_id: str) -> dict[str, CallbackAnswerRow]:
    query = select(CallbackAnswerRow).where(
        CallbackAnswerRow.task_id == task_id, CallbackAnswerRow.replaced_at.is_(None)
    )
    async with stage.database.session() as session:
        return {row.item_id: row for row in await session.scalars(query)}


async def test_a_form_lasts_seven_days_and_says_nothing_after_that(stage: Stage) -> None:
    task_id, token = await sent_form(stage)
    assert "王先生" in (await get(stage, f"/f/{token}"))[1]
    assert isinstance(stage.clock, FakeClock)
    stage.clock.advance(timedelta(days=7))
    for status, page in (await get(stage, f"/f/{token}"), await send(stage, token, GOOD, shown="KG1")):
        assert (status, "问卷已经结束" in page) == (404, True)
        assert not re.search("王先生|开工|KG1", page)
    assert await answers(stage, task_id) == {}


async def test_a_form_counts_once_and_is_thanked_for_again(stage: Stage) -> None:
    task_id, token = await sent_form(stage)
    assert (await send(stage, token, GOOD))[0] == 200
    status, page = await send(stage, token, GOOD | {"v-KG1": "nobody_came"}, shown="KG1")
    assert (status, "谢谢您" in page) == (200, True)
    assert (await answers(stage, task_id))["KG1"].choices == ["both_came"]
    status, page = await get(stage, f"/f/{token}")
    assert (status, "王先生" in page) == (404, False)


@pytest.mark.parametrize(
    "token",
    [
        "x" * 32,
        "short",
        "x" * 5000,
        "%00" * 32,
        "..%2F..%2Fcallback-tasks%2F0000",
        "%3Cscript%3Ealert(1)%3C%2Fscript%3E000",
        "%E5%9B%9E" * 32,
        "%FF" * 32,
        "' OR '1'='1' --'-----------------",
    ],
)
async def test_a_wrong_link_is_no_form_and_repeats_nothing(stage: Stage, token: str) -> None:
    status, page = await get(stage, f"/f/{token}")
    assert status in {400, 404}
    assert "alert(1)" not in page
    assert "Traceback" not in page
    status, page = await send(stage, token, GOOD, shown="KG1")
    assert (status in {400, 404}, "alert(1)" in page) == (True, False)


async def test_what_a_customer_is_called_and_writes_is_text_and_nothing_else(stage: Stage) -> None:
    task_id, token = await sent_form(stage, name=f"{SCRIPT[:30]}", salutation="")
    _, page = await get(stage, f"/f/{token}")
    assert "<script>alert" not in page
    # A wrong answer brings the form back, with what was written so far.
    given = GOOD | {"v-KG1": "nobody_came", "r-KG5": ATTRIBUTE, "v-KG5": "charged", "t-KG10": SCRIPT}
    status, page = await send(stage, token, given | {"v-KG7": "9"})
    assert (status, "请检查后再提交" in page) == (400, True)
    assert SCRIPT not in page
    assert 'onfocus="alert' not in page
    assert (await send(stage, token, given))[0] == 200
    stored = await answers(stage, task_id)
    assert (stored["KG10"].text, stored["KG5"].reason) == (SCRIPT, ATTRIBUTE)


@pytest.mark.parametrize("text", ["a\x00b", "字" * 5000, '=HYPERLINK("http://x")', "\u202eabc", " \r\n "])
async def test_any_text_is_taken_or_left_and_never_an_error(stage: Stage, text: str) -> None:
    task_id, token = await sent_form(stage)
    status, _ = await send(stage, token, GOOD | {"t-KG10": text, "r-KG1": text})
    assert status == 200
    stored = await answers(stage, task_id)
    assert "\x00" not in (stored["KG10"].text if "KG10" in stored else "")
    assert stored["KG1"].choices == ["both_came"]


async def test_bytes_that_are_no_text_are_no_error(stage: Stage) -> None:
    _, token = await sent_form(stage)
    body = b"shown=KG1&v-KG1=both_came&t-KG10=%ED%A0%80%FF%FE"
    headers = {"Origin": stage.url, "Content-Type": "application/x-www-form-urlencoded"}
    async with (
        ClientSession(base_url=stage.url) as somebody,
        somebody.post(f"/f/{token}", data=body, headers=headers) as answer,
    ):
        assert answer.status in {200, 400}


async def test_other_sites_and_other_questions_bring_nothing_in(stage: Stage) -> None:
    task_id, token = await sent_form(stage)
    status, _ = await send(stage, token, GOOD, origin="https://elsewhere.example.com")
    assert (status, await answers(stage, task_id)) == (403, {})
    # Only what is asked is stored: not the questions of A level, nor of another questionnaire.
    assert (await send(stage, token, GOOD | {"v-KG8": "satisfied", "v-WG1": "satisfied", "shown": "KG8"}))[
        0
    ] == 200
    assert set(await answers(stage, task_id)) == {name[2:] for name in GOOD}


async def test_only_the_hash_of_a_link_is_kept_and_no_page_is_stored_on_the_way(stage: Stage) -> None:
    task_id, token = await sent_form(stage)
    async with stage.database.session() as session:
        row = (await session.scalars(select(CallbackFormRow).where(CallbackFormRow.task_id == task_id))).one()
        assert (await session.get_one(CallbackTaskRow, task_id)).status == "unreached"
    assert token not in row.token_hash
    async with ClientSession(base_url=stage.url) as somebody, somebody.get(f"/f/{token}") as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] in {"same-origin", "no-referrer"}
        assert (
            "unsafe-inline"
            not in answer.headers["Content-Security-Policy"].split("script-src")[1].split(";")[0]
        )
