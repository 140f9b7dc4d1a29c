"""Takes away what is kept of one person, and says to them what went and what stays (domain.md §6.4)."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from crm.complaint_tables import ComplaintCall
from crm.retention import Retention
from crm.retention_texts import erase_call_notes
from crm.search import Kind, SearchIndex
from crm.search_tables import SearchDocument
from crm.tables import Contact, Customer, CustomerPhone, ServiceCase
from kernel.personal import Record


async def erase_unneeded(
    session: AsyncSession, customer_id: str, index: SearchIndex, retention: Retention
) -> None:
    """Take away what neither a contract nor the law asks for: ordinary calls, preferences."""
    who = await same_person(session, customer_id)
    calls = await _calls(session, who, retention)
    of_cases = select(ServiceCase.call_id).where(ServiceCase.call_id.in_(calls))
    noted = select(ComplaintCall.call_id).where(ComplaintCall.call_id.in_(calls))
    needed = {*await session.scalars(of_cases), *await session.scalars(noted)}
    needed |= set(await retention.callbacks_of(session, calls))
    await _erase_calls(session, [one for one in calls if one not in needed], index, retention)
    change = (
        update(Customer)
        .where(Customer.id.in_(who))
        .values(level_reason=None, problem_reason=None, preferred_channel="phone")
    )
    await session.execute(change)


async def erase_customer(
    session: AsyncSession, customer_id: str, index: SearchIndex, retention: Retention
) -> None:
    """Make a person anonymous, under every id they had; contracts, stages and payments stay as figures."""
    who, personal = await same_person(session, customer_id), retention.personal
    of = {kind: await personal.of_customers(session, kind, who) for kind in Record}
    of[Record.CUSTOMER] = tuple(who)
    others = select(CustomerPhone.e164).where(
        CustomerPhone.e164.in_(of[Record.NUMBER]), CustomerPhone.customer_id.not_in(who)
    )
    shared = set(await session.scalars(others))
    of[Record.NUMBER] = tuple(one for one in of[Record.NUMBER] if one not in shared)
    await _erase_calls(session, await _calls(session, who, retention), index, retention)
    await retention.erase_callbacks(session, of[Record.CALLBACK])
    if retention.messages is not None:
        await retention.messages.drop(session, customers=who, numbers=of[Record.NUMBER])
    for kind in (Record.CASE, Record.PROJECT, Record.NUMBER, Record.CUSTOMER):
        await personal.empty(session, kind, of[kind])
    found = select(SearchDocument.kind, SearchDocument.ref_id).where(SearchDocument.customer_id.in_(who))
    for name, ref_id in (await session.execute(found)).all():
        await index.remove(session, Kind(name), ref_id)


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
