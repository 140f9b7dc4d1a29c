"""People in browsers for the tests of repairs over HTTP, and the photos that they send."""

import json
from io import BytesIO
from typing import Any

from aiohttp import FormData
from PIL import Image

from kernel.access import Role
from kernel.ids import new_ulid
from tests.support.web import PASSWORD, Client, WebHarness, same_origin
from web.auth import SESSION_COOKIE, Visitor


class Person:
    """Somebody who is signed in, in a browser on our own pages."""

    def __init__(self, client: Client, cookie: str) -> None:
        self._client = client
        self.headers = {"Cookie": f"{SESSION_COOKIE}={cookie}", **same_origin(client)}

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        version: int | None = None,
        status: int = 200,
        key: str | None = "",
    ) -> Any:
        """Ask, with a key of its own unless ``key`` is another, or ``None`` for none."""
        headers = dict(self.headers)
        if key is not None:
            headers["Idempotency-Key"] = key or new_ulid()
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        kind: dict[str, Any] = {"data": body}
        if body is not None and not isinstance(body, FormData):
            headers["Content-Type"] = "application/json"
            kind = {"data": BytesIO(json.dumps(body, ensure_ascii=False).encode())}
        async with self._client.request(method, f"/api/v1{path}", headers=headers, **kind) as answer:
            raw = await answer.read()
            assert answer.status == status, raw
            return json.loads(raw)

    async def fetch(self, path: str, status: int = 200) -> tuple[bytes, dict[str, str]]:
        async with self._client.get(f"/api/v1{path}", headers=self.headers) as answer:
            assert answer.status == status
            return await answer.read(), dict(answer.headers)


async def person(harness: WebHarness, client: Client, role: Role, department: str | None = None) -> Person:
    login = await harness.user(role, department=department)
    signed_in = await harness.accounts.authenticator.sign_in(login, PASSWORD, visitor=Visitor())
    client.session.cookie_jar.clear()
    return Person(client, signed_in.session.secret)


def photo(size: tuple[int, int] = (320, 240), kind: str = "JPEG", shade: int = 0) -> bytes:
    out = BytesIO()
    Image.radial_gradient("L").resize(size).point(lambda value: (value + shade) % 256).save(out, kind)
    return out.getvalue()


def form(content: bytes, name: str = "现场照片.jpg", **fields: str) -> FormData:
    found = FormData(quote_fields=False)  # as browsers do
    for key, value in fields.items():
        found.add_field(key, value)
    found.add_field("file", BytesIO(content), filename=name, content_type="image/jpeg")
    return found
