"""Repair points: files of their agreements, and which repairs they have."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "repair_point_file",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("point_id", sa.String(length=26), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("media_type", sa.String(length=20), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("thumb_sha256", sa.String(length=64), nullable=True),
        sa.Column("uploaded_at", UtcDateTime(), nullable=False),
        sa.Column("uploaded_by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["point_id"], ["repair_point.id"], name=op.f("fk_repair_point_file_point_id_repair_point")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repair_point_file")),
    )
    op.create_index("ix_repair_point_file_point_id", "repair_point_file", ["point_id"], unique=False)
    op.create_table(
        "repair_point_job",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("case_id", sa.String(length=26), nullable=False),
        sa.Column("point_id", sa.String(length=26), nullable=False),
        sa.Column("open_key", sa.String(length=26), nullable=True),
        sa.Column("given_at", UtcDateTime(), nullable=False),
        sa.Column("given_by", sa.String(length=80), nullable=False),
        sa.Column("note", sa.String(length=200), server_default="", nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ended_by", sa.String(length=80), nullable=True),
        sa.Column("ended_how", sa.String(length=12), nullable=True),
        sa.Column("end_reason", sa.String(length=200), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["repair_order.case_id"], name=op.f("fk_repair_point_job_case_id_repair_order")
        ),
        sa.ForeignKeyConstraint(
            ["point_id"], ["repair_point.id"], name=op.f("fk_repair_point_job_point_id_repair_point")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repair_point_job")),
        sa.UniqueConstraint("open_key", name=op.f("uq_repair_point_job_open_key")),
    )
    op.create_index("ix_repair_point_job_case_id", "repair_point_job", ["case_id"], unique=False)
    op.create_index(
        "ix_repair_point_job_point_id", "repair_point_job", ["point_id", "given_at"], unique=False
    )


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_table("repair_point_job")
    op.drop_table("repair_point_file")
