"""What is to be told at once is versioned configuration; complaints that come in a heap are kept as one."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "alert_rule",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("valid_from", UtcDateTime(), nullable=False),
        sa.Column("words", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("clusters", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("why", sa.String(200), server_default="", nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(80), nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_alert_rule"),
    )
    op.create_table(
        "cause_cluster_head",
        sa.Column("key", sa.String(120), nullable=False),
        sa.Column("cluster_id", sa.String(26), nullable=True),
        sa.PrimaryKeyConstraint("key", name="pk_cause_cluster_head"),
    )
    op.create_table(
        "cause_cluster",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("key", sa.String(120), nullable=False),
        sa.Column("subject_kind", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("class_code", sa.Integer(), nullable=True),
        sa.Column("subclass", sa.String(24), nullable=True),
        sa.Column("needed", sa.Integer(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("cases", sa.Integer(), nullable=False),
        sa.Column("told_at", UtcDateTime(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=True),
        sa.Column("seen_by", sa.String(80), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cause_cluster"),
    )
    op.create_index("ix_cause_cluster_last_at", "cause_cluster", ["last_at", "id"])
    op.create_table(
        "cause_cluster_case",
        sa.Column("cluster_id", sa.String(26), nullable=False),
        sa.Column("case_id", sa.String(26), nullable=False),
        sa.Column("added_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["cause_cluster.id"], name="fk_cause_cluster_case_cluster_id_cause_cluster"
        ),
        sa.ForeignKeyConstraint(
            ["case_id"], ["service_case.id"], name="fk_cause_cluster_case_case_id_service_case"
        ),
        sa.PrimaryKeyConstraint("cluster_id", "case_id", name="pk_cause_cluster_case"),
    )
    op.create_index("ix_cause_cluster_case_case_id", "cause_cluster_case", ["case_id"])


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_table("cause_cluster_case")
    op.drop_table("cause_cluster")
    op.drop_table("cause_cluster_head")
    op.drop_table("alert_rule")
