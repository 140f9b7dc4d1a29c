"""Takes away what is kept of one person, and says to them what went and what stays (domain.md §6.4)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from crm.complaint_tables import ComplaintCall
from crm.events_people import PersonErased
from crm.retention import Retention
from crm.retention_texts import erase_call_notes
from crm.search import Kind, SearchIndex
from crm.search_tables import SearchDocument
from crm.tables import Contact, Customer, CustomerPhone, ServiceCase
from kernel.errors import Unavailable
from kernel.outbox import add_fact
from kernel.personal import Record
from kernel.phone import InvalidPhone, Phone
from kernel.traces import forget_traces

MOST_TOLD = 500
"""Calls that one fact names."""


async def erase_unneeded(
    session: AsyncSession, customer_id: str, index: SearchIndex, retention: Retention, *, now: datetime
) -> None:
    """Take away what neither a contract nor the law asks for: ordinary calls, preferences.

    Raises:
        Unavailable: a file cannot be deleted.
    """
    who = await same_person(session, customer_id)
    calls = await _calls(session, who, retention)
    of_cases = select(ServiceCase.call_id).where(ServiceCase.call_id.in_(calls))
    noted = select(ComplaintCall.call_id).where(ComplaintCall.call_id.in_(calls))
    needed = {*await session.scalars(of_cases), *await session.scalars(noted)}
    needed |= set(await retention.callbacks_of(session, calls))
    gone = [one for one in calls if one not in needed]
    with _files():
        await _erase_calls(session, gone, index, retention)
    await forget_traces(session, retention.personal.traces, gone)
    _tell(session, who, gone, now)
    change = (
        update(Customer)
        .where(Customer.id.in_(who))
        .values(level_reason=None, problem_reason=None, preferred_channel="phone")
    )
    await session.execute(change)


async def erase_customer(
    session: AsyncSession, customer_id: str, index: SearchIndex, retention: Retention, *, now: datetime
) -> None:
    """Make a person anonymous, under every id they had; contracts, stages and payments stay as figures.

    Raises:
        Unavailable: a file cannot be deleted.
    """
    who, personal = await same_person(session, customer_id), retention.personal
    of = {kind: await personal.of_customers(session, kind, who) for kind in Record}
    of[Record.CUSTOMER] = tuple(who)
    others = select(CustomerPhone.e164).where(
        CustomerPhone.e164.in_(of[Record.NUMBER]), CustomerPhone.customer_id.not_in(who)
    )
    shared = set(await session.scalars(others))
    of[Record.NUMBER] = tuple(one for one in of[Record.NUMBER] if one not in shared)
    calls = await _calls(session, who, retention)
    names = [
        name for name in await session.scalars(select(Customer.name).where(Customer.id.in_(who))) if name
    ]
    numbers = [form for one in of[Record.NUMBER] for form in _forms(one)]
    with _files():
        await _erase_calls(session, calls, index, retention)
        await retention.erase_callbacks(session, of[Record.CALLBACK])
        if retention.messages is not None:
            await retention.messages.drop(session, customers=who, numbers=of[Record.NUMBER])
        if retention.logs is not None:
            await retention.logs.blot_out(numbers)
    await forget_traces(
        session, retention.personal.traces, [*numbers, *names, *who, *calls, *of[Record.CASE]]
    )
    for kind in (Record.CASE, Record.PROJECT, Record.NUMBER, Record.CUSTOMER):
        await personal.empty(session, kind, of[kind])
    found = select(SearchDocument.kind, SearchDocument.ref_id).where(SearchDocument.customer_id.in_(who))
    for name, ref_id in (await session.execute(found)).all():
        await index.remove(session, Kind(name), ref_id)
    _tell(session, who, calls, now)


@contextmanager
def _files() -> Iterator[None]:
    """Nothing is called deleted whose files are still there."""
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"a file cannot be deleted ({error.strerror}): see that the data folder can be written to, "
            "then answer again",
            file=error.filename,
        ) from error


def _forms(e164: str) -> tuple[str, ...]:
    """Return the ways in which a number is written down."""
    try:
        return e164, Phone.parse(e164).national
    except InvalidPhone:
        return (e164,)


def _tell(session: AsyncSession, who: Sequence[str], calls: Sequence[str], now: datetime) -> None:
    """Have those forget who remember; a fact names only so many calls."""
    for start in range(0, max(1, len(calls)), MOST_TOLD):
        told = tuple(calls[start : start + MOST_TOLD])
        add_fact(session, PersonErased(at=now, customer_ids=tuple(who), call_ids=told))


async def same_person(session: AsyncSession, customer_id: str) -> list[str]:
    """Return the customer's id and those of all who were merged into them, one after the other."""
    found, fresh = [customer_id], [customer_id]
    while fresh:
        merged = select(Customer.id).where(Customer.merged_into.in_(fresh), Customer.id.not_in(found))
        fresh = list(await session.scalars(merged))
        found += fresh
    return found


async def _calls(session: AsyncSession, who: Sequence[str], retention: Retention) -> list[str]:
    """Return the calls of a person; what stands on somebody else's time line as well may be theirs."""
    mine = await retention.personal.of_customers(session, Record.CALL, who)
    theirs = select(Contact.ref).where(
        Contact.channel == "call",
        Contact.ref.in_(mine),
        or_(Contact.customer_id.not_in(who), Contact.customer_id.is_(None)),
    )
    shared = set(await session.scalars(theirs))
    return [one for one in mine if one not in shared]


async def _erase_calls(
    session: AsyncSession, calls: Sequence[str], index: SearchIndex, retention: Retention
) -> None:
    if retention.messages is not None:
        await retention.messages.drop(session, calls=calls)
    await erase_call_notes(session, calls, index, retention.personal)
    if retention.calls is not None:
        await retention.calls.erase(session, calls)


def said_of_held(cases: Sequence[str]) -> str:
    """Return what the person is told while a case of theirs is held: nothing went, and why."""
    return (
        f"因售后案件 {'、'.join(cases)} 依法保全，您的资料暂不能删除；营销授权已撤回，不会再向您推广。"
        "保全解除后，依法可以删除的资料会自动删除。"
    )


def said_of(kept_until: date | None) -> str:
    """Return what the person is told about their deletion: what went, what stays, and until when."""
    stays = (
        "为不再打扰您，已登记的拒绝联系号码继续保留；"
        "本次请求的办理凭据与系统操作日志作为合规证明保留，不作他用；员工提醒中的姓名最迟90天后清除。"
    )
    if kept_until is None:
        return (
            f"已删除：姓名、电话、地址、通话与回访内容、录音和照片；其余只保留不能识别个人的统计数字。{stays}"
        )
    return (
        f"已删除营销授权、偏好和普通通话记录；合同、售后、投诉与回访记录依法保存至 {kept_until}，"
        f"其中回访内容与录音保存至交付后24个月，到期自动删除。{stays}"
    )
