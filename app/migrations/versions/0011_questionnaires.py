"""Questionnaires and their published versions, which never change."""

import sqlalchemy as sa
from alembic import op

from callback_campaigns.questionnaire_tables import QUESTIONNAIRE_FIXED, QUESTIONNAIRE_FIXED_DOWN
from kernel.db import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "questionnaire",
        sa.Column("code", sa.String(length=2), nullable=False),
        sa.Column("title", sa.String(length=40), nullable=False),
        sa.Column("published", sa.Integer(), nullable=False),
        sa.Column("draft", sa.Text(), nullable=True),
        sa.Column("draft_at", UtcDateTime(), nullable=True),
        sa.Column("draft_by", sa.String(length=80), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_questionnaire")),
    )
    op.create_table(
        "questionnaire_version",
        sa.Column("code", sa.String(length=2), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("title", sa.String(length=40), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.Column("published_by", sa.String(length=80), nullable=False),
        sa.Column("published_by_id", sa.String(length=26), nullable=False),
        sa.ForeignKeyConstraint(
            ["code"], ["questionnaire.code"], name=op.f("fk_questionnaire_version_code_questionnaire")
        ),
        sa.PrimaryKeyConstraint("code", "number", name=op.f("pk_questionnaire_version")),
    )
    for statement in QUESTIONNAIRE_FIXED[op.get_bind().dialect.name]:
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    """Take the schema back to the one before."""
    for statement in QUESTIONNAIRE_FIXED_DOWN[op.get_bind().dialect.name]:
        op.get_bind().exec_driver_sql(statement)
    op.drop_table("questionnaire_version")
    op.drop_table("questionnaire")
