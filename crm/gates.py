"""What a project's course waits for outside of the CRM, behind a port (domain.md §1.1).

Who knows the callbacks implements it; without an implementation nothing waits.
"""

from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from crm.tables import Project
from kernel.errors import Conflict

MIDTERM_NOTICE = "midterm_notice"
"""The notice that asks for the mid-term payment 中期款."""
HANDOVER = "handover"
"""The hand-over of the project 项目交付."""


class GateShut(Conflict):
    """The callback that this waits for has no good result; the manager may open the gate, with a reason."""

    code = "gate_shut"


class ProjectGates(Protocol):
    """Says whether a gate of a project is open."""

    async def why_shut(self, session: AsyncSession, project: Project, gate: str) -> str | None:
        """Return what it waits for: ``no_callback`` or ``dissatisfied``; ``None`` if it is open."""
        ...


_REASONS = {
    "no_callback": "the customer was not called back about it yet",
    "dissatisfied": "the customer is dissatisfied, and the problem is not solved",
}


async def check_gate(gates: ProjectGates | None, session: AsyncSession, project: Project, gate: str) -> None:
    """Refuse what waits at a gate that is shut.

    Raises:
        GateShut: says what it waits for; the manager may open it, with a reason.
    """
    why = await gates.why_shut(session, project, gate) if gates is not None else None
    if why is not None:
        raise GateShut(
            f"{_REASONS.get(why, why)}; the manager may decide otherwise", field="gate", gate=gate, why=why
        )
