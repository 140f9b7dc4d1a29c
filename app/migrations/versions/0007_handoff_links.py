"""Links that show a hand-off without signing in; an index for the list of flagged customers."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "handoff_link",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("handoff_id", sa.String(length=26), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("made_by", sa.String(length=80), nullable=False),
        sa.Column("made_by_id", sa.String(length=26), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_by", sa.String(length=80), nullable=True),
        sa.Column("opened", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_opened_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["handoff_id"], ["case_handoff.id"], name=op.f("fk_handoff_link_handoff_id_case_handoff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handoff_link")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_handoff_link_token_hash")),
    )
    op.create_index(op.f("ix_handoff_link_handoff_id"), "handoff_link", ["handoff_id"])
    op.create_index(
        "ix_customer_problem",
        "customer",
        ["id"],
        sqlite_where=sa.text("problem_reason IS NOT NULL"),
        postgresql_where=sa.text("problem_reason IS NOT NULL"),
    )


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_index("ix_customer_problem", table_name="customer")
    op.drop_index(op.f("ix_handoff_link_handoff_id"), table_name="handoff_link")
    op.drop_table("handoff_link")
