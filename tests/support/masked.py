"""Calls to the customers of cases, over the pages of an office and an exchange that is played."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update

from callback_campaigns.attempt_keeper import AttemptKeeper
from callback_campaigns.campaigns import Lines
from callback_campaigns.dial_attempts import DialAttempts
from callback_campaigns.domain.campaign import Trunk
from callback_campaigns.masked_calls import MaskedCalls
from callback_campaigns.number_calls import NumberCalls, NumberRules
from callback_campaigns.placing import Placing
from callback_campaigns.preview import PreviewConfig
from callback_campaigns.rule_files import shipped_dialling
from callback_campaigns.task_tables import DialAttemptRow
from crm.domain.case import Severity
from crm.people_tables import StaffRow
from crm.repair_tables import RepairRow
from crm.tables import Customer, CustomerPhone, Department, ServiceCase
from crm.ticket_tables import TicketPart
from crm.ticket_views import CallbackSource
from kernel.access import Actor, Role
from kernel.db import Database
from kernel.ids import new_ulid
from tests.support.dialling import KEEPER
from tests.support.fake_exchange import FakeExchange
from tests.support.office import OfficeStage
from tests.support.pbx import HOTLINE
from web.callback_part import CALLBACKS
from web.members import UserMembers

OWN = "+8613900000001"
PER_HOUR = 6
"""So many numbers may an agent call within an hour."""


async def repair_in_hand(
    database: Database, clock: Any, number: str, own: str | None = OWN
) -> tuple[Actor, str]:
    """Write a repair of the captain's down, of a customer with this number; return captain and case."""
    now, case_id, customer_id = clock.now(), new_ulid(), new_ulid()
    captain = Actor(user_id=new_ulid(), name="马师傅", role=Role.CAPTAIN, department="CS")
    async with database.transaction() as session:
        if await session.get(Department, "CS") is None:
            session.add(Department(code="CS", name="客服部"))
        session.add(Customer(id=customer_id, name="王建军", level="B", created_at=now))
        await session.flush()
        session.add(CustomerPhone(customer_id=customer_id, e164=number, kind="mobile"))
        session.add(
            StaffRow(id=new_ulid(), name="马师傅", role="RCP", phone=own, user_id=captain.user_id, version=1)
        )
        session.add(
            ServiceCase(
                id=case_id,
                no=f"BX{case_id[-12:]}",
                kind="repair",
                customer_id=customer_id,
                department_code="CS",
                status="notified",
                summary="卫生间地漏返水",
                opened_at=now,
            )
        )
        await session.flush()
        session.add(
            RepairRow(
                case_id=case_id,
                place="主卫",
                repair_class="in_warranty",
                warranty={},
                original_crew_left=False,
                chain_at=now,
                route="captain",
            )
        )
    return captain, case_id


class MaskedWorld:
    """The service in front of a played exchange; calls go on where a test says so."""

    def __init__(self, office: OfficeStage) -> None:
        assert office.stage.app is not None
        self.office = office
        self.exchange = FakeExchange(office.stage.bus, office.clock, by_itself=False)
        base, callbacks = office.crm.people.office, office.stage.app[CALLBACKS]
        do_not_call, rules = office.crm.people.do_not_call, shipped_dialling()
        attempts = DialAttempts(base, callbacks.tasks, do_not_call, rules)
        self.keeper = AttemptKeeper(
            attempts, self.exchange, self.exchange, bus=office.stage.bus, clock=office.clock, config=KEEPER
        )
        self.placing = Placing(self.exchange, self.keeper, office.clock)
        trunk = Trunk(name="main", lines=10, caller_ids=(HOTLINE,), per_second=50)
        lines = Lines(trunks={"main": trunk}, carriers=frozenset({"own"}))
        config = PreviewConfig(trunk="main", caller_id=HOTLINE)
        members = UserMembers()
        self.calls = MaskedCalls(
            base,
            callbacks.tasks,
            rules,
            do_not_call,
            members,
            lines,
            self.exchange,
            self.placing,
            config,
        )
        self.connected: list[tuple[str, str, str]] = []
        self.numbers = NumberCalls(
            base,
            callbacks.tasks,
            rules,
            do_not_call,
            members,
            lines,
            self.exchange,
            self.placing,
            config,
            NumberRules(per_hour=PER_HOUR, refused_prefixes=("168",)),
            bus=office.stage.bus,
            connected=lambda *who: self.connected.append(who),
        )
        self.heard = office.stage.bus.subscribe(name="masked-world", maxsize=10_000)
        office.stage.masked.real = self.calls
        office.stage.numbers.real = self.numbers

    async def listen(self) -> None:
        """Have what was told so far heard and stored."""
        while self.placing._sending:
            await next(iter(self.placing._sending))
        for event in self.heard.waiting():
            self.keeper.hear(event)  # type: ignore[arg-type]
            self.numbers.hear(event)
        await self.keeper.moves.flush()

    async def go_on(self) -> None:
        """Let the next thing happen in every call."""
        await self.listen()
        for call_id in list(self.exchange.calls):
            self.exchange.go_on(call_id)
        await self.listen()

    async def over(self) -> None:
        """Let every call come to its end."""
        await self.listen()
        while self.exchange.calls:
            await self.go_on()

    async def rows(self) -> Sequence[DialAttemptRow]:
        """Return every attempt, oldest first."""
        async with self.office.stage.database.session() as session:
            return list(await session.scalars(select(DialAttemptRow).order_by(DialAttemptRow.id)))

    async def give_telephone(self, login: str, number: str | None = OWN) -> None:
        """Write somebody's mobile telephone into the record of the staff."""
        user_id = self.office.who(login).user_id
        async with self.office.stage.database.transaction() as session:
            session.add(
                StaffRow(id=new_ulid(), name=login, role="RCP", phone=number, user_id=user_id, version=1)
            )

    async def set_phone(self, customer_id: str, **changes: Any) -> None:
        """Change every number of a customer."""
        async with self.office.stage.database.transaction() as session:
            mine = CustomerPhone.customer_id == customer_id
            await session.execute(update(CustomerPhone).where(mine).values(**changes))

    async def only_phone(self, customer_id: str, number: str) -> None:
        """Let a customer have this number alone; its last digit says what they do when it rings."""
        async with self.office.stage.database.transaction() as session:
            mine = select(CustomerPhone).where(CustomerPhone.customer_id == customer_id)
            for phone in await session.scalars(mine):
                await session.delete(phone)
            await session.flush()
            session.add(CustomerPhone(customer_id=customer_id, e164=number, kind="mobile"))

    async def open_ticket(self, at: int, status: str) -> str:
        """Open a ticket of ENG whose part stands where a test wants it; return its id."""
        office = self.office
        project = office.projects[at % len(office.projects)]
        view = await office.crm.tickets.tickets.open_from_callback(
            office.who("spc"),
            CallbackSource(
                customer_id=project.customer_id,
                project_id=project.id,
                callback_ref=f"HF{new_ulid()}",
                question_id="YB4",
                question="隐蔽工程的水电施工您满意吗?",
                answer="不满意",
                text="厨房插座位置与图纸不符",
                recording_ref=None,
            ),
            ("ENG",),
            Severity.GENERAL,
        )
        async with office.stage.database.transaction() as session:
            mine = TicketPart.case_id == view.case_id
            await session.execute(update(TicketPart).where(mine).values(status=status))
        return view.case_id
