"""The do-not-call list against a model of plain sets: who refused what, for whom and for which numbers.

The model: an entry holds for its customer and for a set of numbers, whoever has them; a customer's entry
also takes in each number that the customer gets later. Contact is refused while any entry in force names the
number or the customer at a level that stands against the purpose; marketing needs a consent besides. Nothing
but a lift with reason and proof ends an entry, and only once.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import app.models  # noqa: F401 - every table
from crm.do_not_call import RefusalFilter
from crm.domain.customer_rules import PhoneEntry
from crm.domain.freeze import ContactPurpose
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Invalid
from tests.support.people import AGENT, MANAGER, Desk, make_desk
from tests.support.state_machines import run_on_sqlite

pytestmark = [pytest.mark.property, pytest.mark.timeout(400)]

PEOPLE = 3
NUMBERS = 5
people = st.integers(0, PEOPLE - 1)
numbers = st.integers(0, NUMBERS - 1)
levels = st.integers(1, 3)
AGAINST = {
    1: {ContactPurpose.SURVEY},
    2: {ContactPurpose.MARKETING_CALL, ContactPurpose.MARKETING_SMS},
    3: set(ContactPurpose) - {ContactPurpose.CASE},
}
"""What each level stands against: the model's own table (domain.md §6.4)."""
MARKETING = {ContactPurpose.MARKETING_CALL: "marketing_call", ContactPurpose.MARKETING_SMS: "marketing_sms"}


@dataclass
class World:
    """One database for all examples: each works with customers and numbers of its own."""

    loop: asyncio.AbstractEventLoop
    clock: FakeClock
    desk: Desk
    examples: int = 0


@dataclass
class Entry:
    """What the model knows of an entry."""

    level: int
    who: int | None
    listed: set[str]
    lifted: bool = False


class DoNotCallMachine(RuleBasedStateMachine):
    """Real services on SQLite beside the model."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.desk = self.world.desk
        self.world.examples += 1
        self.all_numbers = [f"+86139{self.world.examples:04}{n:04}" for n in range(NUMBERS)]
        self.has: list[set[str]] = []
        self.consents: set[tuple[int, str]] = set()
        self.entries: dict[str, Entry] = {}
        self.ids: list[str] = []
        for n in range(PEOPLE):
            made = self.run(self.desk.customer(f"拒{n}", self.all_numbers[n]))
            self.ids.append(made.customer_id)
            self.has.append({self.all_numbers[n]})

    def run(self, work: Any) -> Any:
        return self.world.loop.run_until_complete(work)

    # What people do

    @rule(who=people, level=levels)
    def customer_refuses(self, who: int, level: int) -> None:
        self._refuse(level, who, None)

    @rule(number=numbers, level=levels)
    def number_is_listed(self, number: int, level: int) -> None:
        self._refuse(level, None, self.all_numbers[number])

    @rule(who=people, number=numbers, level=levels)
    def customer_refuses_for_a_number_besides(self, who: int, number: int, level: int) -> None:
        self._refuse(level, who, self.all_numbers[number])

    def _refuse(self, level: int, who: int | None, number: str | None) -> None:
        listed = ({number} if number else set()) | (self.has[who] if who is not None else set())
        view = self.run(
            self.desk.do_not_call.add(
                AGENT,
                level=level,
                source="agent",
                evidence="通话 00:35",
                customer_id=None if who is None else self.ids[who],
                number=number,
            )
        )
        known = self.entries.get(view.entry_id)
        if known is None:
            assert not self._in_force(level, who, listed), "the same refusal is one entry"
            self.entries[view.entry_id] = Entry(level, who, listed)
        else:
            assert view.entry_id in self._in_force(level, who, listed)
            known.listed |= listed
        assert set(view.numbers) == self.entries[view.entry_id].listed

    def _in_force(self, level: int, who: int | None, listed: set[str]) -> set[str]:
        return {
            key
            for key, item in self.entries.items()
            if not item.lifted
            and item.level == level
            and item.who == who
            and (who is not None or item.listed & listed)
        }

    @rule(proof=st.sampled_from(["通话 01:02", " "]), data=st.data())
    def lift(self, proof: str, data: st.DataObject) -> None:
        if not self.entries:
            return
        key = data.draw(st.sampled_from(sorted(self.entries)))
        known = self.entries[key]
        try:
            self.run(self.desk.do_not_call.lift(AGENT, key, reason="客户要求", evidence=proof))
        except Invalid:
            assert not proof.strip()
        except Conflict:
            assert known.lifted
        else:
            assert proof.strip() and not known.lifted
            known.lifted = True

    @rule(who=people, wanted=st.sets(numbers, min_size=1, max_size=4))
    def numbers_change(self, who: int, wanted: set[int]) -> None:
        """Numbers come, go, and are shared: a family, or a new owner."""
        listed = {self.all_numbers[n] for n in wanted}
        entries = [PhoneEntry(number=number) for number in sorted(listed)]
        self.run(self.desk.people.set_phones(AGENT, self.ids[who], entries, expected=None))
        self.has[who] = listed
        for item in self.entries.values():
            if item.who == who and not item.lifted:
                item.listed |= listed

    @rule(who=people, purpose=st.sampled_from(["marketing_call", "marketing_sms"]))
    def consents_to_marketing(self, who: int, purpose: str) -> None:
        given = self.desk.consents.give(
            AGENT, self.ids[who], purpose=purpose, basis="consent", evidence="签字", text_version="1"
        )
        try:
            self.run(given)
        except Conflict:
            assert (who, purpose) in self.consents
        else:
            assert (who, purpose) not in self.consents
            self.consents.add((who, purpose))

    # What must be so at any time

    def refused(self, number: str | None, who: int | None, purpose: ContactPurpose) -> str:
        for item in self.entries.values():
            mine = (who is not None and item.who == who) or (number is not None and number in item.listed)
            if mine and not item.lifted and purpose in AGAINST[item.level]:
                return "refused"
        if purpose in MARKETING and (who is None or (who, MARKETING[purpose]) not in self.consents):
            return "no_consent"
        return ""

    @invariant()
    def what_is_allowed_is_what_the_model_allows(self) -> None:
        async def read() -> None:
            survey, marketing = ContactPurpose.SURVEY, ContactPurpose.MARKETING_CALL
            asked: list[tuple[str | None, int | None, ContactPurpose]] = []
            asked += [(number, None, survey) for number in self.all_numbers]
            asked += [(None, who, survey) for who in range(PEOPLE)]
            asked += [(min(self.has[who]), who, marketing) for who in range(PEOPLE)]
            asked += [(self.all_numbers[0], 0, ContactPurpose.CASE)]
            async with self.desk.office.database.session() as session:
                for number, who, purpose in asked:
                    customer_id = None if who is None else self.ids[who]
                    found = await self.desk.do_not_call.allows(session, number, customer_id, purpose)
                    assert (found.code if found else "") == self.refused(number, who, purpose)
            for who, key in enumerate(self.ids):
                marked = any(
                    not item.lifted and (item.who == who or item.listed & self.has[who])
                    for item in self.entries.values()
                )
                card = await self.desk.people.get(MANAGER, key)
                assert bool(card.refusals) is marked
            listed = await self.desk.do_not_call.page(MANAGER, RefusalFilter(), limit=200)
            mine = {item.entry.entry_id for item in listed.items} & set(self.entries)
            assert mine == {key for key, item in self.entries.items() if not item.lifted}

        self.run(read())

    def teardown(self) -> None:
        """The list is paged: other examples must find theirs on the first page."""
        for key, item in self.entries.items():
            if not item.lifted:
                self.run(self.desk.do_not_call.lift(MANAGER, key, reason="完", evidence="完"))


def test_nobody_is_called_who_refused() -> None:
    clock = FakeClock(datetime(2026, 3, 2, tzinfo=UTC))

    def world(loop: asyncio.AbstractEventLoop, database: Database) -> World:
        return World(loop, clock, make_desk(database, clock))

    run_on_sqlite(DoNotCallMachine, world, examples=20, steps=12)
