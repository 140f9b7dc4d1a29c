"""Users as administrators manage them, on both databases: rules, sessions, the audit log, two at once."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select

from kernel.access import Actor, Role
from kernel.audit import AuditRow
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Forbidden, Invalid, StaleVersion
from kernel.ids import new_ulid
from telephony.agent_tables import AgentRow
from tests.support.web import PASSWORD, WebHarness
from web.auth import SignedIn, Visitor, WrongCredentials
from web.tables import UserRow
from web.user_admin import (
    AgentTaken,
    GivenPassword,
    OwnAccount,
    UserAdmin,
    UserFilter,
    UserState,
    UserText,
)
from web.users import LastAdministrator, LoginTaken, UnknownUser

pytestmark = pytest.mark.integration

HERE = Visitor(ip="192.0.2.10", user_agent="Firefox")
WANG = UserText(display_name="王莉", role=Role.AGENT)


class Office:
    """The service, an administrator who uses it, and whom it sent away."""

    def __init__(self, harness: WebHarness, database: Database, clock: FakeClock) -> None:
        self.harness = harness
        self.accounts = harness.accounts
        self.database = database
        self.clock = clock
        self.left: list[str] = []
        self.admin = UserAdmin(database, clock, self.accounts, self._leave)
        self.boss = Actor(user_id="", name="", role=None)

    async def _leave(self, agent_id: str) -> None:
        self.left.append(agent_id)

    async def open(self) -> None:
        self.boss = await self.administrator("boss")

    async def administrator(self, login: str) -> Actor:
        user = await self.accounts.users.create(login=login, password=PASSWORD, role=Role.ADMINISTRATOR)
        return Actor(user_id=user.user_id, name=login, role=Role.ADMINISTRATOR, ip="192.0.2.1")

    async def agent(self, number: str) -> str:
        agent_id = new_ulid()
        async with self.database.transaction() as session:
            row = AgentRow(agent_id=agent_id, number=number, name="王莉", sip_password="x" * 20)
            row.created_at = self.clock.now()
            session.add(row)
        return agent_id

    async def sign_in(self, login: str, password: str) -> SignedIn:
        return await self.accounts.authenticator.sign_in(login, password, visitor=HERE)

    async def made(self, login: str = "wang", text: UserText = WANG) -> GivenPassword:
        return await self.admin.create(self.boss, login, text)

    async def audited(self) -> list[tuple[str, str, dict[str, Any]]]:
        async with self.database.session() as session:
            rows = await session.scalars(select(AuditRow).order_by(AuditRow.seq))
            return [(row.action, row.actor, row.detail) for row in rows]


@pytest.fixture
async def office(database: Database, clock: FakeClock) -> Office:
    found = Office(WebHarness(database, clock), database, clock)
    await found.open()
    return found


async def test_a_new_user_signs_in_once_and_chooses_their_own(office: Office) -> None:
    given = await office.made(" Ｗang ")
    assert (given.user.login, given.user.state, given.user.version) == ("wang", UserState.PASSWORD_DUE, 1)
    first = await office.sign_in("wang", given.password)
    assert first.user.password_due
    current = await office.accounts.sessions.resolve(first.session.secret)
    assert current is not None
    assert current.password_due
    authenticator = office.accounts.authenticator
    own = await authenticator.change_password(current, given.password, "我自己的全新密码", visitor=HERE)
    assert not own.user.password_due
    found = await office.admin.get(office.boss, given.user.user_id)
    assert found.state is UserState.ENABLED
    with pytest.raises(WrongCredentials):
        await office.sign_in("wang", given.password)


async def test_what_was_done_is_audited_without_passwords(office: Office) -> None:
    given = await office.made()
    user_id = given.user.user_id
    await office.admin.change(
        office.boss, user_id, UserText(display_name="王丽", role=Role.SUPERVISOR), expected=1
    )
    second = await office.admin.give_password(office.boss, user_id, expected=2)
    await office.admin.set_active(office.boss, user_id, False, expected=3)
    await office.admin.set_active(office.boss, user_id, True, expected=4)
    await office.admin.end_sessions(office.boss, user_id)
    written = (await office.audited())[1:]
    assert [(action, actor) for action, actor, _ in written] == [
        ("user_created", "boss"),
        ("user_changed", "boss"),
        ("password_reset", "boss"),
        ("user_disabled", "boss"),
        ("user_enabled", "boss"),
        ("user_sessions_ended", "boss"),
    ]
    assert written[1][2] == {
        "login": "wang",
        "before": {"display_name": "王莉", "role": "agent"},
        "after": {"display_name": "王丽", "role": "supervisor"},
    }
    assert (written[3][2]["before"], written[3][2]["after"]) == ({"active": True}, {"active": False})
    everything = str(written)
    assert given.password not in everything
    assert second.password not in everything
    assert (await office.accounts.audit.verify()).broken_at is None


async def test_a_name_belongs_to_one_user_whatever_its_case(office: Office) -> None:
    await office.made("Wang.Li")
    for login in ("wang.li", "WANG.LI", "ＷＡＮＧ.li"):
        with pytest.raises(LoginTaken):
            await office.made(login)


async def test_an_agent_is_one_user_and_of_a_role_that_takes_calls(office: Office) -> None:
    agent_id = await office.agent("8101")
    wang = await office.made("wang", UserText(display_name="王莉", role=Role.AGENT, agent_id=agent_id))
    assert wang.user.agent_number == "8101"
    with pytest.raises(AgentTaken):
        await office.made("li", UserText(display_name="李", role=Role.AGENT, agent_id=agent_id))
    other = await office.made("li")
    with pytest.raises(AgentTaken):
        await office.admin.change(
            office.boss,
            other.user.user_id,
            UserText(display_name="李", role=Role.AGENT, agent_id=agent_id),
            expected=1,
        )
    with pytest.raises(Invalid) as refused:
        await office.made("f", UserText(display_name="财", role=Role.FINANCE, agent_id=agent_id))
    assert refused.value.field in {"login", "agent_id"}


@pytest.mark.parametrize(
    ("text", "field"),
    [
        pytest.param(UserText(display_name=" ", role=Role.AGENT), "display_name", id="no-name"),
        pytest.param(UserText(display_name="a" * 81, role=Role.AGENT), "display_name", id="long-name"),
        pytest.param(UserText(display_name="a\nb", role=Role.AGENT), "display_name", id="two-lines"),
        pytest.param(UserText(display_name="王", role=Role.DEPARTMENT_HEAD), "department", id="none"),
        pytest.param(UserText(display_name="王", role=Role.AGENT, department="XX"), "department", id="odd"),
        pytest.param(UserText(display_name="王", role=Role.AGENT, agent_id="x"), "agent_id", id="agent"),
        pytest.param(
            UserText(display_name="王", role=Role.FINANCE, agent_id="x"), "agent_id", id="takes-no-calls"
        ),
        pytest.param(UserText(display_name="王", role=Role.AGENT, locale="de"), "locale", id="language"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_field(office: Office, text: UserText, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        await office.made("wang", text)
    assert refused.value.field == field


async def test_who_is_disabled_is_out_at_once(office: Office) -> None:
    agent_id = await office.agent("8101")
    given = await office.made("wang", UserText(display_name="王莉", role=Role.AGENT, agent_id=agent_id))
    signed = await office.sign_in("wang", given.password)
    disabled = await office.admin.set_active(office.boss, given.user.user_id, False, expected=1)
    assert disabled.state is UserState.DISABLED
    assert await office.accounts.sessions.resolve(signed.session.secret) is None
    assert office.left == [agent_id]
    with pytest.raises(WrongCredentials):
        await office.sign_in("wang", given.password)
    await office.admin.set_active(office.boss, given.user.user_id, True, expected=2)
    await office.sign_in("wang", given.password)


async def test_another_role_ends_the_sessions_and_another_name_does_not(office: Office) -> None:
    given = await office.made()
    user_id = given.user.user_id
    signed = await office.sign_in("wang", given.password)
    await office.admin.change(
        office.boss, user_id, UserText(display_name="王丽", role=Role.AGENT), expected=1
    )
    assert await office.accounts.sessions.resolve(signed.session.secret) is not None
    await office.admin.change(
        office.boss, user_id, UserText(display_name="王丽", role=Role.SUPERVISOR), expected=2
    )
    assert await office.accounts.sessions.resolve(signed.session.secret) is None


async def test_the_later_of_two_is_told(office: Office) -> None:
    given = await office.made()
    user_id = given.user.user_id
    await office.admin.change(office.boss, user_id, UserText(display_name="甲", role=Role.AGENT), expected=1)
    for act in (
        office.admin.change(office.boss, user_id, WANG, expected=1),
        office.admin.set_active(office.boss, user_id, False, expected=1),
        office.admin.give_password(office.boss, user_id, expected=1),
    ):
        with pytest.raises(StaleVersion):
            await act
    assert (await office.admin.get(office.boss, user_id)).display_name == "甲"


async def test_nobody_takes_away_their_own_rights(office: Office) -> None:
    await office.administrator("second")
    me = office.boss.user_id
    with pytest.raises(OwnAccount):
        await office.admin.set_active(office.boss, me, False, expected=1)
    with pytest.raises(OwnAccount):
        await office.admin.change(
            office.boss, me, UserText(display_name="boss", role=Role.SUPERVISOR), expected=1
        )
    with pytest.raises(OwnAccount):
        await office.admin.give_password(office.boss, me, expected=1)
    named = await office.admin.change(
        office.boss, me, UserText(display_name="老板", role=Role.ADMINISTRATOR), expected=1
    )
    assert named.display_name == "老板"


async def test_two_administrators_who_disable_each_other_leave_one(office: Office) -> None:
    second = await office.administrator("second")
    outcomes = await asyncio.gather(
        office.admin.set_active(office.boss, second.user_id, False, expected=1),
        office.admin.set_active(second, office.boss.user_id, False, expected=1),
        return_exceptions=True,
    )
    assert sorted(isinstance(one, LastAdministrator) for one in outcomes) == [False, True]
    async with office.database.session() as session:
        query = select(func.count()).where(UserRow.role == "administrator", UserRow.active)
        assert await session.scalar(query) == 1


async def test_the_command_line_keeps_an_administrator_too(office: Office) -> None:
    users = office.accounts.users
    with pytest.raises(LastAdministrator):
        await users.change("boss", active=False)
    with pytest.raises(LastAdministrator):
        await users.change("boss", role=Role.AGENT)
    await office.administrator("second")
    assert not (await users.change("boss", active=False)).active


async def test_the_list_is_searched_and_paged(office: Office) -> None:
    agent_id = await office.agent("8101")
    await office.made("wang", UserText(display_name="王莉", role=Role.AGENT, agent_id=agent_id))
    await office.made("li.na", UserText(display_name="李娜", role=Role.SUPERVISOR))
    gone = await office.made("zhao_1", UserText(display_name="赵_一", role=Role.AGENT))
    await office.admin.set_active(office.boss, gone.user.user_id, False, expected=1)

    async def logins(**wanted: Any) -> list[str]:
        page = await office.admin.page(office.boss, UserFilter(**wanted))
        return [user.login for user in page.items]

    assert await logins() == ["boss", "li.na", "wang", "zhao_1"]
    assert await logins(text=" WANG ") == ["wang"]
    assert await logins(text="李") == ["li.na"]
    assert await logins(text="8101") == ["wang"]
    assert await logins(text="_") == ["zhao_1"]
    assert await logins(text="%") == []
    assert await logins(role=Role.SUPERVISOR) == ["li.na"]
    assert await logins(state=UserState.DISABLED) == ["zhao_1"]
    assert await logins(state=UserState.PASSWORD_DUE) == ["li.na", "wang"]
    first = await office.admin.page(office.boss, UserFilter(), limit=3)
    rest = await office.admin.page(office.boss, UserFilter(), limit=3, cursor=first.next_cursor)
    assert [user.login for user in (*first.items, *rest.items)] == ["boss", "li.na", "wang", "zhao_1"]
    with pytest.raises(Invalid):
        await office.admin.page(office.boss, UserFilter(), cursor="nonsense")


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR])
async def test_only_administrators_manage_users(office: Office, role: Role) -> None:
    given = await office.made()
    user_id, other = given.user.user_id, Actor(user_id=new_ulid(), name="x", role=role)
    admin = office.admin
    for act in (
        admin.page(other, UserFilter()),
        admin.get(other, user_id),
        admin.create(other, "li", WANG),
        admin.change(other, user_id, WANG, expected=1),
        admin.set_active(other, user_id, False, expected=1),
        admin.give_password(other, user_id, expected=1),
        admin.end_sessions(other, user_id),
    ):
        with pytest.raises(Forbidden):
            await act


async def test_nobody_is_nobody(office: Office) -> None:
    nobody = new_ulid()
    for act in (
        office.admin.get(office.boss, nobody),
        office.admin.change(office.boss, nobody, WANG, expected=1),
        office.admin.set_active(office.boss, nobody, False, expected=1),
        office.admin.give_password(office.boss, nobody, expected=1),
        office.admin.end_sessions(office.boss, nobody),
    ):
        with pytest.raises(UnknownUser):
            await act
