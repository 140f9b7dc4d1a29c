"""How the lines of calls were, as agents' browsers measured it."""

import sqlalchemy as sa
from alembic import op

from kernel.db import Json, UtcDateTime

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "call_quality",
        sa.Column("quality_id", sa.String(length=26), nullable=False),
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("agent_id", sa.String(length=26), nullable=False),
        sa.Column("agent_number", sa.String(length=16), nullable=False),
        sa.Column("stretch", sa.String(length=32), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("poor_seconds", sa.Integer(), nullable=False),
        sa.Column("measures", Json, nullable=False),
        sa.Column("noted_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("quality_id", name=op.f("pk_call_quality")),
        sa.UniqueConstraint(
            "call_id", "agent_id", "stretch", name=op.f("uq_call_quality_call_id_agent_id_stretch")
        ),
    )


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_table("call_quality")
