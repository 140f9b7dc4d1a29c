"""Merging and taking back, against a model that keeps each customer's things in plain sets.

The model: every thing (a number, a project, a call on the time line, a consent, a refusal, a freeze) has an
owner. A merge gives the things of one to the other; an undo gives back those that are still there. A chain of
merges leads old ids to the last customer.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)
from sqlalchemy import select

import app.models  # noqa: F401 - a merge looks at every table
from crm.domain.customer_rules import PhoneEntry
from crm.merging import Merging
from crm.office import current_id
from crm.people_tables import ConsentRow
from crm.tables import Contact, Customer, CustomerPhone, Project
from crm.timeline import Channel, add
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, HuifangError
from kernel.ids import new_ulid
from tests.support.people import MANAGER, Desk, make_desk
from tests.support.state_machines import run_on_sqlite

pytestmark = [pytest.mark.property, pytest.mark.timeout(400)]

PEOPLE = 4
people = st.integers(0, PEOPLE - 1)
numbers = st.integers(0, 6).map(lambda n: f"1380013800{n}")


@dataclass
class World:
    """One database for all examples: each works with customers of its own."""

    loop: asyncio.AbstractEventLoop
    clock: FakeClock
    desk: Desk


class MergeMachine(RuleBasedStateMachine):
    """Real services on SQLite beside the model."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.desk = self.world.clock, self.world.desk
        self.merging: Merging = self.desk.merging
        self.ids: list[str] = []
        self.owner: dict[tuple[str, str], int] = {}
        """Model: project, call, consent → who has it now."""
        self.phones: list[set[str]] = []
        self.into: dict[int, int] = {}
        self.salutation: list[str | None] = []
        self.merges: list[dict[str, Any]] = []
        for n in range(PEOPLE):
            made = self.run(self.desk.customer(f"王{n}号", f"1390013900{n}"))
            self.ids.append(made.customer_id)
            self.phones.append({f"+861390013900{n}"})
            self.salutation.append(None)

    def run(self, work: Any) -> Any:
        return self.world.loop.run_until_complete(work)

    def now_is(self, who: int) -> int:
        while who in self.into:
            who = self.into[who]
        return who

    # Things that customers get

    @rule(who=people)
    def project(self, who: int) -> None:
        contract = new_ulid()
        made = self.run(self.desk.project(self.ids[who], contract))
        self.owner["project", made.project.project_id] = self.now_is(who)

    @rule(who=people, call=st.integers(0, 3))
    def call(self, who: int, call: int) -> None:
        """A call may stand on several time lines: customers shared the number."""
        who, ref = self.now_is(who), f"call-{call}"

        async def work() -> None:
            async with self.desk.office.database.transaction() as session:
                await add(
                    session,
                    self.ids[who],
                    at=self.clock.now(),
                    channel=Channel.CALL,
                    direction="in",
                    ref=ref,
                )

        self.run(work())
        if not self._same_call(ref, who):
            self.owner["call", f"{ref} {new_ulid()}"] = who

    @rule(who=people)
    def consent(self, who: int) -> None:
        try:
            given = self.run(
                self.desk.consents.give(
                    MANAGER,
                    self.ids[who],
                    purpose="recording",
                    basis="consent",
                    evidence="通话",
                    text_version="1",
                )
            )
        except Conflict:
            assert any(kind == "consent" and self.now_is(who) == has for (kind, _), has in self.owner.items())
        else:
            self.owner["consent", given.consent_id] = self.now_is(who)

    @rule(who=people, title=st.sampled_from(["先生", "女士", None]))
    def retitle(self, who: int, title: str | None) -> None:
        self.run(self.desk.people.change(MANAGER, self.ids[who], {"salutation": title}, expected=None))
        self.salutation[self.now_is(who)] = title

    @rule(who=people, number=numbers)
    def another_number(self, who: int, number: str) -> None:
        who = self.now_is(who)
        record = self.run(self.desk.people.get(MANAGER, self.ids[who]))
        entries = [PhoneEntry(phone_id=phone.phone_id) for phone in record.phones]
        e164 = f"+86{number}"
        possible = e164 not in self.phones[who] and len(entries) < 5
        try:
            self.run(
                self.desk.people.set_phones(
                    MANAGER, self.ids[who], [*entries, PhoneEntry(number=number)], expected=None
                )
            )
        except HuifangError:
            assert not possible
        else:
            assert possible
            self.phones[who].add(e164)

    # Merging and taking back

    @rule(kept=people, gone=people)
    def merge(self, kept: int, gone: int) -> None:
        possible = kept != gone and kept not in self.into and gone not in self.into
        self.clock.advance(timedelta(minutes=1))
        work = self.merging.merge(MANAGER, self.ids[kept], self.ids[gone], reason="同一人", expected=None)
        try:
            self.run(work)
        except HuifangError:
            assert not possible
            return
        assert possible
        doubled = {
            key
            for key, has in self.owner.items()
            if has == gone and key[0] == "call" and self._same_call(key[1], kept)
        }
        moved = [key for key, has in self.owner.items() if has == gone and key not in doubled]
        theirs = set(self.phones[gone])
        merge_id = self.run(self.merging.of_customer(MANAGER, self.ids[kept]))[0].merge_id
        filled = self.salutation[gone] if self.salutation[kept] is None else None
        self.merges.append(
            {
                "id": merge_id,
                "kept": kept,
                "gone": gone,
                "moved": moved,
                "phones": theirs,
                "fresh": theirs - self.phones[kept],
                "filled": filled,
            }
        )
        for key in moved:
            self.owner[key] = kept
        self.phones[kept] |= theirs
        self.phones[gone] = set()
        self.salutation[kept] = self.salutation[kept] or filled
        self.into[gone] = kept

    def _same_call(self, name: str, kept: int) -> bool:
        ref = name.split(" ", maxsplit=1)[0]
        return any(
            has == kept and key[0] == "call" and key[1].split(" ")[0] == ref
            for key, has in self.owner.items()
        )

    @precondition(lambda self: self.merges)
    @rule(which=st.integers(0, 9))
    def undo(self, which: int) -> None:
        merge = self.merges[which % len(self.merges)]
        kept, gone = merge["kept"], merge["gone"]
        possible = not merge.get("undone") and kept not in self.into
        try:
            self.run(self.merging.undo(MANAGER, merge["id"], reason="弄错了"))
        except HuifangError:
            assert not possible
            return
        assert possible
        merge["undone"] = True
        for key in merge["moved"]:
            if self.owner[key] == kept:
                self.owner[key] = gone
        self.phones[kept] -= merge["fresh"]
        self.phones[gone] = set(merge["phones"])
        if merge["filled"] is not None and self.salutation[kept] == merge["filled"]:
            self.salutation[kept] = None
        del self.into[gone]

    # What always holds

    @invariant()
    def everything_is_where_the_model_has_it(self) -> None:
        async def read() -> None:
            async with self.desk.office.database.session() as session:
                for who, key in enumerate(self.ids):
                    assert await current_id(session, key) == self.ids[self.now_is(who)]
                rows = await session.execute(
                    select(CustomerPhone.customer_id, CustomerPhone.e164).where(
                        CustomerPhone.customer_id.in_(self.ids)
                    )
                )
                found = {(customer, e164) for customer, e164 in rows}
                assert found == {(self.ids[n], e164) for n, has in enumerate(self.phones) for e164 in has}
                things: dict[tuple[str, str], str] = {}
                for kind, table in (("project", Project), ("consent", ConsentRow)):
                    query = select(table.id, table.customer_id).where(table.customer_id.in_(self.ids))
                    things |= {(kind, row.id): row.customer_id for row in await session.execute(query)}
                wanted = {key: self.ids[n] for key, n in self.owner.items() if key[0] != "call"}
                assert things == wanted
                entries = select(Contact.ref, Contact.customer_id).where(Contact.customer_id.in_(self.ids))
                calls = sorted((ref, str(customer)) for ref, customer in await session.execute(entries))
                assert calls == sorted(
                    (name.split(" ")[0], self.ids[n])
                    for (kind, name), n in self.owner.items()
                    if kind == "call"
                )
                titles = await session.execute(
                    select(Customer.id, Customer.salutation).where(Customer.id.in_(self.ids))
                )
                shown = {key: title for key, title in titles if self.ids.index(key) not in self.into}
                assert shown == {
                    key: self.salutation[n] for n, key in enumerate(self.ids) if n not in self.into
                }

        self.run(read())


def test_merges_move_everything_and_undo_gives_it_back() -> None:
    clock = FakeClock(datetime(2026, 3, 2, tzinfo=UTC))

    def world(loop: asyncio.AbstractEventLoop, database: Database) -> World:
        return World(loop, clock, make_desk(database, clock))

    run_on_sqlite(MergeMachine, world, examples=15, steps=16)
