"""Users, sessions, tokens and the audit log on both databases."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from kernel.audit import GENESIS, AuditRow
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Invalid, NotFound
from tests.support.web import PASSWORD, WebHarness
from web.actions import Action
from web.auth import SignedIn, Visitor, WrongCredentials, WrongOldPassword
from web.passwords import Passwords, WeakPassword
from web.permissions import Role
from web.sessions import devices_in
from web.tables import DeviceRow, SessionRow, TokenRow, UserRow
from web.throttle import SlowDown
from web.tokens import TokenNameTaken
from web.users import LoginTaken, UnknownUser

pytestmark = pytest.mark.integration

HOME = Visitor(ip="192.0.2.10", user_agent="Firefox")
STRANGER = Visitor(ip="203.0.113.66", user_agent="curl")


@pytest.fixture
def harness(database: Database, clock: FakeClock) -> WebHarness:
    return WebHarness(database, clock)


async def actions(harness: WebHarness) -> list[str]:
    return [record.action for record in reversed(await harness.accounts.audit.recent())]


async def count(harness: WebHarness, table: type) -> int:
    async with harness.database.session() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0


async def sign_in(harness: WebHarness, login: str, visitor: Visitor = HOME) -> SignedIn:
    return await harness.accounts.authenticator.sign_in(login, PASSWORD, visitor=visitor)


class TestUsers:
    async def test_create_and_list(self, harness: WebHarness) -> None:
        users = harness.accounts.users
        wang = await users.create(
            login=" Ｗang.Li ", password=PASSWORD, role=Role.AGENT, display_name="王莉", agent_id="a1"
        )
        assert (wang.login, wang.display_name, wang.role, wang.active) == (
            "wang.li",
            "王莉",
            Role.AGENT,
            True,
        )
        await users.create(login="admin", password=PASSWORD, role=Role.ADMINISTRATOR)
        assert [user.login for user in await users.list()] == ["admin", "wang.li"]
        assert await users.get("WANG.LI") == wang
        async with harness.database.session() as session:
            row = await session.get_one(UserRow, wang.user_id)
        assert row.password_hash.startswith("$argon2id$")
        assert await actions(harness) == ["user_created", "user_created"]

    async def test_a_login_and_an_agent_belong_to_one_user(self, harness: WebHarness) -> None:
        users = harness.accounts.users
        await users.create(login="wang", password=PASSWORD, role=Role.AGENT, agent_id="a1")
        with pytest.raises(LoginTaken):
            await users.create(login="WANG", password=PASSWORD, role=Role.AGENT)
        with pytest.raises(LoginTaken):
            await users.create(login="li", password=PASSWORD, role=Role.AGENT, agent_id="a1")
        assert await count(harness, UserRow) == 1
        assert (await harness.accounts.audit.verify()).checked == 1

    @pytest.mark.parametrize("login", ["", "w", "a b", "<b>", "a" * 65, "wang\n", "../wang"])
    async def test_odd_logins_are_refused(self, harness: WebHarness, login: str) -> None:
        if login == "wang\n":  # outer blanks are a slip of the hand
            assert (
                await harness.accounts.users.create(login=login, password=PASSWORD, role=Role.AGENT)
            ).login == "wang"
            return
        with pytest.raises(Invalid) as refused:
            await harness.accounts.users.create(login=login, password=PASSWORD, role=Role.AGENT)
        assert refused.value.field == "login"

    async def test_a_new_password_ends_every_session(self, harness: WebHarness) -> None:
        await harness.user(Role.AGENT)
        before = await sign_in(harness, "agent")
        await harness.accounts.users.set_password("agent", "另一个全新的密码")
        assert await harness.accounts.sessions.resolve(before.session.secret) is None
        assert await count(harness, DeviceRow) == 0
        with pytest.raises(WrongCredentials):
            await sign_in(harness, "agent")
        await harness.accounts.authenticator.sign_in("agent", "另一个全新的密码", visitor=HOME)

    async def test_set_password_refuses(self, harness: WebHarness) -> None:
        with pytest.raises(UnknownUser):
            await harness.accounts.users.set_password("nobody", PASSWORD)
        await harness.user(Role.AGENT)
        with pytest.raises(WeakPassword):
            await harness.accounts.users.set_password("agent", "short")

    async def test_a_new_role_or_deactivation_ends_the_sessions(self, harness: WebHarness) -> None:
        await harness.user(Role.AGENT)
        first = await sign_in(harness, "agent")
        await harness.accounts.users.change("agent", locale="en", display_name="王莉")
        current = await harness.accounts.sessions.resolve(first.session.secret)
        assert current is not None
        assert (current.locale, current.display_name) == ("en", "王莉")
        changed = await harness.accounts.users.change("agent", role=Role.SUPERVISOR)
        assert changed.role is Role.SUPERVISOR
        assert await harness.accounts.sessions.resolve(first.session.secret) is None
        second = await sign_in(harness, "agent")
        await harness.accounts.users.change("agent", active=False)
        assert await harness.accounts.sessions.resolve(second.session.secret) is None
        with pytest.raises(WrongCredentials):
            await sign_in(harness, "agent")
        with pytest.raises(Invalid):
            await harness.accounts.users.change("agent", locale="fr")


class TestSignIn:
    async def test_a_session_knows_its_user(self, harness: WebHarness) -> None:
        await harness.user(Role.AGENT, agent_id="a1")
        signed_in = await sign_in(harness, "AGENT")
        found = await harness.accounts.sessions.resolve(signed_in.session.secret)
        assert found == signed_in.user
        assert found is not None
        assert (found.role, found.agent_id) == (Role.AGENT, "a1")
        async with harness.database.session() as session:
            row = (await session.scalars(select(SessionRow))).one()
        assert row.session_id != signed_in.session.secret
        assert (row.ip, row.user_agent) == ("192.0.2.10", "Firefox")
        assert await actions(harness) == ["user_created", "sign_in"]

    async def test_the_same_answer_for_wrong_password_unknown_and_inactive_users(
        self, harness: WebHarness
    ) -> None:
        await harness.user(Role.AGENT)
        await harness.user(Role.SUPERVISOR)
        await harness.accounts.users.change("supervisor", active=False)
        messages = set()
        for login, password in (("agent", "wrong"), ("nobody", PASSWORD), ("supervisor", PASSWORD), ("", "")):
            with pytest.raises(WrongCredentials) as refused:
                await harness.accounts.authenticator.sign_in(login, password, visitor=HOME)
            messages.add(refused.value.message)
        assert len(messages) == 1
        failures = [r for r in await harness.accounts.audit.recent() if r.action == Action.SIGN_IN_FAILED]
        assert [failure.actor for failure in failures] == ["", "supervisor", "", "agent"]
        assert {failure.ip for failure in failures} == {"192.0.2.10"}

    async def test_signing_in_rotates_the_session(self, harness: WebHarness) -> None:
        await harness.user(Role.AGENT)
        first = await sign_in(harness, "agent")
        again = Visitor(ip=HOME.ip, session_id=first.session.session_id)
        second = await sign_in(harness, "agent", again)
        assert second.session.secret != first.session.secret
        assert await harness.accounts.sessions.resolve(first.session.secret) is None
        assert await harness.accounts.sessions.resolve(second.session.secret) is not None

    async def test_sign_out(self, harness: WebHarness) -> None:
        await harness.user(Role.AGENT)
        signed_in = await sign_in(harness, "agent")
        assert await harness.accounts.sessions.is_open(signed_in.session.session_id)
        await harness.accounts.authenticator.sign_out(signed_in.user, ip=HOME.ip)
        assert await harness.accounts.sessions.resolve(signed_in.session.secret) is None
        assert not await harness.accounts.sessions.is_open(signed_in.session.session_id)
        assert (await actions(harness))[-1] == "sign_out"

    async def test_idle_and_absolute_ends(self, harness: WebHarness, clock: FakeClock) -> None:
        await harness.user(Role.AGENT)
        idle = await sign_in(harness, "agent")
        clock.advance(harness.settings.session_idle)
        assert await harness.accounts.sessions.resolve(idle.session.secret) is None
        assert not await harness.accounts.sessions.is_open(idle.session.session_id)
        busy = await sign_in(harness, "agent")
        step = harness.settings.session_idle / 2
        for _ in range(int(harness.settings.session_absolute / step) - 1):
            clock.advance(step)
            assert await harness.accounts.sessions.resolve(busy.session.secret) is not None
        clock.advance(step)
        assert await harness.accounts.sessions.resolve(busy.session.secret) is None
        await sign_in(harness, "agent")
        assert await count(harness, SessionRow) == 1  # ended ones were cleared away

    @pytest.mark.parametrize("secret", ["", "x", "x" * 5000, "\udcff", "'; DROP TABLE user_session; --"])
    async def test_a_made_up_cookie_opens_nothing(self, harness: WebHarness, secret: str) -> None:
        assert await harness.accounts.sessions.resolve(secret) is None

    async def test_changing_the_own_password(self, harness: WebHarness) -> None:
        await harness.user(Role.AGENT)
        here, elsewhere = await sign_in(harness, "agent"), await sign_in(harness, "agent")
        change = harness.accounts.authenticator.change_password
        with pytest.raises(WrongOldPassword) as refused:
            await change(here.user, "wrong", "另一个全新的密码", visitor=HOME)
        assert refused.value.field == "old_password"
        with pytest.raises(WeakPassword):
            await change(here.user, PASSWORD, "short", visitor=HOME)
        assert await harness.accounts.sessions.resolve(here.session.secret) is not None
        renewed = await change(here.user, PASSWORD, "另一个全新的密码", visitor=HOME)
        for ended in (here, elsewhere):
            assert await harness.accounts.sessions.resolve(ended.session.secret) is None
        assert await harness.accounts.sessions.resolve(renewed.session.secret) is not None
        assert (await actions(harness))[-1] == "password_changed"

    async def test_an_old_hash_is_renewed(self, harness: WebHarness) -> None:
        await harness.user(Role.AGENT)
        weak = await Passwords(time_cost=1, memory_kib=16).hash(PASSWORD)
        async with harness.database.transaction() as session:
            row = (await session.scalars(select(UserRow))).one()
            row.password_hash = weak
        await sign_in(harness, "agent")
        async with harness.database.session() as session:
            row = (await session.scalars(select(UserRow))).one()
        assert "m=8," in row.password_hash
        await sign_in(harness, "agent")


class TestThrottling:
    async def knock(self, harness: WebHarness, clock: FakeClock) -> None:
        """A stranger tries passwords for half an hour, as fast as they are allowed to."""
        for _ in range(60):
            try:
                await harness.accounts.authenticator.sign_in("agent", "guess", visitor=STRANGER)
            except WrongCredentials:
                continue
            except SlowDown as pause:
                clock.advance(min(pause.retry_after, timedelta(minutes=1)))

    async def until_refused(self, harness: WebHarness, visitor: Visitor) -> int:
        """Try passwords until a pause is asked for; return how many were looked at."""
        for tried in range(100):
            try:
                await harness.accounts.authenticator.sign_in("agent", "guess", visitor=visitor)
            except SlowDown:
                return tried
            except WrongCredentials:
                continue
        raise AssertionError("never refused")

    async def test_guessing_becomes_slow(self, harness: WebHarness, clock: FakeClock) -> None:
        await harness.user(Role.AGENT)
        began = clock.now()
        await self.knock(harness, clock)
        assert clock.now() - began > timedelta(minutes=20)
        failures = [a for a in await actions(harness) if a == "sign_in_failed"]
        assert len(failures) < 40  # what was refused is not written down

    async def test_an_agent_gets_in_from_their_own_browser_during_an_attack(
        self, harness: WebHarness, clock: FakeClock
    ) -> None:
        await harness.user(Role.AGENT)
        usual = await sign_in(harness, "agent")
        await self.knock(harness, clock)
        await self.until_refused(harness, STRANGER)
        with pytest.raises(SlowDown):  # even the right password, from an unknown browser
            await sign_in(harness, "agent")
        mine = Visitor(ip=HOME.ip, device_cookie=usual.device_cookie)
        assert (await sign_in(harness, "agent", mine)).user.login == "agent"

    async def test_a_stolen_device_is_slowed_down_as_well(self, harness: WebHarness) -> None:
        await harness.user(Role.AGENT)
        usual = await sign_in(harness, "agent")
        thief = Visitor(ip=STRANGER.ip, device_cookie=usual.device_cookie)
        assert await self.until_refused(harness, thief) == 6

    async def test_a_device_helps_its_own_user_only(self, harness: WebHarness) -> None:
        await harness.user(Role.AGENT)
        await harness.user(Role.SUPERVISOR)
        mine = await sign_in(harness, "supervisor")
        sessions = harness.accounts.sessions
        assert await sessions.known_device(mine.device_cookie, mine.user.user_id) is not None
        other = await harness.accounts.users.get("agent")
        assert await sessions.known_device(mine.device_cookie, other.user_id) is None

    async def test_a_shared_desk_remembers_each_shift(self, harness: WebHarness) -> None:
        cookie = ""
        logins = [await harness.user(Role.AGENT, login=f"agent{n}") for n in range(9)]
        for login in logins:
            signed_in = await sign_in(harness, login, Visitor(ip=HOME.ip, device_cookie=cookie))
            cookie = signed_in.device_cookie
        assert len(devices_in(cookie)) == 8
        again = await sign_in(harness, logins[-1], Visitor(ip=HOME.ip, device_cookie=cookie))
        assert again.device_cookie == cookie
        assert await count(harness, DeviceRow) == 9

    async def test_a_burst_in_parallel_gains_nothing(self, harness: WebHarness) -> None:
        await harness.user(Role.AGENT)

        async def attempt() -> type[BaseException] | None:
            try:
                await harness.accounts.authenticator.sign_in("agent", "guess", visitor=STRANGER)
            except (SlowDown, WrongCredentials) as error:
                return type(error)
            return None

        outcomes = await asyncio.gather(*(attempt() for _ in range(20)))
        assert outcomes.count(WrongCredentials) == 6  # five free ones and the one that begins the pause
        assert outcomes.count(SlowDown) == 14


class TestTokens:
    async def test_a_token_is_shown_once_and_works(self, harness: WebHarness, clock: FakeClock) -> None:
        tokens = harness.accounts.tokens
        issued = await tokens.create("报表", Role.SUPERVISOR)
        assert issued.plaintext.startswith("hf_")
        caller = await tokens.resolve(issued.plaintext)
        assert caller is not None
        assert (caller.login, caller.role, caller.agent_id) == ("token:报表", Role.SUPERVISOR, None)
        async with harness.database.session() as session:
            row = (await session.scalars(select(TokenRow))).one()
        assert issued.plaintext not in str(vars(row))
        (listed,) = await tokens.list()
        assert (listed.name, listed.last_used_at) == ("报表", clock.now())
        assert await actions(harness) == ["token_created"]

    async def test_a_token_of_a_departments_role_sees_that_department(self, harness: WebHarness) -> None:
        tokens = harness.accounts.tokens
        with pytest.raises(Invalid) as refused:
            await tokens.create("验收", Role.DEPARTMENT_HEAD)
        assert refused.value.field == "department"
        issued = await tokens.create("验收", Role.DEPARTMENT_HEAD, department="ENG")
        caller = await tokens.resolve(issued.plaintext)
        assert caller is not None and caller.department == "ENG"
        assert [token.department for token in await tokens.list()] == ["ENG"]

    async def test_expiry_and_revocation(self, harness: WebHarness, clock: FakeClock) -> None:
        tokens = harness.accounts.tokens
        short = await tokens.create("short", Role.AGENT, timedelta(days=1))
        lasting = await tokens.create("lasting", Role.AGENT)
        clock.advance(timedelta(days=1))
        assert await tokens.resolve(short.plaintext) is None
        assert await tokens.resolve(lasting.plaintext) is not None
        await tokens.revoke("lasting")
        await tokens.revoke("lasting")
        assert await tokens.resolve(lasting.plaintext) is None
        assert await actions(harness) == ["token_created", "token_created", "token_revoked"]
        with pytest.raises(NotFound):
            await tokens.revoke("nobody's")

    @pytest.mark.parametrize("token", ["", "hf_", "hf_" + "x" * 43, "x" * 43, "hf_" + "x" * 10_000])
    async def test_made_up_tokens(self, harness: WebHarness, token: str) -> None:
        await harness.accounts.tokens.create("real", Role.AGENT)
        assert await harness.accounts.tokens.resolve(token) is None

    async def test_bad_input(self, harness: WebHarness) -> None:
        tokens = harness.accounts.tokens
        await tokens.create("real", Role.AGENT)
        with pytest.raises(TokenNameTaken):
            await tokens.create(" real ", Role.AGENT)
        for name in ("", " ", "a\nb", "x" * 81):
            with pytest.raises(Invalid):
                await tokens.create(name, Role.AGENT)
        with pytest.raises(Invalid):
            await tokens.create("late", Role.AGENT, timedelta(0))


class TestAudit:
    async def write(self, harness: WebHarness, how_many: int = 5) -> None:
        for n in range(how_many):
            await harness.accounts.audit.record(
                Action.PHONES_SHOWN,
                actor="主管",
                ip="192.0.2.1",
                entity="call",
                entity_id=str(n),
                detail={"n": n},
            )

    async def tamper(self, harness: WebHarness, statement: str) -> None:
        """Change the table the way somebody with the database's password could."""
        async with harness.database.transaction() as session:
            if harness.database.dialect_name == "sqlite":
                await session.execute(text("DROP TRIGGER audit_record_no_update"))
                await session.execute(text("DROP TRIGGER audit_record_no_delete"))
            else:
                await session.execute(text("DROP TRIGGER audit_record_no_change ON audit_record"))
            await session.execute(text(statement))

    async def test_an_untouched_log_is_sound(self, harness: WebHarness) -> None:
        empty = await harness.accounts.audit.verify()
        assert (empty.sound, empty.checked, empty.head) == (True, 0, GENESIS)
        await self.write(harness, 1200)
        verdict = await harness.accounts.audit.verify()
        assert (verdict.sound, verdict.checked) == (True, 1200)
        newest = (await harness.accounts.audit.recent(limit=1))[0]
        assert verdict.head == newest.hash
        older = await harness.accounts.audit.recent(limit=2, before=newest.seq)
        assert [record.seq for record in older] == [1199, 1198]

    @pytest.mark.parametrize(
        ("statement", "place"),
        [
            ("UPDATE audit_record SET actor = 'somebody else' WHERE seq = 3", 3),
            ("UPDATE audit_record SET detail = '{}' WHERE seq = 2", 2),
            ("DELETE FROM audit_record WHERE seq = 3", 4),
            ("DELETE FROM audit_record WHERE seq = 1", 2),
            ("UPDATE audit_record SET hash = prev_hash WHERE seq = 5", 5),
        ],
    )
    async def test_a_change_behind_our_back_is_found(
        self, harness: WebHarness, statement: str, place: int
    ) -> None:
        await self.write(harness)
        await self.tamper(harness, statement)
        verdict = await harness.accounts.audit.verify()
        assert not verdict.sound
        assert verdict.broken_at == place
        assert verdict.reason

    @pytest.mark.parametrize(
        "statement", ["UPDATE audit_record SET actor = 'x' WHERE seq = 1", "DELETE FROM audit_record"]
    )
    async def test_the_database_refuses_changes(self, harness: WebHarness, statement: str) -> None:
        await self.write(harness)
        with pytest.raises(DBAPIError, match="append-only"):
            async with harness.database.transaction() as session:
                await session.execute(text(statement))
        assert (await harness.accounts.audit.verify()).checked == 5

    async def test_writers_at_once_make_one_chain(self, harness: WebHarness) -> None:
        await asyncio.gather(*(self.write(harness, 5) for _ in range(8)))
        verdict = await harness.accounts.audit.verify()
        assert (verdict.sound, verdict.checked) == (True, 40)

    async def test_a_record_of_a_failed_transaction_is_gone(self, harness: WebHarness) -> None:
        await self.write(harness, 1)

        async def change_of_mind() -> None:
            async with harness.database.transaction() as session:
                await harness.accounts.audit.record(Action.SIGN_OUT, actor="x", session=session)
                raise RuntimeError("never mind")

        with pytest.raises(RuntimeError, match="never mind"):
            await change_of_mind()
        await self.write(harness, 1)
        assert (await harness.accounts.audit.verify()).checked == 2
        assert await count(harness, AuditRow) == 2
