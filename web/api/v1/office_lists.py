"""``/api/v1/repeat-complaints``, ``/problem-customers`` and ``/month-causes`` (domain.md §2.2, §2.3)."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from crm.month_causes import Cause, MonthCauses
from crm.repeat_complaints import RepeatFilter
from web.api.operation import Call, operation
from web.api.v1.complaints_answers import ComplaintHeader
from web.api.v1.office_lists_schemas import (
    CauseOut,
    DepartmentCausesOut,
    EarlierComplaintOut,
    MajorCauseOut,
    MonthCausesOut,
    MonthCausesQuery,
    OwnCausesQuery,
    ProblemCustomerList,
    ProblemCustomersQuery,
    RepeatCountOut,
    RepeatList,
    RepeatOut,
    RepeatsQuery,
    ShareOut,
)
from web.crm_part import CRM
from web.permissions import Permission

TAG = "office-lists"


@operation(
    query=RepeatsQuery,
    response=RepeatList,
    permission=Permission.RED_LIST_VIEW,
    summary="List complaints that repeat, newest first",
    description="The same customer within 90 days, or the same class on the same project.",
    tag=TAG,
)
async def list_repeat_complaints(call: Call[RepeatsQuery]) -> RepeatList:
    """Return a page of repeat complaints."""
    asked, repeats = call.query, call.request.app[CRM].repeats
    wanted = RepeatFilter(
        since=asked.since,
        until=asked.until,
        department=asked.department,
        store=asked.store,
        class_=asked.class_code,
        is_open=asked.open,
    )
    page = await repeats.page(call.actor, wanted, cursor=asked.cursor, limit=asked.limit)
    counts = await repeats.by_class(call.actor, wanted)
    return RepeatList(
        items=tuple(
            RepeatOut(
                case=ComplaintHeader.model_validate(one.case),
                classes=one.classes,
                causes=one.causes,
                earlier=tuple(EarlierComplaintOut.model_validate(before) for before in one.earlier),
                times=one.times,
                same_class=one.same_class,
            )
            for one in page.items
        ),
        by_class=tuple(RepeatCountOut(class_code=one.class_, count=one.count) for one in counts),
        next_cursor=page.next_cursor,
    )


@operation(
    query=ProblemCustomersQuery,
    response=ProblemCustomerList,
    permission=Permission.RED_LIST_VIEW,
    summary="List customers flagged as problems, the newest flag first",
    description="Why, by whom, since when, and how the flag came about.",
    tag=TAG,
)
async def list_problem_customers(call: Call[ProblemCustomersQuery]) -> ProblemCustomerList:
    """Return a page of flagged customers."""
    asked = call.query
    page = await call.request.app[CRM].problem_customers.page(
        call.actor,
        store=asked.store,
        with_open_cases=asked.with_open_cases,
        cursor=asked.cursor,
        limit=asked.limit,
    )
    return ProblemCustomerList.model_validate(page)


@operation(
    query=MonthCausesQuery,
    response=MonthCausesOut,
    permission=Permission.RED_LIST_VIEW,
    summary="Read what a month's complaints were about, department by department",
    description="With compensation and shares of responsibility.",
    tag=TAG,
)
async def read_month_causes(call: Call[MonthCausesQuery]) -> MonthCausesOut:
    """Return the report of a month."""
    asked = call.query
    reader = call.request.app[CRM].month_causes
    return _report(await reader.read(call.actor, asked.month, department=asked.department))


@operation(
    query=OwnCausesQuery,
    response=MonthCausesOut,
    permission=Permission.CASES_SIGN,
    summary="Read what a month's complaints about the own department were about",
    description="For who signs for it; without lines about integrity.",
    tag=TAG,
)
async def read_own_causes(call: Call[OwnCausesQuery]) -> MonthCausesOut:
    """Return the own part of a month's report."""
    return _report(await call.request.app[CRM].month_causes.own(call.actor, call.query.month))


def _report(found: MonthCauses) -> MonthCausesOut:
    return MonthCausesOut(
        month=found.month,
        as_of=found.as_of,
        departments=tuple(
            DepartmentCausesOut(
                department=one.department,
                department_name=one.department_name,
                complaints=one.complaints,
                lines=one.lines,
                responsible=one.responsible,
                refused=one.refused,
                unsolved=one.unsolved,
                share=ShareOut.model_validate(one.share),
                judged=one.judged,
                liability=one.liability,
                paid_cases=one.paid_cases,
                paid=one.paid,
                causes=tuple(_cause(cause) for cause in one.causes),
            )
            for one in found.departments
        ),
        major=tuple(MajorCauseOut.model_validate(one) for one in found.major),
        lines=found.lines,
        responsible=found.responsible,
        paid=found.paid,
    )


def _cause(one: Cause) -> CauseOut:
    return CauseOut(
        class_code=one.class_, subclass=one.subclass, lines=one.lines, responsible=one.responsible
    )


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/repeat-complaints", list_repeat_complaints),
    ("GET", "/problem-customers", list_problem_customers),
    ("GET", "/month-causes", read_month_causes),
    ("GET", "/month-causes/own", read_own_causes),
)
