"""One's own account over HTTP: a new password, who may give it, what ends with it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar
from sqlalchemy import select

from kernel.audit import AuditRow
from tests.support.web_stage import PASSWORD, Stage, web_stage
from web.auth import SESSION_COOKIE
from web.passwords import LONGEST

pytestmark = pytest.mark.integration

NEW = "另一个全新的密码"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with web_stage(tmp_path) as found:
        yield found


@pytest.fixture
async def browser(stage: Stage) -> AsyncIterator[ClientSession]:
    """A browser in which the agent is signed in."""
    async with ClientSession(stage.url, cookie_jar=CookieJar(unsafe=True)) as session:
        session.cookie_jar.update_cookies({SESSION_COOKIE: await stage.session_secret("agent")})
        yield session


def form(old: str = PASSWORD, new: str = NEW, again: str | None = None) -> dict[str, str]:
    again = new if again is None else again
    return {"old_password": old, "new_password": new, "new_password_again": again}


async def change(
    stage: Stage, browser: ClientSession, fields: dict[str, str], **headers: str
) -> tuple[int, str]:
    """Post the form; return the status and the page that comes in the end."""
    headers = {"Origin": stage.url, **headers}
    async with browser.post("/account", data=fields, headers=headers) as answer:
        return (answer.history[0].status if answer.history else answer.status), await answer.text()


async def audited(stage: Stage) -> list[tuple[str, str]]:
    async with stage.database.session() as session:
        rows = await session.scalars(select(AuditRow).order_by(AuditRow.seq))
        return [(row.action, row.actor) for row in rows]


async def test_a_new_password_ends_all_other_sessions(stage: Stage, browser: ClientSession) -> None:
    elsewhere = await stage.session_secret("agent")
    mine = browser.cookie_jar.filter_cookies(browser._base_url)[SESSION_COOKIE].value  # type: ignore[arg-type]
    status, page = await change(stage, browser, form())
    assert status == 303
    assert "密码已修改。您在其他设备上的登录都已退出。" in page
    assert NEW not in page
    resolve = stage.accounts.sessions.resolve
    assert (await resolve(elsewhere), await resolve(mine)) == (None, None)
    assert (await audited(stage))[-1] == ("password_changed", "agent")
    async with browser.get("/account") as answer:  # this browser has a new session
        assert answer.url.path == "/account"
    async with browser.post(
        "/sign-in", data={"login": "agent", "password": PASSWORD}, headers={"Origin": stage.url}
    ) as answer:
        assert answer.status == 401
    async with browser.post(
        "/sign-in", data={"login": "agent", "password": NEW}, headers={"Origin": stage.url}
    ) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    ("fields", "told", "field"),
    [
        (form(old="falsch"), "现在的密码不对。", "old_password"),
        (form(old=""), "现在的密码不对。", "old_password"),
        (form(again=NEW + "1"), "两次输入的新密码不一样。", "new_password_again"),
        (form(new="kurz"), "这个密码不符合要求。", "new_password"),
        (form(new="a" * 12), "这个密码不符合要求。", "new_password"),
        (form(new="长密码" * LONGEST), "这个密码不符合要求。", "new_password"),
        (form(new=PASSWORD), "新密码不能和现在的密码相同。", "new_password"),
        ({}, "新密码不能和现在的密码相同。", "new_password"),
    ],
)
async def test_what_is_refused_changes_nothing_and_says_why(
    stage: Stage, browser: ClientSession, fields: dict[str, str], told: str, field: str
) -> None:
    status, page = await change(stage, browser, fields)
    assert status == 422
    assert f'role="alert">{told}' in page
    (wrong,) = [line for line in page.splitlines() if "aria-invalid" in line]
    assert f'id="{field}"' in wrong
    assert all(typed not in page for typed in fields.values() if typed)
    assert await stage.session_secret("agent")  # the old password is still the one
    assert "password_changed" not in dict(await audited(stage))


async def test_guessing_the_present_password_becomes_slow_and_is_written_down(
    stage: Stage, browser: ClientSession
) -> None:
    statuses = [(await change(stage, browser, form(old=f"guess {n}")))[0] for n in range(12)]
    assert statuses[0] == 422
    assert statuses[-1] == 429
    _, page = await change(stage, browser, form())
    assert "尝试太多次了，请稍后再试。" in page
    written = [action for action, _ in await audited(stage)]
    assert written.count("password_change_failed") == statuses.count(422)


async def test_only_from_our_own_page_and_only_when_signed_in(stage: Stage, browser: ClientSession) -> None:
    assert (await change(stage, browser, form(), Origin="https://evil.example"))[0] == 403
    browser.cookie_jar.clear()
    assert (await change(stage, browser, form()))[0] == 401
    async with browser.get("/account") as answer:
        assert answer.url.path == "/sign-in"
    assert await stage.session_secret("agent")


async def test_a_password_as_long_as_may_be_signs_in(stage: Stage, browser: ClientSession) -> None:
    longest = ("长密码" * LONGEST)[:LONGEST]
    assert (await change(stage, browser, form(new=longest)))[0] == 303
    for password, status in ((longest, 200), (longest + "x", 401)):
        browser.cookie_jar.clear()
        fields = {"login": "agent", "password": password}
        async with browser.post("/sign-in", data=fields, headers={"Origin": stage.url}) as answer:
            assert answer.status == status


async def test_the_page_in_english_says_who_one_is(stage: Stage, browser: ClientSession) -> None:
    async with browser.post(
        "/language", data={"language": "en", "next": "/account"}, headers={"Origin": stage.url}
    ) as answer:
        page = await answer.text()
    assert "My account" in page
    assert "Present password" in page
    assert "<dd>agent</dd>" in page
    assert 'class="who clip" href="/account"' in page
    _, page = await change(stage, browser, form(old="wrong"))
    assert "The present password is wrong." in page
