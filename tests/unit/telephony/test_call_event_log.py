"""What the PBX logged while nobody listened becomes the calls it was."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from telephony.domain.call import Call, CallResult, Direction, EndReason, HangupBy
from telephony.domain.call_book import CallBook
from telephony.domain.effects import Effect, Ended
from telephony.event_log import EventLog, LogRow, as_events, parse_line

pytestmark = pytest.mark.unit

FOLDER = Path(__file__).parents[2] / "data" / "cel"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
R, H = CallResult, HangupBy


def caught_up(rows: list[LogRow], book: CallBook | None = None) -> list[Effect]:
    book = book or CallBook("pbx1")
    return list(book.catch_up(as_events(rows)))


def calls(effects: list[Effect]) -> list[Call]:
    return [effect.call for effect in effects if isinstance(effect, Ended)]


@pytest.mark.parametrize(
    ("name", "result", "by", "agent", "queue", "direction"),
    [
        ("caller_hangs_up", R.ANSWERED, H.CALLER, "1001", "repair", Direction.IN),
        ("agent_hangs_up", R.ANSWERED, H.AGENT, "1001", "repair", Direction.IN),
        ("abandoned", R.ABANDONED_SHORT, H.CALLER, None, "repair", Direction.IN),
        ("blind_transfer", R.ANSWERED, H.CALLER, "1002", "repair", Direction.IN),
        ("attended_transfer", R.ANSWERED, H.CALLER, "1002", "repair", Direction.IN),
        ("outbound", R.ANSWERED, H.AGENT, "1001", None, Direction.OUT),
        ("internal_rejected", R.BUSY, H.CALLER, None, None, Direction.INTERNAL),
    ],
)
def test_a_logged_story(
    name: str, result: CallResult, by: HangupBy, agent: str | None, queue: str | None, direction: Direction
) -> None:
    rows = EventLog(FOLDER / f"{name}.csv").read(LONG_AGO)
    (call,) = calls(caught_up(rows))
    assert (call.result, call.hangup_by, call.agent_number) == (result, by, agent)
    assert (call.queue, call.direction, call.end_reason) == (queue, direction, EndReason.GAP)
    assert call.adopted
    assert call.call_id == next(row.call_id for row in rows if row.call_id)
    assert (call.started_at, call.ended_at) == (rows[0].at, rows[-1].at)


def test_numbers_and_times() -> None:
    rows = EventLog(FOLDER / "caller_hangs_up.csv").read(LONG_AGO)
    (call,) = calls(caught_up(rows))
    assert (call.from_number, call.to_number) == ("+8613800138000", "4008001234")
    assert call.talk == pytest.approx(timedelta(seconds=1.132), abs=timedelta(milliseconds=5))
    assert call.wait == pytest.approx(timedelta(milliseconds=56), abs=timedelta(milliseconds=5))


def test_what_is_known_is_not_taken_twice() -> None:
    rows = EventLog(FOLDER / "blind_transfer.csv").read(LONG_AGO)
    once = CallBook("pbx1")
    (expected,) = calls(caught_up(rows, once))
    for cut in range(len(rows)):
        book = CallBook("pbx1")
        effects: list[Effect] = []
        for at, event in as_events(rows)[:cut]:
            effects += book.handle(event, now=at + timedelta(microseconds=50))  # what is seen is seen later
        effects += caught_up(rows[max(0, cut - 3) :], book)  # the gap is said to begin too early
        (call,) = calls(effects)
        assert [row.kind for row in call.rows] == [row.kind for row in expected.rows]
        assert call.talk == pytest.approx(expected.talk, abs=timedelta(milliseconds=1))


def test_reading_begins_where_it_is_wanted(tmp_path: Path) -> None:
    lines = (FOLDER / "caller_hangs_up.csv").read_text().splitlines(keepends=True)
    path = tmp_path / "log.csv"
    start = 1_795_329_163
    path.write_text(
        "".join(
            line.replace(f'"{start + second}.', f'"{start + second + day * 86_400}.')
            for day in range(200)
            for line in lines
            for second in (0 if f'"{start}.' in line else 1,)
        )
    )
    for day in (0, 1, 77, 198, 199):
        since = datetime.fromtimestamp(start + day * 86_400, UTC)
        rows = EventLog(path).read(since)
        assert len(rows) == (200 - day) * len(lines)
        assert rows[0].at >= since
    assert EventLog(path).read(datetime(2100, 1, 1, tzinfo=UTC)) == []
    assert 0 < len(EventLog(path, max_bytes=50_000).read(LONG_AGO)) < 200 * len(lines)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"\xff\xfe\x00",
        b'"CHAN_START"',
        b'"CHAN_START","now",' + b'"",' * 10 + b'""',
        b'"CHAN_START","1e400",' + b'"",' * 10 + b'""',
        b'"HANGUP","1.5",' + b'"",' * 10 + b'"{not json"',
        b'"HANGUP","1.5",' + b'"",' * 10 + b'"[1]"',
    ],
)
def test_garbage_is_no_line(line: bytes, tmp_path: Path) -> None:
    assert parse_line(line) is None
    path = tmp_path / "log.csv"
    good = (FOLDER / "abandoned.csv").read_bytes()
    path.write_bytes(line + b"\n" + good + line + b"\n" + good[:100])
    assert len(EventLog(path).read(LONG_AGO)) == len(good.splitlines())


def test_no_file_is_no_gap_filled(tmp_path: Path) -> None:
    assert EventLog(tmp_path / "none.csv").read(LONG_AGO) == []
    assert EventLog(tmp_path).read(LONG_AGO) == []


def test_a_hostile_number_stays_in_its_header() -> None:
    line = (
        b'"CHAN_START","1.5","PJSIP/trunk-main-00000001","1.1","1.1","",'
        b'"139\r\nUniqueid: 9.9","s","c","","","",""'
    )
    row = parse_line(line)
    assert row is not None
    ((_, event),) = as_events([row])
    assert event.get("uniqueid") == "1.1"
    assert event.get_all("uniqueid") == ("1.1",)


def test_a_log_that_grew_too_long_makes_room_for_another(tmp_path: Path) -> None:
    path = tmp_path / "huifang.csv"
    log = EventLog(path, max_bytes=100)
    assert not log.turn_over()
    path.write_bytes(b"x" * 100)
    assert not log.turn_over()
    path.write_bytes(b"x" * 101)
    assert log.turn_over()
    assert not path.exists()
    assert (tmp_path / "huifang.csv.1").stat().st_size == 101
    assert log.read(LONG_AGO) == []
