"""Writes the demo company into an empty database, once, in one transaction."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.demo import company
from app.demo.people import OFFICE
from crm.complaint_tables import COMPLAINT_BACKFILL
from crm.domain.customer_rules import kind_of
from crm.people_tables import DoNotCallNumber, DoNotCallRow, FreezeRow
from crm.repair_tables import REPAIR_BACKFILL
from crm.search_whole import whole_feed
from crm.tables import (
    CallNote,
    Contact,
    Crew,
    Customer,
    CustomerPhone,
    Department,
    Project,
    ServiceCase,
    Store,
)
from kernel.access import GRANTS, Permission, Role
from kernel.db import Database
from kernel.ids import new_ulid
from kernel.phone import Phone
from telephony.agent_tables import AgentRow, QueueMemberRow, QueueRow


@dataclass(frozen=True, slots=True)
class DemoUser:
    """Somebody who may sign in."""

    login: str
    name: str
    role: str
    agent_id: str | None
    department: str | None = None

    @property
    def signs(self) -> bool:
        """Whether they sign for hand-offs, which takes a PIN."""
        granted = GRANTS[Role(self.role)]
        return (
            Permission.CASES_SIGN in granted
            or {
                Permission.CASES_DECIDE,
                Permission.CASES_CONFIDENTIAL,
            }
            <= granted
        )


async def is_empty(database: Database) -> bool:
    """Tell whether there is no customer and no agent yet."""
    async with database.session() as session:
        customers = (await session.execute(select(func.count()).select_from(Customer))).scalar_one()
        agents = (await session.execute(select(func.count()).select_from(AgentRow))).scalar_one()
    return not customers and not agents


async def seed_company(database: Database, *, now: datetime) -> None:
    """Write stores, departments, crews, customers, cases, contacts, queues and agents; index them."""
    async with database.transaction() as session:
        stores = {name: new_ulid() for name in company.STORES}
        session.add_all(Store(id=key, name=name) for name, key in stores.items())
        session.add_all(
            Department(code=code, name=name, head=head) for code, name, head in company.DEPARTMENTS
        )
        crews = [new_ulid() for _ in company.CREWS]
        session.add_all(
            Crew(id=key, name=name, head=head, status=status)
            for key, (name, head, status) in zip(crews, company.CREWS, strict=True)
        )
        await session.flush()
        owners: dict[str, tuple[str, str]] = {}
        for found in company.CUSTOMERS:
            owners[found.contract_no] = await _customer(session, found, stores, crews, now)
        _history(session, owners, now)
        await session.flush()
        # The cases are written as bare headers, as version 0.1 had them; this completes them.
        for statements in (COMPLAINT_BACKFILL, REPAIR_BACKFILL):
            for statement in statements[database.dialect_name]:
                await session.execute(text(statement))
        await _centre(session, now)
    await whole_feed().fill(database)


async def _customer(
    session: AsyncSession,
    found: company.DemoCustomer,
    stores: dict[str, str],
    crews: list[str],
    now: datetime,
) -> tuple[str, str]:
    customer_id, project_id = new_ulid(), new_ulid()
    session.add(
        Customer(
            id=customer_id,
            name=found.name,
            salutation=found.salutation,
            level=found.level,
            level_reason=found.level_reason,
            # As the services write it: whoever gives a reason set the level.
            level_set_by=company.MANAGER[1] if found.level_reason else None,
            level_set_at=now if found.level_reason else None,
            store_id=stores[found.store],
            do_not_call=found.do_not_call,
            frozen_reason=found.frozen,
            problem_reason=found.problem,
            elder_mode=found.elder,
            created_at=now,
        )
    )
    await session.flush()
    for position, number in enumerate(found.phones):
        phone = Phone.parse(number)
        session.add(
            CustomerPhone(
                customer_id=customer_id, e164=phone.e164, position=position, kind=kind_of(phone).value
            )
        )
    if found.frozen:
        session.add(
            FreezeRow(
                id=new_ulid(), customer_id=customer_id, scope="all", since=now, reason=found.frozen, by="沈静"
            )
        )
    if found.do_not_call:
        entry_id = new_ulid()
        session.add(
            DoNotCallRow(
                id=entry_id,
                customer_id=customer_id,
                level=3,
                since=now,
                source="agent",
                evidence="来电要求不再联系",
                by="沈静",
            )
        )
        await session.flush()
        session.add_all(
            DoNotCallNumber(entry_id=entry_id, e164=Phone.parse(number).e164) for number in found.phones
        )
    started = now - timedelta(days=max(3, int(found.stage) - 45) * 2)
    session.add(
        Project(
            id=project_id,
            contract_no=found.contract_no,
            customer_id=customer_id,
            address=found.address,
            store_id=stores[found.store],
            stage=int(found.stage),
            crew_id=crews[found.crew] if found.crew is not None else None,
            project_manager=found.manager,
            designer=found.designer,
            amount=Decimal(found.amount),
            started_on=started.date() if found.stage >= 50 else None,
            warranty_until=(
                (now + timedelta(days=365 * found.warranty_years - 500)).date()
                if found.warranty_years
                else None
            ),
        )
    )
    await session.flush()
    return customer_id, project_id


def _history(session: AsyncSession, owners: dict[str, tuple[str, str]], now: datetime) -> None:
    counters: dict[str, int] = {}
    for case in company.CASES:
        customer_id, project_id = owners[case.contract_no]
        opened = now - timedelta(hours=case.age_hours)
        prefix = ("TS" if case.kind == "complaint" else "BX") + opened.strftime("%Y%m%d")
        counters[prefix] = counters.get(prefix, 0) + 1
        session.add(
            ServiceCase(
                id=new_ulid(),
                no=f"{prefix}{counters[prefix]:04d}",
                kind=case.kind,
                customer_id=customer_id,
                project_id=project_id,
                department_code=case.department,
                status=case.status,
                summary=case.summary,
                opened_at=opened,
                closed_at=None if case.status.is_open else opened + timedelta(hours=40),
            )
        )
    for contact in company.CONTACTS:
        at = now - timedelta(hours=contact.age_hours)
        call_id = new_ulid()
        session.add(
            Contact(
                id=new_ulid(),
                customer_id=owners[contact.contract_no][0],
                at=at,
                channel="call",
                direction="in",
                ref=call_id,
                result=contact.result,
                agent=contact.agent,
                queue=contact.queue,
                detail={"talk_seconds": 95.0, "menu_path": []},
            )
        )
        session.add(
            CallNote(call_id=call_id, disposition=contact.disposition, notes=contact.notes, noted_at=at)
        )


async def _centre(session: AsyncSession, now: datetime) -> None:
    for position, (name, zh, en, ring, wrap_up, weight) in enumerate(company.QUEUES):
        session.add(
            QueueRow(
                name=name,
                label_zh=zh,
                label_en=en,
                ring_timeout_seconds=ring,
                wrap_up_seconds=wrap_up,
                weight=weight,
                position=position,
                live_text=name == "complaint",
            )
        )
    ids = {agent.number: new_ulid() for agent in company.AGENTS}
    for agent in company.AGENTS:
        session.add(
            AgentRow(
                agent_id=ids[agent.number],
                number=agent.number,
                name=agent.name,
                sip_password=secrets.token_urlsafe(18),
                created_at=now,
            )
        )
    await session.flush()
    for agent in company.AGENTS:
        session.add_all(
            QueueMemberRow(queue=queue, agent_id=ids[agent.number], penalty=penalty)
            for queue, penalty in agent.queues
        )


async def demo_users(database: Database) -> tuple[DemoUser, ...]:
    """Return who may sign in to the demo."""
    async with database.session() as session:
        rows = await session.execute(select(AgentRow.number, AgentRow.agent_id))
        ids = {row.number: row.agent_id for row in rows}
    return (
        *(DemoUser(agent.login, agent.name, "agent", ids.get(agent.number)) for agent in company.AGENTS),
        DemoUser(*company.SUPERVISOR, "supervisor", None),
        DemoUser(*company.ADMINISTRATOR, "administrator", None),
        *(DemoUser(user.login, user.name, user.role.value, None, user.department) for user in OFFICE),
    )
