"""What is held beyond its end, and what was deleted at its end."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "erasure",
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("ref_id", sa.String(length=26), nullable=False),
        sa.Column("retention_class", sa.String(length=12), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "ref_id", name=op.f("pk_erasure")),
    )
    op.create_table(
        "legal_hold",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("case_id", sa.String(length=26), nullable=False),
        sa.Column("open_key", sa.String(length=26), nullable=True),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("released_at", UtcDateTime(), nullable=True),
        sa.Column("released_by", sa.String(length=80), nullable=True),
        sa.Column("release_reason", sa.String(length=400), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"], ["service_case.id"], name=op.f("fk_legal_hold_case_id_service_case")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_hold")),
        sa.UniqueConstraint("open_key", name=op.f("uq_legal_hold_open_key")),
    )
    op.create_index("ix_legal_hold_case_id", "legal_hold", ["case_id"], unique=False)


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_index("ix_legal_hold_case_id", table_name="legal_hold")
    op.drop_table("legal_hold")
    op.drop_table("erasure")
