"""Customers in both databases: numbers, levels, freezes, refusals, consents."""

from collections.abc import Awaitable, Callable
from datetime import date, time, timedelta

import pytest
from sqlalchemy import select

from crm.domain.customer_rules import BadNumber, PhoneEntry
from crm.domain.freeze import CallbackKind, ContactPurpose, FollowUp, FreezeScope, RefusalSource
from crm.people import CustomerFilter, NewCustomer
from crm.service import CustomerDirectory
from crm.tables import Customer
from kernel.access import Actor, Role
from kernel.audit import AuditLog, AuditRow
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, HuifangError, Invalid, NotFound, StaleVersion
from kernel.ids import new_ulid
from kernel.phone import Phone
from tests.support.people import AGENT, MANAGER, Desk, actor, make_desk

pytestmark = pytest.mark.integration

TODAY = date(2026, 3, 2)


@pytest.fixture
def desk(database: Database, clock: FakeClock) -> Desk:
    return make_desk(database, clock)


class TestWriting:
    async def test_an_agent_writes_a_customer_down(self, desk: Desk) -> None:
        new = NewCustomer(
            name=" 王　建军\n",
            salutation="先生",
            phones=[PhoneEntry(number="138 0013 8001", preferred=True), PhoneEntry(number="010-65551234")],
            preferred_from=time(9),
            preferred_until=time(11, 30),
        )
        made = await desk.people.create(AGENT, new)
        assert (made.name, made.level, made.version) == ("王 建军", "B", 1)
        assert [(phone.number, phone.kind) for phone in made.phones] == [
            ("+8613800138001", "mobile"),
            ("+861065551234", "landline"),
        ]
        assert made.phones[0].masked == "138****8001"
        card = await CustomerDirectory(desk.office.database).card(made.customer_id)
        assert card.phones_masked == ("138****8001", "106***1234")

    @pytest.mark.parametrize(
        ("field", "change"),
        [
            ("name", {"name": " "}),
            ("name", {"name": "王" * 41}),
            ("phones", {"phones": []}),
            ("phones", {"phones": [PhoneEntry(number=f"1380013800{n}") for n in range(6)]}),
            ("phones.0.number", {"phones": [PhoneEntry(number="12")]}),
            ("phones.0.number", {"phones": [PhoneEntry(number="110")]}),
            ("phones.1.number", {"phones": [PhoneEntry(number="13800138001")] * 2}),
            ("phones", {"phones": [PhoneEntry(number=f"1380013800{n}", preferred=True) for n in (1, 2)]}),
            ("salutation", {"salutation": "陛下"}),
            ("preferred_channel", {"preferred_channel": "pigeon"}),
            ("preferred_until", {"preferred_from": time(9)}),
            ("preferred_until", {"preferred_from": time(9), "preferred_until": time(9)}),
            ("store_id", {"store_id": new_ulid()}),
            ("problem_reason", {"problem_reason": "长" * 201}),
        ],
    )
    async def test_what_may_not_be_written(self, desk: Desk, field: str, change: dict[str, object]) -> None:
        given: dict[str, object] = {"name": "王建军", "phones": [PhoneEntry(number="13800138001")]}
        with pytest.raises(Invalid) as caught:
            await desk.people.create(AGENT, NewCustomer(**(given | change)))  # type: ignore[arg-type]
        assert caught.value.field == field
        assert (await desk.people.page(AGENT, CustomerFilter())).items == ()

    async def test_only_the_manager_sets_a_level_and_says_why(self, desk: Desk) -> None:
        made = await desk.customer()
        with pytest.raises(Forbidden):
            await desk.people.set_level(AGENT, made.customer_id, "A", "合同金额", expected=1)
        with pytest.raises(Invalid) as caught:
            await desk.people.set_level(MANAGER, made.customer_id, "A", " ", expected=1)
        assert caught.value.field == "level_reason"
        changed = await desk.people.set_level(MANAGER, made.customer_id, "A", "合同金额达标", expected=1)
        assert (changed.level, changed.level_reason, changed.level_set_by) == ("A", "合同金额达标", "沈静")
        new = NewCustomer(name="李", phones=[PhoneEntry(number="13800138002")], level="A", level_reason="x")
        with pytest.raises(Forbidden):
            await desk.people.create(AGENT, new)

    async def test_two_people_do_not_overwrite_each_other(self, desk: Desk) -> None:
        made = await desk.customer()
        await desk.people.change(AGENT, made.customer_id, {"elder_mode": True}, expected=1)
        with pytest.raises(StaleVersion):
            await desk.people.change(AGENT, made.customer_id, {"name": "王军"}, expected=1)
        found = await desk.people.get(AGENT, made.customer_id)
        assert (found.name, found.elder_mode, found.version) == ("王建军", True, 2)

    async def test_numbers_keep_their_history_of_quality(self, desk: Desk, clock: FakeClock) -> None:
        made = await desk.customer("王建军", "13800138001", "13800138002")
        first, second = made.phones
        entries = [
            PhoneEntry(phone_id=second.phone_id, label="妻子", preferred=True, verified=True),
            PhoneEntry(phone_id=first.phone_id, bad=BadNumber.EMPTY),
        ]
        marked_at = clock.now()
        changed = await desk.people.set_phones(AGENT, made.customer_id, entries, expected=1)
        assert [phone.number for phone in changed.phones] == ["+8613800138002", "+8613800138001"]
        clock.advance(timedelta(days=3))
        again = await desk.people.set_phones(AGENT, made.customer_id, entries, expected=changed.version)
        assert (again.phones[1].bad_since, again.phones[1].bad_reason) == (marked_at, "empty")
        assert (again.phones[0].verified_at, again.phones[0].label) == (marked_at, "妻子")
        with pytest.raises(Invalid) as caught:
            await desk.people.set_phones(
                AGENT, made.customer_id, [PhoneEntry(phone_id=new_ulid())], expected=again.version
            )
        assert caught.value.field == "phones.0.phone_id"

    async def test_the_journal_holds_no_number(self, desk: Desk, database: Database) -> None:
        made = await desk.customer()
        entries = [PhoneEntry(number="13900139000")]
        await desk.people.set_phones(AGENT, made.customer_id, entries, expected=1)
        async with database.session() as session:
            rows = (await session.execute(select(AuditRow))).scalars().all()
        assert [row.action for row in rows] == ["customer_created", "customer_phones"]
        assert "13900139000" not in str([row.detail for row in rows])
        assert (await AuditLog(database, desk.office.clock).verify()).sound

    async def test_lists_filter_and_turn_pages(self, desk: Desk, clock: FakeClock) -> None:
        for n in range(5):
            await desk.customer(f"王{n}", f"1380013800{n}", problem_reason="投诉多次" if n == 2 else None)
            clock.advance(timedelta(minutes=1))
        page = await desk.people.page(AGENT, CustomerFilter(name="王"), limit=2)
        assert [item.name for item in page.items] == ["王4", "王3"]
        rest = await desk.people.page(AGENT, CustomerFilter(name="王"), limit=3, cursor=page.next_cursor)
        assert ([item.name for item in rest.items], rest.next_cursor) == (["王2", "王1", "王0"], None)
        found = await desk.people.page(AGENT, CustomerFilter(problem=True))
        assert [item.name for item in found.items] == ["王2"]
        found = await desk.people.page(AGENT, CustomerFilter(phone=Phone.parse("13800138003")))
        assert [item.phones_masked for item in found.items] == [("138****8003",)]
        assert (await desk.people.page(AGENT, CustomerFilter(name="%"))).items == ()

    async def test_nobody_is_found_under_a_made_up_id(self, desk: Desk) -> None:
        for key in (new_ulid(), "x", "'; --"):
            with pytest.raises(NotFound):
                await desk.people.get(AGENT, key)


class TestFreeze:
    async def test_CB3_a_freeze_holds_its_scope_until_its_day(self, desk: Desk, clock: FakeClock) -> None:
        made = await desk.customer()
        thaw = TODAY + timedelta(days=3)
        view = await desk.freezes.freeze(
            AGENT, made.customer_id, scope="site", reason="协商增项", planned_thaw=thaw, expected=1
        )
        assert view.active
        card = await CustomerDirectory(desk.office.database).card(made.customer_id)
        assert card.frozen_reason == "协商增项"

        async def blocked(scope: FreezeScope) -> bool:
            async with desk.office.database.session() as session:
                return await desk.freezes.blocks(session, made.customer_id, scope) is not None

        assert await blocked(FreezeScope.SITE)
        assert not await blocked(FreezeScope.CASE)
        clock.advance(timedelta(days=3))
        assert not await blocked(FreezeScope.SITE), "the day lifts it, whether or not anything ran"
        assert await desk.freezes.lift_due(Actor.system("timers")) == 1
        assert await desk.freezes.lift_due(Actor.system("timers")) == 0
        card = await CustomerDirectory(desk.office.database).card(made.customer_id)
        assert card.frozen_reason is None
        (waiting,) = (await desk.freezes.page(AGENT, unanswered=True)).items
        with pytest.raises(Invalid) as caught:
            await desk.freezes.answer(AGENT, waiting.freeze_id, FollowUp(needed=True))
        assert caught.value.field == "callback_kind"
        answer = FollowUp(needed=True, kind=CallbackKind.MIDTERM, on=date(2026, 3, 9))
        answered = await desk.freezes.answer(AGENT, waiting.freeze_id, answer)
        assert (answered.callback_kind, answered.answered_by) == (CallbackKind.MIDTERM, "周晓梅")
        assert (await desk.freezes.page(AGENT, unanswered=True)).items == ()

    async def test_CB3_a_thaw_by_hand_asks_whether_a_callback_is_needed(self, desk: Desk) -> None:
        made = await desk.customer()
        frozen = await desk.freezes.freeze(
            AGENT, made.customer_id, scope="all", reason="家事", planned_thaw=None, expected=1
        )
        no = FollowUp(needed=False)
        with pytest.raises(Conflict):
            await desk.freezes.freeze(
                AGENT, made.customer_id, scope="case", reason="再冻", planned_thaw=None, expected=2
            )
        with pytest.raises(Conflict):
            await desk.freezes.answer(AGENT, frozen.freeze_id, no)
        with pytest.raises(Forbidden):
            await desk.freezes.thaw(AGENT, made.customer_id, reason="好了", answer=no, expected=2)
        thawed = await desk.freezes.thaw(MANAGER, made.customer_id, reason="好了", answer=no, expected=2)
        assert (thawed.active, thawed.callback_needed, thawed.thawed_by) == (False, False, "沈静")
        with pytest.raises(Conflict):
            await desk.freezes.thaw(MANAGER, made.customer_id, reason="好了", answer=no, expected=None)

    @pytest.mark.parametrize(
        ("field", "change"),
        [
            ("scope", {"scope": "moon"}),
            ("reason", {"reason": ""}),
            ("planned_thaw", {"planned_thaw": TODAY}),
            ("planned_thaw", {"planned_thaw": TODAY + timedelta(days=800)}),
        ],
    )
    async def test_what_is_no_freeze(self, desk: Desk, field: str, change: dict[str, object]) -> None:
        made = await desk.customer()
        given: dict[str, object] = {"scope": "all", "reason": "家事", "planned_thaw": None, "expected": 1}
        with pytest.raises(Invalid) as caught:
            await desk.freezes.freeze(AGENT, made.customer_id, **(given | change))  # type: ignore[arg-type]
        assert caught.value.field == field


class TestDoNotCall:
    async def allows(self, desk: Desk, number: str | None, customer: str | None, purpose: str) -> str:
        async with desk.office.database.session() as session:
            e164 = Phone.parse(number).e164 if number else None
            found = await desk.do_not_call.allows(session, e164, customer, ContactPurpose(purpose))
        return found.code if found else "yes"

    async def test_each_level_refuses_what_it_says(self, desk: Desk) -> None:
        allowed: dict[int, list[str]] = {}
        for level in (1, 2, 3):
            made = await desk.customer(f"王{level}", f"1380013801{level}")
            await desk.do_not_call.add(
                AGENT, level=level, source="agent", evidence="通话 00:35", customer_id=made.customer_id
            )
            allowed[level] = [
                purpose.value
                for purpose in ContactPurpose
                if await self.allows(desk, None, made.customer_id, purpose.value) == "yes"
            ]
        assert allowed == {1: ["service", "case"], 2: ["survey", "service", "case"], 3: ["case"]}

    async def test_it_holds_by_number_and_by_customer_and_for_later_numbers(self, desk: Desk) -> None:
        made = await desk.customer("王建军", "13800138001")
        wife = await desk.customer("刘敏", "13800138001", "13900139001")
        entry = await desk.do_not_call.add(
            AGENT, level=3, source="key9", evidence="来电按9", customer_id=made.customer_id
        )
        assert await self.allows(desk, "13800138001", None, "survey") == "refused"
        assert await self.allows(desk, "13800138001", wife.customer_id, "survey") == "refused"
        assert await self.allows(desk, "13900139001", wife.customer_id, "survey") == "yes"
        entries = [PhoneEntry(number="13800138001"), PhoneEntry(number="13700137000")]
        await desk.people.set_phones(AGENT, made.customer_id, entries, expected=None)
        assert await self.allows(desk, "13700137000", None, "survey") == "refused"
        newcomer = await desk.customer("王先生", "13700137000")
        card = await CustomerDirectory(desk.office.database).card(newcomer.customer_id)
        assert card.do_not_call, "the number is on the list, whoever is written down with it"
        again = await desk.do_not_call.add(
            AGENT, level=3, source="sms", evidence="T", customer_id=made.customer_id
        )
        assert again.entry_id == entry.entry_id

    async def test_a_refusal_counts_however_it_was_said(self, sqlite: Database, clock: FakeClock) -> None:
        desk = make_desk(sqlite, clock)
        for at, source in enumerate(RefusalSource):
            number = f"1380013802{at}"
            made = await desk.customer(f"王{at}", number)
            await desk.do_not_call.add(
                AGENT, level=1, source=source.value, evidence="原话留存", customer_id=made.customer_id
            )
            (kept,) = (await desk.people.get(AGENT, made.customer_id)).refusals
            assert kept.source is source
            assert await self.allows(desk, number, None, "survey") == "refused"
        with pytest.raises(Invalid) as caught:
            await desk.do_not_call.add(
                AGENT, level=1, source="hearsay", evidence="x", customer_id=made.customer_id
            )
        assert caught.value.field == "source"

    async def test_only_the_customer_takes_it_back(self, desk: Desk) -> None:
        made = await desk.customer()
        entry = await desk.do_not_call.add(
            AGENT, level=1, source="letter", evidence="来信 3 月 1 日", number="13800138001"
        )
        for missing in ("reason", "evidence"):
            given = {"reason": "客户来电要求恢复", "evidence": "通话 01:20"} | {missing: " "}
            with pytest.raises(Invalid) as caught:
                await desk.do_not_call.lift(AGENT, entry.entry_id, **given)
            assert caught.value.field == missing
        assert (await desk.people.get(AGENT, made.customer_id)).refusals != ()
        await desk.do_not_call.lift(AGENT, entry.entry_id, reason="客户要求", evidence="通话 01:20")
        assert (await desk.people.get(AGENT, made.customer_id)).refusals == ()
        assert await self.allows(desk, "13800138001", made.customer_id, "survey") == "yes"
        with pytest.raises(Conflict):
            await desk.do_not_call.lift(AGENT, entry.entry_id, reason="再来", evidence="x")
        (kept,) = await desk.do_not_call.of_customer(AGENT, made.customer_id)
        assert kept.lift_evidence == "通话 01:20"
        card = await CustomerDirectory(desk.office.database).card(made.customer_id)
        assert not card.do_not_call

    async def test_marketing_needs_consent_that_holds(self, desk: Desk) -> None:
        made = await desk.customer()
        assert await self.allows(desk, None, made.customer_id, "marketing_sms") == "no_consent"
        with pytest.raises(Invalid) as caught:
            await desk.consents.give(
                AGENT,
                made.customer_id,
                purpose="marketing_sms",
                basis="contract",
                evidence="合同附件",
                text_version="2026-1",
            )
        assert caught.value.field == "basis"
        given = await desk.consents.give(
            AGENT,
            made.customer_id,
            purpose="marketing_sms",
            basis="consent",
            evidence="通话 00:12",
            text_version="2026-1",
        )
        assert await self.allows(desk, None, made.customer_id, "marketing_sms") == "yes"
        assert await self.allows(desk, None, made.customer_id, "marketing_call") == "no_consent"
        await desk.consents.withdraw(AGENT, given.consent_id, evidence="短信 T")
        assert await self.allows(desk, None, made.customer_id, "marketing_sms") == "no_consent"
        (kept,) = (await desk.people.get(AGENT, made.customer_id)).consents
        assert (kept.withdrawn_evidence, kept.text_version) == ("短信 T", "2026-1")


ALLOWED = {
    "create": {Role.AGENT, Role.SUPERVISOR, Role.MANAGER, Role.ADMINISTRATOR},
    "set_level": {Role.MANAGER, Role.ADMINISTRATOR},
    "get": {Role.AGENT, Role.SUPERVISOR, Role.MANAGER, Role.GENERAL_MANAGER, Role.ADMINISTRATOR},
    "freeze": {Role.AGENT, Role.SUPERVISOR, Role.MANAGER, Role.ADMINISTRATOR},
    "thaw": {Role.MANAGER, Role.ADMINISTRATOR},
    "refuse": {Role.AGENT, Role.SUPERVISOR, Role.MANAGER, Role.ADMINISTRATOR},
    "consent": {Role.AGENT, Role.SUPERVISOR, Role.MANAGER, Role.ADMINISTRATOR},
    "merge": {Role.MANAGER, Role.ADMINISTRATOR},
}


@pytest.mark.parametrize("role", Role)
async def test_the_services_check_the_role_themselves(sqlite: Database, clock: FakeClock, role: Role) -> None:
    desk = make_desk(sqlite, clock)
    made = await desk.customer()
    who = actor(role, department="ENG")
    key = made.customer_id
    work: dict[str, Callable[[], Awaitable[object]]] = {
        "create": lambda: desk.people.create(who, NewCustomer(name="", phones=[])),
        "set_level": lambda: desk.people.set_level(who, key, "", "", expected=None),
        "get": lambda: desk.people.get(who, new_ulid()),
        "freeze": lambda: desk.freezes.freeze(
            who, key, scope="", reason="", planned_thaw=None, expected=None
        ),
        "thaw": lambda: desk.freezes.thaw(who, key, reason="", answer=FollowUp(needed=False), expected=None),
        "refuse": lambda: desk.do_not_call.add(who, level=9, source="", evidence="", customer_id=key),
        "consent": lambda: desk.consents.withdraw(who, key, evidence=""),
        "merge": lambda: desk.merging.merge(who, key, key, reason="", expected=None),
    }
    for name, call in work.items():
        with pytest.raises(HuifangError) as caught:
            await call()
        assert isinstance(caught.value, Forbidden) is (role not in ALLOWED[name]), name
    async with sqlite.session() as session:
        assert (await session.execute(select(Customer.version))).scalars().all() == [1]
