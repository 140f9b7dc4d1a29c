"""The appraisal that the hand-over waits for; limits of the manager's review and of requests for one's data.

A stored version of a limit set never changes: sets that came with the product get a next one with the new
limits. Sets that somebody loaded stay as they are; the new limits run once they are loaded with them.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime
from kernel.ids import new_ulid

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

REVIEW = (
    "  ES.REVIEW: {name: 升级客诉经理了解情况, clock: SD, amount: 1d, start: submitted, stop: reviewed, "
    "owes: manager}\n"
)
ANSWER = (
    "\n  RQ.ANSWER: {name: 答复个人信息请求, clock: WD, amount: 15d, start: received, stop: answered, "
    "owes: manager}\n"
)
SHIPPED = "huifang"
POLICY = sa.table(
    "limit_policy",
    sa.column("id", sa.String),
    sa.column("set_name", sa.String),
    sa.column("version", sa.Integer),
    sa.column("effective_from", UtcDateTime()),
    sa.column("title", sa.String),
    sa.column("body", sa.Text),
    sa.column("loaded_by", sa.String),
    sa.column("loaded_at", UtcDateTime()),
)
COLUMNS = (
    ("appraised_at", UtcDateTime()),
    ("appraised_by", sa.String(length=80)),
    ("appraisal_points", sa.Integer()),
    ("appraisal_note", sa.String(length=400)),
)


def upgrade() -> None:
    """Bring the schema to this revision."""
    for name, kind in COLUMNS:
        op.add_column("project", sa.Column(name, kind, nullable=True))
    connection, now = op.get_bind(), datetime.now(UTC)
    newest: dict[str, sa.Row[tuple[object, ...]]] = {}
    for row in connection.execute(sa.select(POLICY).order_by(POLICY.c.set_name, POLICY.c.version)):
        newest[row.set_name] = row
    for row in newest.values():
        if row.loaded_by != SHIPPED or "ES.REVIEW" in row.body or "  ES.VISIT:" not in row.body:
            continue
        body = row.body.replace("  ES.VISIT:", REVIEW + "  ES.VISIT:", 1).rstrip("\n") + "\n" + ANSWER
        connection.execute(
            sa.insert(POLICY).values(
                id=new_ulid(),
                set_name=row.set_name,
                version=row.version + 1,
                effective_from=now,
                title=row.title,
                body=body,
                loaded_by=SHIPPED,
                loaded_at=now,
            )
        )


def downgrade() -> None:
    """Take the schema back to the one before; versions of limit sets stay, records may run under them."""
    for name, _ in reversed(COLUMNS):
        op.drop_column("project", name)
