"""``huifang notice address``: where a person is reached, set from the command line."""

from sqlalchemy import select

from app.settings import Settings
from app.store import open_store
from crm.journal import Journal
from crm.notices.desk import OutgoingDesk
from crm.notices.domain import Channel
from kernel.access import Actor
from kernel.audit import AuditLog
from kernel.clock import SystemClock
from web.tables import UserRow
from web.users import UnknownUser, tidy_login


async def set_address(settings: Settings, login: str, channel: Channel, address: str) -> str:
    """Store a person's address, or with "" remove it; return what was done.

    Raises:
        UnknownUser: nobody has this login.
        Invalid: the address is none of the channel.
    """
    clock = SystemClock()
    async with open_store(settings) as database:
        async with database.session() as session:
            query = select(UserRow.user_id).where(UserRow.login == tidy_login(login))
            user_id = (await session.execute(query)).scalar_one_or_none()
        if user_id is None:
            raise UnknownUser(f"no user has the login {login[:64]}", field="login")
        desk = OutgoingDesk(database, clock, Journal(AuditLog(database, clock)))
        actor = Actor.system("cli")
        if not address:
            await desk.remove_address(actor, user_id, channel, expected=None)
            return f"{login} has no address for {channel} any more"
        await desk.set_address(actor, user_id, channel, address, expected=None)
        return f"{login} is reached over {channel}"
