"""What the doctor asks of the staff: whether the numbers written down are those of their telephones."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.doctor.findings import Finding
from app.doctor.inputs import DoctorInputs
from crm.people_tables import StaffRow
from kernel.db import create_database
from kernel.errors import ConfigurationError
from web.members import UserMembers

NAME = "staff numbers"
SHOWN = 5


async def check_staff(inputs: DoctorInputs) -> Sequence[Finding]:
    """Whether the numbers of staff are those of the telephones; nothing while there is no database."""
    try:
        url = make_url(inputs.database_url)
        if url.get_backend_name() == "sqlite" and not (url.database and Path(url.database).is_file()):
            return []
        database = create_database(inputs.database_url)
    except (ConfigurationError, SQLAlchemyError):
        return []
    try:
        async with asyncio.timeout(inputs.deadline.total_seconds()), database.session() as session:
            return await staff_findings(session)
    except (OSError, SQLAlchemyError, TimeoutError):
        return []  # The check of the database says why.
    finally:
        await database.dispose()


async def staff_findings(session: AsyncSession) -> Sequence[Finding]:
    """Return whose number differs from their telephone's."""
    telephones = await UserMembers().telephones(session)
    staff = (await session.scalars(select(StaffRow).where(StaffRow.active).order_by(StaffRow.name))).all()
    wrong = [
        (row.name, row.agent_no or "-", telephones.of_user.get(row.user_id or ""))
        for row in staff
        if telephones.trouble(row.agent_no, row.user_id) is not None
    ]
    if not wrong:
        counted = sum(row.agent_no is not None for row in staff)
        return [Finding.good(NAME, f"{counted} agree with the telephones")] if counted else []
    shown = ", ".join(
        f"{name} {number} ({f'{now} now' if now else 'not theirs'})" for name, number, now in wrong[:SHOWN]
    )
    more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    said = (
        f"{len(wrong)} of the staff have another number written down than their telephone has: {shown}{more}"
    )
    return [Finding.warning(NAME, said, "correct them at /organisation/staff")]
