"""The customer's card: one statement, on both databases, that says what the tables say."""

from datetime import UTC, date, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select

from crm.complaint_tables import Complaint, ComplaintLine
from crm.confidential import HIDDEN
from crm.domain.case import SPOKEN_STATUS, STATUS_LABELS, CaseKind, CaseStatus
from crm.domain.project import Stage
from crm.repository import MAX_OWN, MAX_SHARED
from crm.service import CustomerDirectory
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
from crm.views import CaseBrief, ContactBrief, CustomerCard, ProjectBrief
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from kernel.nested import nested
from kernel.phone import Phone

pytestmark = pytest.mark.integration

NUMBER = Phone.parse("13900000001")
STATES = (CaseStatus.REGISTERED, CaseStatus.ACCEPTED, CaseStatus.CLOSED, CaseStatus.ON_SITE)


async def a_customer(database: Database, clock: FakeClock, name: str, **columns: Any) -> str:
    row = Customer(id=new_ulid(), name=name, level="B", created_at=clock.now(), **columns)
    async with database.transaction() as session:
        session.add(row)
        await session.flush()
        session.add(CustomerPhone(customer_id=row.id, e164=NUMBER.e164, position=1))
    return row.id


async def whole_record(database: Database, clock: FakeClock) -> CustomerCard:
    """Write a customer with everything a card shows, and return the card that says so."""
    customer_id = await a_customer(
        database,
        clock,
        "欧阳震华",
        salutation="先生",
        level_reason="老“客户”\\",
        do_not_call=True,
        frozen_reason="装修纠纷",
        problem_reason="多次投诉",
        elder_mode=True,
    )
    now = clock.now()
    store, crew = Store(id=new_ulid(), name="东城店"), Crew(id=new_ulid(), name="赵师傅施工队", head="赵强")
    projects = [
        Project(
            id=new_ulid(),
            contract_no=f"ZX-{place}",
            customer_id=customer_id,
            address='幸福里 "3" 号楼',
            stage=stage,
            warranty_until=date(2028, 2, 29) if place == 1 else None,
            crew_id=crew.id if place == 2 else None,
            designer="林设计" if place == 2 else None,
        )
        for place, stage in enumerate((Stage.DELIVERED, Stage.SIGNED, Stage.MIDTERM, Stage.IN_WARRANTY))
    ]
    cases = [
        ServiceCase(
            id=new_ulid(),
            no=f"TS202611220{place:03d}",
            kind=CaseKind.COMPLAINT.value,
            customer_id=customer_id,
            department_code="ENG" if place == 1 else None,
            status=status.value,
            summary=f"漏水{place}\n第二行",
            # Microseconds too, and the newest not last.
            opened_at=now - timedelta(days=place % 3, microseconds=place),
        )
        for place, status in enumerate(STATES)
    ]
    calls = [
        Contact(
            id=new_ulid(),
            customer_id=customer_id,
            at=now - timedelta(hours=place),
            channel="call" if place != 1 else "visit",
            direction="in",
            ref=new_ulid(),
            result="ANSWERED",
            agent="李娜" if place else None,
            queue="complaint",
            detail={},
        )
        for place in range(5)
    ]
    stranger = await a_customer(database, clock, "别人")
    notes = [
        # The newest call was another's, as the agent said.
        CallNote(call_id=calls[0].ref, disposition="done", notes="", customer_id=stranger, noted_at=now),
        CallNote(call_id=calls[1].ref, disposition="done", notes="上门没有通话", noted_at=now),
        CallNote(call_id=calls[2].ref, disposition="call_back", notes="客户说:'马上'", noted_at=now),
    ]
    async with database.transaction() as session:
        session.add_all([store, crew, Department(code="ENG", name="工程部")])
        await session.flush()
        session.add_all([*projects, *cases, *calls])
        session.add(CustomerPhone(customer_id=customer_id, e164="+8613900000009", position=0))
        session.add_all(notes)
        (await session.get_one(Customer, customer_id)).store_id = store.id
    return CustomerCard(
        customer_id=customer_id,
        name="欧阳震华",
        salutation="先生",
        greeting="欧阳先生",
        level="B",
        level_reason="老“客户”\\",
        store="东城店",
        phones_masked=("139****0009", "139****0001"),
        projects=tuple(project_brief(projects[place]) for place in (2, 1, 3, 0)),
        open_cases=tuple(case_brief(cases[place]) for place in (0, 3, 1)),
        recent_contacts=(
            contact_brief(calls[1], None),
            contact_brief(calls[2], notes[2]),
            contact_brief(calls[3], None),
        ),
        do_not_call=True,
        frozen_reason="装修纠纷",
        problem_reason="多次投诉",
        elder_mode=True,
    )


def project_brief(row: Project) -> ProjectBrief:
    return ProjectBrief(
        project_id=row.id,
        contract_no=row.contract_no,
        address=row.address,
        stage=row.stage,
        stage_label=Stage(row.stage).label,
        crew="赵师傅施工队" if row.crew_id else None,
        crew_status="active" if row.crew_id else None,
        project_manager=None,
        designer=row.designer,
        inspector=None,
        warranty_until="2028-02-29" if row.warranty_until else None,
    )


def case_brief(row: ServiceCase) -> CaseBrief:
    status = CaseStatus(row.status)
    return CaseBrief(
        case_id=row.id,
        no=row.no,
        kind="complaint",
        kind_label="投诉",
        status=row.status,
        status_label=STATUS_LABELS[status],
        spoken_status=SPOKEN_STATUS[status],
        summary=row.summary,
        department="工程部" if row.department_code else None,
        opened_at=row.opened_at,
    )


def contact_brief(row: Contact, note: CallNote | None) -> ContactBrief:
    return ContactBrief(
        contact_id=row.id,
        at=row.at,
        channel=row.channel,
        direction=row.direction,
        ref=row.ref,
        result=row.result,
        agent=row.agent,
        queue=row.queue,
        disposition=note.disposition if note else None,
        notes=note.notes if note else None,
    )


async def test_a_card_says_all_that_is_stored(database: Database, clock: FakeClock) -> None:
    expected = await whole_record(database, clock)
    directory = CustomerDirectory(database)
    assert await directory.card(expected.customer_id) == expected
    (card,) = [card for card in await directory.find_by_phone(NUMBER) if card.level_reason]
    assert card == expected
    assert {moment.tzinfo for moment in (card.open_cases[0].opened_at, card.recent_contacts[0].at)} == {UTC}


async def test_the_cards_of_a_number_are_one_statement(database: Database, clock: FakeClock) -> None:
    ids = [await a_customer(database, clock, f"王{place}") for place in range(MAX_SHARED + 2)]
    said: list[str] = []

    def heard(_: object, __: object, statement: str, *___: object) -> None:
        said.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", heard)
    try:
        cards = await CustomerDirectory(database).find_by_phone(NUMBER)
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", heard)
    assert len(said) == 1
    assert [card.customer_id for card in cards] == sorted(ids)[:MAX_SHARED]
    card = cards[0]
    assert (card.projects, card.open_cases, card.recent_contacts) == ((), (), ())


async def test_a_card_has_no_end_of_projects(sqlite: Database, clock: FakeClock) -> None:
    customer_id = await a_customer(sqlite, clock, "王建军")
    async with sqlite.transaction() as session:
        for place in range(MAX_OWN + 1):
            session.add(
                Project(
                    id=new_ulid(), contract_no=f"ZX-{place}", customer_id=customer_id, address="", stage=20
                )
            )
    card = await CustomerDirectory(sqlite).card(customer_id)
    assert len(card.projects) == MAX_OWN


async def test_the_text_of_a_case_with_a_confidential_line_is_on_no_card(
    database: Database, clock: FakeClock
) -> None:
    customer_id = await a_customer(database, clock, "王建军")
    case_id = new_ulid()
    async with database.transaction() as session:
        session.add(Department(code="ENG", name="工程部"))
        session.add(
            ServiceCase(
                id=case_id,
                no="TS202611220001",
                kind="complaint",
                customer_id=customer_id,
                status="registered",
                summary="收了红包",
                opened_at=clock.now(),
            )
        )
        await session.flush()
        session.add(Complaint(case_id=case_id, complained_at=clock.now(), registered_by_id=new_ulid()))
        await session.flush()
        for place in (1, 2):
            session.add(
                ComplaintLine(
                    id=new_ulid(),
                    case_id=case_id,
                    position=place,
                    status="registered",
                    class_code=1,
                    cause="",
                    department_code="ENG",
                    confidential=place == 2,
                    registered_at=clock.now(),
                )
            )
    card = await CustomerDirectory(database).card(customer_id)
    assert [case.summary for case in card.open_cases] == [HIDDEN]


def test_what_json_cannot_bring_back_is_refused() -> None:
    rows = select(Contact.detail).where(Contact.customer_id == Customer.id).limit(1)
    with pytest.raises(TypeError, match="cannot be nested"):
        nested(rows, of=Customer)
