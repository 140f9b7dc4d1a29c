"""Query strings of the API: what is taken, and what is refused by name."""

from datetime import UTC, datetime

import pytest
from aiohttp.test_utils import make_mocked_request

from web.api.operation import read_query
from web.api.v1.schemas import CallsQuery, NoQuery
from web.problems import InvalidFields

pytestmark = pytest.mark.unit


def read(query: str) -> CallsQuery:
    return read_query(make_mocked_request("GET", f"/api/v1/calls?{query}"), CallsQuery)


def refused(query: str) -> set[str]:
    with pytest.raises(InvalidFields) as error:
        read(query)
    return {item.field for item in error.value.errors}


def test_nothing_gives_the_defaults() -> None:
    assert read("") == CallsQuery()
    assert read("").limit == 50


@pytest.mark.parametrize(
    "since",
    [
        "2026-03-02T10:00:00%2B08:00",
        "2026-03-02T10:00:00+08:00",  # an unescaped plus arrives as a blank
        "2026-03-02T10:00%2B0800",
        "2026-03-02T02:00:00Z",
        "2026-03-02T02:00:00.000000Z",
    ],
)
def test_times_carry_their_zone(since: str) -> None:
    assert read(f"since={since}").since == datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    ["", "yesterday", "2026-03-02", "2026-03-02T10:00:00", "1772416800", "2026-13-02T10:00:00Z", "%00", "９"],
)
@pytest.mark.parametrize("field", ["since", "until"])
def test_other_times_are_refused(field: str, value: str) -> None:
    assert refused(f"{field}={value}") == {field}


def test_until_comes_after_since() -> None:
    assert refused("since=2026-03-02T10:00:00Z&until=2026-03-02T10:00:00Z") == {"until"}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("direction=sideways", "direction"),
        ("result=answered", "result"),
        ("state=asleep", "state"),
        ("queue=", "queue"),
        ("queue=a%20b", "queue"),
        ("queue=%3Cb%3E", "queue"),
        ("agent=" + "1" * 65, "agent"),
        ("number=abc", "number"),
        ("number=1", "number"),
        ("customer_id=%27%20OR%201=1--", "customer_id"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=1e3", "limit"),
        ("cursor=", "cursor"),
        ("cursor=" + "x" * 201, "cursor"),
        ("colour=red", "colour"),
        ("limit=1&limit=2", "limit"),
    ],
)
def test_the_field_at_fault_is_named(query: str, field: str) -> None:
    assert refused(query) == {field}


def test_several_faults_are_named_at_once() -> None:
    assert refused("limit=0&direction=up&colour=red") == {"limit", "direction", "colour"}


def test_a_query_string_has_an_end() -> None:
    assert refused("number=" + "1" * 3000) == {"query"}


def test_no_parameters_means_none() -> None:
    with pytest.raises(InvalidFields):
        read_query(make_mocked_request("GET", "/?x=1"), NoQuery)


def test_a_full_request() -> None:
    query = read(
        "since=2026-03-01T00:00:00%2B08:00&until=2026-03-02T00:00:00%2B08:00&direction=in&queue=complaint"
        "&agent=1001&result=ABANDONED_QUEUE&state=ended&number=%2B86%20138-0013-8000&limit=200&cursor=abc"
        "&customer_id=01JZZZZZZZZZZZZZZZZZZZZZC1"
    )
    assert query.number == "+86 138-0013-8000"
    assert query.limit == 200
