"""Visits, trainings and audits of repair points."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "repair_point_visit",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("point_id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("planned_on", sa.Date(), nullable=False),
        sa.Column("topic", sa.String(length=200), nullable=False),
        sa.Column("planned_at", UtcDateTime(), nullable=False),
        sa.Column("planned_by", sa.String(length=80), nullable=False),
        sa.Column("done_on", sa.Date(), nullable=True),
        sa.Column("result", sa.Text(), server_default="", nullable=False),
        sa.Column("sound", sa.Boolean(), nullable=True),
        sa.Column("done_by", sa.String(length=80), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["point_id"], ["repair_point.id"], name=op.f("fk_repair_point_visit_point_id_repair_point")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repair_point_visit")),
    )
    op.create_index(
        "ix_repair_point_visit_point_id", "repair_point_visit", ["point_id", "planned_on"], unique=False
    )


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_index("ix_repair_point_visit_point_id", table_name="repair_point_visit")
    op.drop_table("repair_point_visit")
