"""What the people with a telephone can do: kept by whoever directs them, followed by routing at once."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select

from crm.domain.staff import skill_words
from crm.office import Office
from crm.people_tables import StaffRow
from kernel.access import Actor, Permission
from kernel.errors import Conflict, NotFound

MOST_PEOPLE = 2000


class SkillsChanged(Conflict):
    """The skills are not those that whoever acts has seen."""

    code = "skills_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Skilled:
    """Somebody with a telephone, and what they can do."""

    staff_id: str
    agent_no: str
    name: str
    skills: tuple[str, ...]


class Skills:
    """Use cases of supervisors. Safe to use from many tasks and processes."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def everybody(self, actor: Actor) -> tuple[Skilled, ...]:
        """Return who has a telephone, by its number. Raises Forbidden."""
        actor.need(Permission.AGENTS_DIRECT)
        query = (
            select(StaffRow)
            .where(StaffRow.active, StaffRow.agent_no.is_not(None))
            .order_by(StaffRow.agent_no)
            .limit(MOST_PEOPLE)
        )
        async with self._office.database.session() as session:
            return tuple(map(_view, await session.scalars(query)))

    async def put(
        self, actor: Actor, agent_no: str, skills: Collection[str], *, before: Collection[str]
    ) -> Skilled:
        """Say what somebody can do; their next caller is routed by it.

        Args:
            before: as whoever changes it saw it.

        Raises:
            Forbidden: the role may not direct agents.
            NotFound: nobody on the staff has this telephone.
            Invalid: too many skills, or one that is no word.
            SkillsChanged: somebody else changed them meanwhile.
        """
        actor.need(Permission.AGENTS_DIRECT)
        wanted = skill_words(skills)
        query = (
            select(StaffRow)
            .where(StaffRow.active, StaffRow.agent_no == agent_no[:16])
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        async with self._office.database.transaction() as session:
            row = await session.scalar(query)
            if row is None:
                raise NotFound("nobody on the staff has this telephone", field="agent_no")
            was = tuple(row.skills or ())
            if set(was) != set(before):
                raise SkillsChanged("the skills were changed meanwhile; look again", field="before")
            if was != wanted:
                row.skills = list(wanted)
                await session.flush()
                await self._office.journal.note(
                    session,
                    actor,
                    "staff_skills",
                    entity="staff",
                    entity_id=row.id,
                    before={"skills": list(was)},
                    after={"skills": list(wanted)},
                )
            return _view(row)


def _view(row: StaffRow) -> Skilled:
    return Skilled(
        staff_id=row.id, agent_no=row.agent_no or "", name=row.name, skills=tuple(row.skills or ())
    )
