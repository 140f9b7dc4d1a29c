"""Who works in the demo company besides the agents, and all of them as actors of the month's stories."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select, update

from app.demo import company
from crm.people_tables import StaffRow
from crm.tables import Department
from kernel.access import Actor, Role
from kernel.db import Database
from kernel.ids import new_ulid
from kernel.phone import Phone
from web.tables import UserRow


@dataclass(frozen=True, slots=True)
class OfficeUser:
    """Somebody who may sign in and takes no calls."""

    login: str
    name: str
    role: Role
    department: str | None = None


OFFICE = (
    OfficeUser("mengl", "孟岚", Role.MANAGER, "CS"),
    OfficeUser("chenjg", "陈建国", Role.DEPARTMENT_HEAD, "ENG"),
    OfficeUser("linxw", "林晓雯", Role.DEPARTMENT_HEAD, "DES"),
    OfficeUser("wuzq", "吴志强", Role.DEPARTMENT_HEAD, "MAT"),
    OfficeUser("guolh", "郭丽华", Role.DEPARTMENT_HEAD, "STO"),
    OfficeUser("dingdh", "丁大海", Role.CAPTAIN, "CS"),
    OfficeUser("fangz", "方正", Role.GENERAL_MANAGER),
    OfficeUser("dengm", "邓敏", Role.FINANCE, "FIN"),
    OfficeUser("luoq", "罗琴", Role.HR),
)
MOBILES: Mapping[str, tuple[str, str]] = {
    "chenjg": ("DPP", "13900139001"),
    "linxw": ("DPP", "13900139002"),
    "wuzq": ("DPP", "13900139003"),
    "guolh": ("DPP", "13900139004"),
    "dingdh": ("RCP", "13900139005"),
}
"""By login: the code in the register of the staff, and the telephone that rings when they call a customer."""


@dataclass(frozen=True, slots=True)
class Office:
    """The company's people as actors."""

    specialists: tuple[Actor, ...]
    supervisor: Actor
    manager: Actor
    captain: Actor
    general_manager: Actor
    finance: Actor
    hr: Actor
    heads: Mapping[str, Actor]

    def head_of(self, department: str | None) -> Actor | None:
        """Return who signs for a department; ``None`` where nobody can."""
        return self.heads.get(department or "")


async def open_office(database: Database) -> Office:
    """Name the heads of departments by their users, and return everybody.

    Needs the users to be there.
    """
    async with database.transaction() as session:
        rows = (await session.execute(select(UserRow))).scalars().all()
        people = {
            row.login: Actor(
                user_id=row.user_id,
                name=row.display_name,
                role=Role(row.role),
                department=row.department,
                ip="127.0.0.1",
            )
            for row in rows
        }
        heads = {
            user.department: people[user.login]
            for user in OFFICE
            if user.role is Role.DEPARTMENT_HEAD and user.department is not None
        }
        roles = {user.role: people[user.login] for user in OFFICE if user.role is not Role.DEPARTMENT_HEAD}
        captain, manager = roles[Role.CAPTAIN], roles[Role.MANAGER]
        for code, head in {**heads, "CS": manager}.items():
            await session.execute(
                update(Department).where(Department.code == code).values(head_user_id=head.user_id)
            )
        await session.execute(
            update(Department).where(Department.code == "CS").values(deputy_user_id=captain.user_id)
        )
        known = set(await session.scalars(select(StaffRow.user_id)))
        for login, (code, mobile) in MOBILES.items():
            actor = people[login]
            if actor.user_id not in known:
                session.add(
                    StaffRow(
                        id=new_ulid(),
                        name=actor.name,
                        role=code,
                        department_code=actor.department,
                        phone=Phone.parse(mobile).e164,
                        user_id=actor.user_id,
                    )
                )
    return Office(
        specialists=tuple(people[agent.login] for agent in company.AGENTS),
        supervisor=people[company.SUPERVISOR[0]],
        manager=manager,
        captain=captain,
        general_manager=roles[Role.GENERAL_MANAGER],
        finance=roles[Role.FINANCE],
        hr=roles[Role.HR],
        heads={**heads, "CS": captain},
    )
