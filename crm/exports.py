"""Lists of cases taken out as files: who may, how much at once, and what the audit log keeps of it.

A file has what the list on the screen has, for the same person: the services of the lists hide what is to be
hidden, and no list has whole numbers.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from crm.appraisals import Appraisals, AppraisalView
from crm.case_figures import CaseFiguresReader
from crm.case_lists import BoardRow, CaseLists
from crm.cases import MAX_PAGE, CaseFilter
from crm.complaint_views import OverdueRow
from crm.crew_repairs import CrewRepairs
from crm.figure_period import Asked
from crm.journal import Journal
from crm.late_lists import LateLists
from crm.limit_lists import OverdueList
from crm.repeat_complaints import RepeatComplaint, RepeatComplaints, RepeatFilter
from crm.voices import VoiceFilter, Voices, VoiceView
from kernel.access import Actor, Permission
from kernel.db import Database
from kernel.errors import Invalid
from kernel.ids import new_ulid

MAX_ROWS = 10_000

T = TypeVar("T")
_Page = tuple[Sequence[T], str | None]
_Read = Callable[[str | None], Awaitable[_Page[T]]]


class FileForm(StrEnum):
    """What kind of file."""

    CSV = "csv"
    XLSX = "xlsx"


class TooManyRows(Invalid):
    """The list is longer than a file may be."""

    code = "too_many_rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Export(Generic[T]):
    """A list on its way out: how many rows it has, and its pages as they are read."""

    total: int
    pages: AsyncIterator[Sequence[T]]


class CaseExports:
    """Hands out whole lists, each time noted with its filter and how many rows it had.

    Args:
        most: rows of a file.
    """

    def __init__(
        self,
        database: Database,
        journal: Journal,
        *,
        lists: CaseLists,
        late: LateLists,
        repeats: RepeatComplaints,
        voices: Voices,
        figures: CaseFiguresReader,
        appraisals: Appraisals,
        most: int = MAX_ROWS,
    ) -> None:
        self._database = database
        self._journal = journal
        self._lists = lists
        self._late = late
        self._repeats = repeats
        self._voices = voices
        self._figures = figures
        self._appraisals = appraisals
        self._most = most

    async def board(
        self, actor: Actor, wanted: CaseFilter, *, overdue: bool, form: FileForm
    ) -> Export[BoardRow]:
        """Return the board of cases.

        Raises:
            Forbidden: the role takes no data out.
            TooManyRows: it is longer than a file may be; nothing was noted.
        """
        actor.need(Permission.EXPORT)

        async def read(cursor: str | None) -> _Page[BoardRow]:
            page = await self._lists.board(actor, wanted, overdue=overdue, cursor=cursor, limit=MAX_PAGE)
            return page.items, page.next_cursor

        total = await self._lists.count(actor, wanted, overdue=overdue)
        asked = {
            "kind": wanted.kind,
            "statuses": [status.value for status in wanted.statuses],
            "open": wanted.is_open,
            "department": wanted.department,
            "specialist_id": wanted.specialist_id,
            "severity": wanted.severity,
            "overdue": overdue,
        }
        return await self._begin(actor, "cases", form, total, asked, read)

    async def overdue(
        self, actor: Actor, which: OverdueList, *, department: str | None, form: FileForm
    ) -> Export[OverdueRow]:
        """Return one of the six lists of what is late. Raises as :meth:`board`."""
        actor.need(Permission.EXPORT)

        async def read(cursor: str | None) -> _Page[OverdueRow]:
            page = await self._late.overdue_page(
                actor, which, department=department, cursor=cursor, limit=MAX_PAGE
            )
            return page.items, page.next_cursor

        summaries = await self._late.overdue_lists(actor)
        total = sum(
            part.count
            for summary in summaries
            if summary.which == which.value
            for part in summary.counts
            if department is None or part.department == department
        )
        asked = {"list": which, "department": department}
        return await self._begin(actor, "overdue", form, total, asked, read)

    async def repeats(self, actor: Actor, wanted: RepeatFilter, *, form: FileForm) -> Export[RepeatComplaint]:
        """Return the complaints that repeat. Raises as :meth:`board`."""
        actor.need(Permission.EXPORT)

        async def read(cursor: str | None) -> _Page[RepeatComplaint]:
            page = await self._repeats.page(actor, wanted, cursor=cursor, limit=MAX_PAGE)
            return page.items, page.next_cursor

        total = await self._repeats.count(actor, wanted)
        asked = {
            "since": wanted.since,
            "until": wanted.until,
            "department": wanted.department,
            "store": wanted.store,
            "class": wanted.class_,
            "open": wanted.is_open,
        }
        return await self._begin(actor, "repeats", form, total, asked, read)

    async def voices(self, actor: Actor, wanted: VoiceFilter, *, form: FileForm) -> Export[VoiceView]:
        """Return suggestions and news of competitors. Raises as :meth:`board`."""
        actor.need(Permission.EXPORT)

        async def read(cursor: str | None) -> _Page[VoiceView]:
            page = await self._voices.page(actor, wanted, cursor=cursor, limit=MAX_PAGE)
            return page.items, page.next_cursor

        total = await self._voices.count(actor, wanted)
        asked = {"kind": wanted.kind, "month": wanted.month}
        return await self._begin(actor, "voices", form, total, asked, read)

    async def appraisals(self, actor: Actor, month: str, *, form: FileForm) -> Export[AppraisalView]:
        """Return the appraisal entries of a month that went to payroll.

        Raises:
            Forbidden: payroll is not the role's.
            TooManyRows: see :meth:`board`.
        """
        actor.need(Permission.RECOVERY_HANDLE)
        rows: list[AppraisalView] = []
        cursor: str | None = None
        while len(rows) <= self._most:
            page = await self._appraisals.confirmed(
                actor, month, exported=True, cursor=cursor, limit=MAX_PAGE
            )
            rows += page.items
            cursor = page.next_cursor
            if cursor is None:
                break

        async def read(_: str | None) -> _Page[AppraisalView]:
            return rows, None

        return await self._begin(actor, "appraisals", form, len(rows), {"month": month}, read)

    async def crew_repairs(self, actor: Actor, wanted: Asked, *, form: FileForm) -> Export[CrewRepairs]:
        """Return the repairs of a period per crew. Raises as :meth:`board`."""
        actor.need(Permission.EXPORT)
        rows = await self._figures.crews(actor, wanted)

        async def read(_: str | None) -> _Page[CrewRepairs]:
            return rows, None

        asked = {
            "since": wanted.since,
            "until": wanted.until,
            "store": wanted.store,
            "department": wanted.department,
        }
        return await self._begin(actor, "crew-repairs", form, len(rows), asked, read)

    async def _begin(
        self,
        actor: Actor,
        name: str,
        form: FileForm,
        total: int,
        asked: Mapping[str, Any],
        read: _Read[T],
    ) -> Export[T]:
        return await begin_export(
            self._database, self._journal, actor, name, form, total, asked, read, most=self._most
        )


async def begin_export(
    database: Database,
    journal: Journal,
    actor: Actor,
    name: str,
    form: FileForm,
    total: int,
    asked: Mapping[str, Any],
    read: Callable[[str | None], Awaitable[tuple[Sequence[T], str | None]]],
    *,
    most: int = MAX_ROWS,
) -> Export[T]:
    """Note that somebody takes a list out, and return its pages.

    Raises:
        TooManyRows: it is longer than a file may be; nothing was noted.
    """
    if total > most:
        raise TooManyRows(f"{total} rows; at most {most} at once, narrow the filter", field="rows")
    # Before the first row leaves: what was taken out is noted even if the line breaks half way.
    async with database.transaction() as session:
        await journal.note(
            session,
            actor,
            "data.exported",
            entity="export",
            entity_id=new_ulid(),
            after={
                "list": name,
                "form": form,
                "rows": total,
                "filter": {key: value for key, value in asked.items() if value not in (None, [], False)},
            },
        )
    return Export(total=total, pages=_pages(read, total))


async def _pages(read: _Read[T], total: int) -> AsyncIterator[Sequence[T]]:
    """Yield the pages of a list; no more than ``total`` rows, whatever was added meanwhile."""
    cursor: str | None = None
    left = total
    while left > 0:
        rows, cursor = await read(cursor)
        if rows:
            yield rows[:left]
        left -= len(rows)
        if cursor is None:
            return
