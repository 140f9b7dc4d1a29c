"""People of an office in front of its pages, without a browser."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from aiohttp import ClientSession, CookieJar, FormData
from PIL import Image

from tests.support.office import OfficeStage
from web.auth import SESSION_COOKIE

Form = dict[str, str]


@asynccontextmanager
async def signed_in(office: OfficeStage, login: str) -> AsyncIterator[ClientSession]:
    async with ClientSession(base_url=office.stage.url, cookie_jar=CookieJar(unsafe=True)) as session:
        session.cookie_jar.update_cookies({SESSION_COOKIE: await office.stage.session_secret(login)})
        yield session


async def get(office: OfficeStage, login: str, path: str) -> tuple[int, str]:
    async with signed_in(office, login) as session, session.get(path, allow_redirects=False) as answer:
        return answer.status, await answer.text()


async def post(office: OfficeStage, login: str, path: str, form: Form | FormData) -> tuple[int, str, str]:
    headers = {"Origin": office.stage.url}
    async with (
        signed_in(office, login) as session,
        session.post(path, data=form, headers=headers, allow_redirects=False) as answer,
    ):
        return answer.status, answer.headers.get("Location", ""), await answer.text()


def photo() -> bytes:
    """Return a photo as a telephone takes it."""
    held = io.BytesIO()
    Image.effect_noise((320, 240), 60).convert("RGB").save(held, format="JPEG")
    return held.getvalue()


def local(at: datetime) -> str:
    """As a browser sends a time of the site."""
    return (at + timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M")


async def get_type(office: OfficeStage, login: str, path: str) -> tuple[int, str]:
    async with signed_in(office, login) as session, session.get(path) as answer:
        return answer.status, answer.content_type
