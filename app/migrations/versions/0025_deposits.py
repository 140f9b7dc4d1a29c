"""Rules for quality deposits, and what they led to."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "deposit_rule",
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("percent", sa.Numeric(precision=5, scale=2), nullable=False),
        sa.Column("cap", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("initial", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("release_months", sa.Integer(), nullable=False),
        sa.Column("floor", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("valid_from", name=op.f("pk_deposit_rule")),
    )
    op.create_table(
        "deposit_share",
        sa.Column("project_id", sa.String(length=26), nullable=False),
        sa.Column("crew_id", sa.String(length=26), nullable=False),
        sa.Column("rule_from", sa.Date(), nullable=False),
        sa.Column("completed_on", sa.Date(), nullable=False),
        sa.Column("withheld", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("withheld_at", UtcDateTime(), nullable=False),
        sa.Column("release_on", sa.Date(), nullable=False),
        sa.Column("released", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("released_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_deposit_share_project_id_project")
        ),
        sa.ForeignKeyConstraint(["crew_id"], ["crew.id"], name=op.f("fk_deposit_share_crew_id_crew")),
        sa.ForeignKeyConstraint(
            ["rule_from"], ["deposit_rule.valid_from"], name=op.f("fk_deposit_share_rule_from_deposit_rule")
        ),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_deposit_share")),
    )
    op.create_index("ix_deposit_share_crew_id", "deposit_share", ["crew_id"], unique=False)
    op.create_index("ix_deposit_share_release_on", "deposit_share", ["release_on"], unique=False)


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_table("deposit_share")
    op.drop_table("deposit_rule")
