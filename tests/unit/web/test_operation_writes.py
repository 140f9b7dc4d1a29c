"""Operations that change something: the body, the version, the ETag, and what is refused."""

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from pydantic import BaseModel, ConfigDict

from kernel.errors import Invalid
from web.api.operation import read_body, read_if_match
from web.problems import InvalidFields, VersionMissing, status_of

pytestmark = pytest.mark.unit


class Line(BaseModel):
    model_config = ConfigDict(extra="forbid")
    department: str


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")
    lines: tuple[Line, ...]
    shares: int


def sent(raw: bytes) -> web.Request:
    request = make_mocked_request("POST", "/", headers={"Content-Type": "application/json"})
    request._read_bytes = raw
    return request


async def test_a_sound_body_is_read() -> None:
    body = await read_body(sent(b'{"lines": [{"department": "ENG"}], "shares": 100}'), Body)
    assert body.lines[0].department == "ENG"


@pytest.mark.parametrize("raw", [b"{", b"\xff\xfe", b"[" * 100_000])
async def test_what_is_not_json_is_refused(raw: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        await read_body(sent(raw), Body)
    assert caught.value.field == "body"


async def test_every_wrong_member_is_named_by_its_place() -> None:
    raw = b'{"lines": [{"department": "ENG"}, {"departmant": "X"}], "shares": "many", "more": 1}'
    with pytest.raises(InvalidFields) as caught:
        await read_body(sent(raw), Body)
    assert {(item.field, item.message) for item in caught.value.errors} >= {
        ("lines.1.departmant", "unknown member"),
        ("lines.1.department", "Field required"),
        ("more", "unknown member"),
    }


def versioned(header: str | None) -> web.Request:
    return make_mocked_request("PATCH", "/", headers={} if header is None else {"If-Match": header})


@pytest.mark.parametrize(("header", "version"), [('"1"', 1), ('W/"27"', 27), (' "3" ', 3)])
def test_the_version_is_read(header: str, version: int) -> None:
    assert read_if_match(versioned(header)) == version


@pytest.mark.parametrize("header", [None, "", "*", "1", '"x"', '"1", "2"', '"1234567890"', '"１"'])
def test_a_change_without_a_version_is_refused(header: str | None) -> None:
    with pytest.raises(VersionMissing) as caught:
        read_if_match(versioned(header))
    assert status_of(caught.value) == 428
