"""Service hours that are set in the browser, with their versions."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0089"
down_revision = "0088"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "service_hours",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("spans", sa.String(length=120), nullable=False),
        sa.Column("days", sa.String(length=7), nullable=False),
        sa.Column("closing", sa.String(length=12), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_service_hours")),
    )


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_table("service_hours")
