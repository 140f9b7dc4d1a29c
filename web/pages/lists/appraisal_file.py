"""What stands in the rows of the file that payroll gets of appraisal entries."""

from collections.abc import Callable
from datetime import datetime

from aiohttp import web
from sqlalchemy import select

from crm.appraisals import AppraisalState, AppraisalView
from crm.sheets import Cell
from web import labels
from web.deps import DEPS
from web.i18n import gettext
from web.pages import case_words as words
from web.tables import UserRow


def appraisal_titles() -> list[Cell]:
    """Return the head of the file."""
    return [
        gettext("月份"),
        gettext("部门"),
        gettext("人员"),
        gettext("分数"),
        gettext("原因"),
        gettext("时限"),
        gettext("单号"),
        gettext("确认人"),
        gettext("导出时间"),
        gettext("备注"),
    ]


async def appraisal_row(request: web.Request) -> Callable[[AppraisalView], list[Cell]]:
    """Return what writes an entry into a row."""
    zone = request.app[DEPS].settings.timezone
    query = select(UserRow.user_id, UserRow.display_name)
    async with request.app[DEPS].database.session() as session:
        names = {str(key): str(name) for key, name in await session.execute(query)}

    def time(at: datetime | None) -> str:
        return at.astimezone(zone).strftime("%Y-%m-%d %H:%M") if at is not None else ""

    def row(item: AppraisalView) -> list[Cell]:
        gone = gettext("导出以后取消") if item.state is not AppraisalState.CONFIRMED else ""
        return [
            item.period,
            item.department_name or gettext("客服"),
            names.get(item.user_id or "", ""),
            item.points,
            item.reason,
            labels.word(words.LIMITS, item.code),
            item.record_no,
            item.confirmed_by or "",
            time(item.exported_at),
            gone or item.note or "",
        ]

    return row
