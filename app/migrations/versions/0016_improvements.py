"""Improvement measures with their steps and evidence."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "improvement_measure",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("class_code", sa.Integer(), nullable=True),
        sa.Column("subclass", sa.String(length=24), nullable=True),
        sa.Column("case_id", sa.String(length=26), nullable=True),
        sa.Column("department", sa.String(length=16), nullable=False),
        sa.Column("owner_id", sa.String(length=26), nullable=True),
        sa.Column("owner_name", sa.String(length=80), server_default="", nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("round", sa.Integer(), server_default="1", nullable=False),
        sa.Column("reported_on", sa.Date(), nullable=True),
        sa.Column("reported_by_id", sa.String(length=26), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["service_case.id"], name=op.f("fk_improvement_measure_case_id_service_case")
        ),
        sa.ForeignKeyConstraint(
            ["department"], ["department.code"], name=op.f("fk_improvement_measure_department_department")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_improvement_measure")),
    )
    op.create_index("ix_improvement_measure_case_id", "improvement_measure", ["case_id"], unique=False)
    op.create_index(
        "ix_improvement_measure_department_state",
        "improvement_measure",
        ["department", "state"],
        unique=False,
    )
    op.create_index("ix_improvement_measure_due_on", "improvement_measure", ["due_on", "id"], unique=False)
    op.create_table(
        "improvement_step",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("measure_id", sa.String(length=26), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("step", sa.String(length=16), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["measure_id"],
            ["improvement_measure.id"],
            name=op.f("fk_improvement_step_measure_id_improvement_measure"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_improvement_step")),
    )
    op.create_index("ix_improvement_step_measure_id", "improvement_step", ["measure_id"], unique=False)
    op.create_table(
        "improvement_file",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("measure_id", sa.String(length=26), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("media_type", sa.String(length=20), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("thumb_sha256", sa.String(length=64), nullable=True),
        sa.Column("uploaded_at", UtcDateTime(), nullable=False),
        sa.Column("uploaded_by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["measure_id"],
            ["improvement_measure.id"],
            name=op.f("fk_improvement_file_measure_id_improvement_measure"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_improvement_file")),
    )
    op.create_index("ix_improvement_file_measure_id", "improvement_file", ["measure_id"], unique=False)


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_table("improvement_file")
    op.drop_table("improvement_step")
    op.drop_table("improvement_measure")
