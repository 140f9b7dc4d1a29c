"""The file of a regular report: what customers said, and why they left; it names nobody (domain.md §1.12).

It is what is attached to the report's e-mail, and what the people that it goes to take out on its page.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from callback_campaigns.regular_reports import LostRow, RegularReports, ReportCode, SaidRow
from crm.exports import FileForm, begin_export
from crm.journal import Journal
from crm.notices.ports import Message, MessageFile
from crm.sheets import Cell, ExcelFile
from kernel.access import Actor
from kernel.db import Database
from web import labels
from web.i18n import N_, gettext, use_language

PREFIX: Final = "report."
LARGEST = 8 * 1024 * 1024
"""What mail servers take; a larger file is left to the link."""
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
REASONS = {
    "price": N_("价格"),
    "design": N_("设计"),
    "attitude": N_("服务态度"),
    "progress": N_("工程进度"),
    "quality": N_("担心质量"),
    "plans_changed": N_("房屋计划有变"),
    "other_company": N_("选择了其他公司"),
    "other": N_("其他"),
}
CONTENT = {"satisfied": N_("满意"), "neutral": N_("一般"), "dissatisfied": N_("不满意")}
LATER = {"consents": N_("可以"), "declines": N_("不要再联系")}


def said_reasons(row: LostRow) -> str:
    """Return why a customer left, in words."""
    return gettext("、").join(labels.word(REASONS, one) for one in row.reasons)


def report_titles(code: ReportCode) -> list[Cell]:
    """Return the heading of a report's file."""
    match code:
        case ReportCode.LOST:
            return [
                gettext("退单日期"),
                gettext("退单原因"),
                gettext("流失原因"),
                gettext("具体说明"),
                gettext("怎样会留下"),
                gettext("退单服务"),
                gettext("以后联系"),
            ]
        case ReportCode.COMPETITORS:
            return [gettext("日期"), gettext("同行"), gettext("客户怎么说")]
        case _:
            return [gettext("日期"), gettext("客户怎么说")]


def report_row(code: ReportCode, row: LostRow | SaidRow) -> list[Cell]:
    """Return a row of a report's file."""
    if isinstance(row, LostRow):
        return [
            row.ended_on.isoformat() if row.ended_on else "",
            row.ended_reason,
            said_reasons(row),
            row.more,
            row.better,
            labels.word(CONTENT, row.content) if row.content else "",
            labels.word(LATER, row.later) if row.later else "",
        ]
    day = row.on.isoformat()
    return [day, row.competitor, row.text] if code is ReportCode.COMPETITORS else [day, row.text]


async def report_rows(
    reports: RegularReports, actor: Actor, code: ReportCode, month: str
) -> Sequence[LostRow | SaidRow]:
    """Return what a report is about. Raises Forbidden, Invalid."""
    if code is ReportCode.LOST:
        return await reports.lost(actor, month)
    return await reports.said(actor, code, month)


class ReportAttachments:
    """Makes the file that goes with the e-mail of a report (``crm.notices.ports.FilesOf``)."""

    def __init__(self, database: Database, journal: Journal, reports: RegularReports) -> None:
        self._database = database
        self._journal = journal
        self._reports = reports

    async def of(self, message: Message) -> tuple[MessageFile, ...]:
        """Return the file of a report's message; of other messages, and where it is too large, none.

        Each time is noted as whatever leaves the house is.

        Raises:
            SQLAlchemyError, OSError: it cannot be made now.
        """
        month, name = message.parameters.get("month", ""), message.code.removeprefix(PREFIX)
        if name == message.code or name not in set(ReportCode) or not month:
            return ()
        code, actor = ReportCode(name), Actor.system("reports")
        rows = await report_rows(self._reports, actor, code, month)
        use_language(message.language)
        content = await asyncio.to_thread(
            _excel, f"{code.value}-{month}", report_titles(code), [report_row(code, row) for row in rows]
        )
        if len(content) > LARGEST:
            return ()

        async def read(_: str | None) -> tuple[Sequence[LostRow | SaidRow], str | None]:
            return rows, None

        asked = {"month": month, "by_mail": True}
        await begin_export(
            self._database,
            self._journal,
            actor,
            f"report-{code.value}",
            FileForm.XLSX,
            len(rows),
            asked,
            read,
        )
        return (MessageFile(f"{code.value}-{month}.xlsx", EXCEL, content),)


def _excel(name: str, titles: list[Cell], rows: list[list[Cell]]) -> bytes:
    book = ExcelFile(name)
    book.add([titles])
    book.add(rows)
    with book.finish() as file:
        return file.read()
