"""Writes calls behind the live model: in order, in batches, never lost, never doubled.

The model never waits for the database. While that is gone, finished calls go to the spool on disk and open
ones stay marked; when it returns, the spool is read back first.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import structlog
from prometheus_client import Counter, Gauge, Histogram
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from kernel.db import Database
from telephony.call_record import CallRecord, record_of
from telephony.domain.call import Call
from telephony.events import CallEnded
from telephony.repository import save_calls
from telephony.spool import CallSpool, SpoolFull
from telephony.unbroken import unbroken

log = structlog.get_logger(__name__)

WAITING = Gauge("huifang_calls_waiting_to_be_saved", "Calls changed since they were written last")
SAVED = Counter("huifang_calls_saved_total", "Call rows written to the database")
REFUSED = Counter("huifang_calls_refused_total", "Calls that the database does not accept")
LOST = Counter("huifang_calls_lost_total", "Finished calls dropped because database and spool were gone")
SAVE_SECONDS = Histogram("huifang_call_save_seconds", "Time of one batch of calls")


class CallWriter:
    """Give it calls with :meth:`note`; run :meth:`run` in the supervisor.

    Args:
        agent_id_of: agent number → id, ``None`` where unknown.
        interval: how long changes gather before they are written.
        batch: how many calls go into one transaction.
        limit: how many finished calls are kept in memory when neither database nor spool take them.
    """

    def __init__(
        self,
        database: Database,
        spool: CallSpool,
        *,
        agent_id_of: Callable[[str], str | None],
        on_facts: Callable[[], None] = lambda: None,
        interval: timedelta = timedelta(milliseconds=100),
        deadline: timedelta = timedelta(seconds=10),
        batch: int = 200,
        limit: int = 20_000,
    ) -> None:
        self._database = database
        self._spool = spool
        self._agent_id_of = agent_id_of
        self._on_facts = on_facts
        self._interval = interval.total_seconds()
        self._deadline = deadline.total_seconds()
        self._batch = batch
        self._limit = limit
        self._dirty: dict[str, Call] = {}
        self._ended: dict[str, CallEnded] = {}
        self._taken: dict[str, Call] = {}
        self._saved: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._lock = asyncio.Lock()
        self._delay = 0.0
        self._spool_full = False

    @property
    def available(self) -> bool:
        """Whether the last batch reached the database."""
        return self._delay == 0.0

    @property
    def waiting(self) -> int:
        """How many calls are not written as they are now."""
        return len(self._dirty) + len(self._taken)

    def note(self, call: Call) -> None:
        """Mark a call as changed. Never waits."""
        self._dirty[call.call_id] = call
        self._wake.set()

    def note_ended(self, call: Call, fact: CallEnded) -> None:
        """Mark a call as ended; ``fact`` is told when it is stored. Never waits."""
        self._ended[call.call_id] = fact
        self.note(call)

    def resume(self, call: Call) -> None:
        """Take note that a call was read from the database as it is."""
        self._saved[call.call_id] = call.seq

    async def run(self) -> None:
        """Write until cancelled; on cancellation what is left is written or spooled once more."""
        try:
            await self.recover()
            while True:
                await self._wake.wait()
                await asyncio.sleep(self._delay or self._interval)
                await self.flush()
        finally:
            # The outcome is kept even while we are being ended.
            await asyncio.shield(self._last_words())

    async def _last_words(self) -> None:
        try:
            async with asyncio.timeout(self._deadline):
                await self.flush()
        except TimeoutError:
            log.error("calls_not_saved_at_end", waiting=len(self._dirty))
        await self._spool_finished()

    async def recover(self) -> bool:
        """Read the spool back into the database; return whether nothing is left in it."""
        if self._spool.size == 0:
            return True
        count = 0
        for records in await asyncio.to_thread(lambda: list(self._spool.read(self._batch))):
            if not await self._save(records):
                return False
            count += len(records)
        await asyncio.to_thread(self._spool.clear)
        self._spool_full = False
        log.info("call_spool_read_back", calls=count)
        return True

    async def flush(self) -> None:
        """Write what has changed. What fails stays marked, or goes to the spool if it has ended.

        What changes meanwhile waits for its like again: under load each transaction would carry one call.
        Cancelling loses nothing: what was being written is marked again.
        """
        async with self._lock:
            self._wake.clear()
            left = len(self._dirty)
            while self._dirty and left > 0:
                records = self._take()
                left -= len(records)
                saved = False
                try:
                    saved = await self._save(records)
                finally:
                    if saved:
                        self._note_saved(records)
                    else:
                        # In their old order; what has changed meanwhile is newer and stays.
                        self._dirty = {**self._taken, **self._dirty}
                        self._taken = {}
                        self._wake.set()
                if not saved:
                    await self._spool_finished()
                    break
                if self._spool.size:
                    await self.recover()
            WAITING.set(len(self._dirty))

    def _take(self) -> list[CallRecord]:
        ids = list(self._dirty)[: self._batch]
        records = [self._record(call_id, self._dirty[call_id]) for call_id in ids]
        self._taken = {call_id: self._dirty.pop(call_id) for call_id in ids}
        return records

    def _record(self, call_id: str, call: Call) -> CallRecord:
        agent_id = self._agent_id_of(call.agent_number) if call.agent_number is not None else None
        saved = self._saved.get(call_id, 0)
        return record_of(call, saved=saved, agent_id=agent_id, ended=self._ended.get(call_id))

    def _note_saved(self, records: list[CallRecord]) -> None:
        taken, self._taken = self._taken, {}
        for record in records:
            call_id = record.call_id
            if taken[call_id].ended_at is not None and call_id not in self._dirty:
                self._forget(call_id)
            elif record.events:
                self._saved[call_id] = record.events[-1]["seq"]

    async def _save(self, records: list[CallRecord]) -> bool:
        try:
            await unbroken(self._write_batch(records), deadline=self._deadline)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            if self.available:
                log.error("call_database_lost", error=type(error).__name__)
            self._delay = min(max(self._delay * 2, 0.2), 5.0)
            return False
        if not self.available:
            log.info("call_database_back")
        self._delay = 0.0
        if any(record.ended is not None for record in records):
            self._on_facts()
        return True

    async def _write_batch(self, records: list[CallRecord]) -> None:
        try:
            await self._write(records)
        except (DataError, IntegrityError) as error:
            log.error("call_batch_refused", calls=len(records), error=type(error).__name__)
            await self._one_by_one(records)

    async def _write(self, records: list[CallRecord]) -> None:
        with SAVE_SECONDS.time():
            async with self._database.transaction() as session:
                await save_calls(session, records)
        SAVED.inc(len(records))

    async def _one_by_one(self, records: list[CallRecord]) -> None:
        """One call the database cannot hold must not stop the others."""
        for record in records:
            try:
                await self._write([record])
            except (DataError, IntegrityError) as error:
                REFUSED.inc()
                log.error("call_refused", call_id=record.call_id, error=str(error.orig)[:200])

    async def _spool_finished(self) -> None:
        finished = {call_id: call for call_id, call in self._dirty.items() if call.ended_at is not None}
        if not finished:
            return
        records = [self._record(call_id, call) for call_id, call in finished.items()]
        try:
            await asyncio.to_thread(self._spool.append, records)
        except SpoolFull as error:
            if not self._spool_full:
                log.error("call_spool_failed", error=error.message)
            self._spool_full = True
            self._shed(list(finished))
            return
        for call_id in finished:
            self._forget(call_id)

    def _shed(self, finished: list[str]) -> None:
        for call_id in finished[: max(0, len(finished) - self._limit)]:
            self._forget(call_id)
            LOST.inc()
            log.error("finished_call_lost", call_id=call_id)

    def _forget(self, call_id: str) -> None:
        self._dirty.pop(call_id, None)
        self._ended.pop(call_id, None)
        self._saved.pop(call_id, None)
