"""Search in what was said: its index, and which calls are to be read for it. Those there are, all are."""

import sqlalchemy as sa
from alembic import op

from crm.said_tables import SAID_FTS, SAID_FTS_DOWN
from kernel.db import UtcDateTime

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "said_call",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("marks", sa.String(length=400), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_said_call")),
        sa.UniqueConstraint("call_id", name=op.f("uq_said_call_call_id")),
    )
    op.create_table(
        "said_job",
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_said_job")),
    )
    op.create_index(op.f("ix_said_job_due_at"), "said_job", ["due_at"])
    for statement in SAID_FTS[op.get_bind().dialect.name]:
        op.execute(statement)
    op.execute(
        "INSERT INTO said_job (call_id, due_at, tries) "
        "SELECT call_id, min(created_at), 0 FROM transcript_segment GROUP BY call_id"
    )


def downgrade() -> None:
    """Take the schema back to the one before."""
    for statement in SAID_FTS_DOWN[op.get_bind().dialect.name]:
        op.execute(statement)
    op.drop_table("said_job")
    op.drop_table("said_call")
