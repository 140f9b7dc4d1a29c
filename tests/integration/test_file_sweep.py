"""Files that no row names go after a day; what is named, new, or put again stays."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from crm.attachment_tables import AttachmentRow
from crm.file_store import SWEPT_AFTER, FileStore, FileSweep
from crm.tables import Customer, ServiceCase
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid

pytestmark = pytest.mark.integration


class Shelf:
    """A store whose files are as old as a test wants."""

    def __init__(self, folder: Path, database: Database, clock: FakeClock) -> None:
        self.store = FileStore(folder)
        self.sweep = FileSweep(database, clock, self.store)
        self._database = database
        self._clock = clock

    def put(self, text: str, *, age: timedelta) -> str:
        sha256 = self.store.put(text.encode())
        self.date(self.store.path(sha256), age)
        return sha256

    def date(self, path: Path, age: timedelta) -> None:
        at = (self._clock.now() - age).timestamp()
        os.utime(path, (at, at))

    async def name(self, *pairs: tuple[str, str | None]) -> None:
        now = self._clock.now()
        customer = Customer(id=new_ulid(), name="王建军", level="C", created_at=now)
        case = ServiceCase(id=new_ulid(), no="TS202603020001", kind="complaint", customer_id=customer.id)
        case.status, case.summary, case.opened_at = "registered", "水管漏水", now
        async with self._database.transaction() as session:
            session.add(customer)
            await session.flush()
            session.add(case)
            await session.flush()
            for sha256, thumb in pairs:
                session.add(
                    AttachmentRow(
                        id=new_ulid(), case_id=case.id, purpose="photo", name="x", media_type="image/png",
                        size=1, sha256=sha256, thumb_sha256=thumb, uploaded_at=now, uploaded_by="李",
                        uploader_id="u",
                    )
                )  # fmt: skip

    async def whole_day(self) -> int:
        gone = 0
        for _ in range(24):
            gone += await self.sweep.run_once()
            self._clock.advance(timedelta(hours=1))
        return gone


@pytest.fixture
def shelf(tmp_path: Path, sqlite: Database, clock: FakeClock) -> Shelf:
    return Shelf(tmp_path / "files", sqlite, clock)


async def test_only_what_nobody_names_for_a_day_goes(shelf: Shelf) -> None:
    old = timedelta(days=30)
    named = [(shelf.put(f"photo {n}", age=old), shelf.put(f"small {n}", age=old)) for n in range(120)]
    await shelf.name(*named)
    left = [shelf.put(f"left behind {n}", age=old) for n in range(6)]
    fresh = shelf.put("just sent", age=-SWEPT_AFTER)
    half = shelf.store.path(named[0][0]).with_name(".half")
    half.touch()
    shelf.date(half, old)
    assert await shelf.whole_day() == 7
    assert not any(shelf.store.path(sha256).exists() for sha256 in left)
    assert all(shelf.store.path(sha256).exists() for pair in named for sha256 in pair)
    assert shelf.store.path(fresh).exists()
    assert not half.exists()
    assert await shelf.whole_day() == 0


async def test_the_files_of_another_database_are_left_alone(shelf: Shelf) -> None:
    files = [shelf.put(f"photo {n}", age=timedelta(days=30)) for n in range(40)]
    with capture_logs() as logs:
        assert await shelf.whole_day() == 0
    assert {entry["event"] for entry in logs} == {"file_sweep_refused"}
    assert all(shelf.store.path(sha256).exists() for sha256 in files)


def test_what_is_put_again_while_it_is_swept_stays(shelf: Shelf, clock: FakeClock) -> None:
    sha256 = shelf.put("photo", age=timedelta(days=30))
    before = clock.now() - SWEPT_AFTER
    assert shelf.store.older(sha256[:2], before) == [sha256]
    assert shelf.store.put(b"photo") == sha256
    assert not shelf.store.remove(sha256[:2], sha256, before)
    assert shelf.store.path(sha256).read_bytes() == b"photo"
