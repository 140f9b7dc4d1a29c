"""Rules that are listened for, their versions, and words of the company's own."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime
from speech.rule_tables import RULES_FIXED, RULES_FIXED_DOWN

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "speech_rule_set",
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("published", sa.Integer(), nullable=False),
        sa.Column("draft", sa.Text(), nullable=True),
        sa.Column("draft_at", UtcDateTime(), nullable=True),
        sa.Column("draft_by", sa.String(length=80), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("language", name=op.f("pk_speech_rule_set")),
    )
    op.create_table(
        "speech_rule_version",
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.Column("published_by", sa.String(length=80), nullable=False),
        sa.Column("published_by_id", sa.String(length=26), nullable=False),
        sa.ForeignKeyConstraint(
            ["language"],
            ["speech_rule_set.language"],
            name=op.f("fk_speech_rule_version_language_speech_rule_set"),
        ),
        sa.PrimaryKeyConstraint("language", "number", name=op.f("pk_speech_rule_version")),
    )
    op.create_table(
        "speech_phrase",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("text", sa.String(length=40), nullable=False),
        sa.Column("added_at", UtcDateTime(), nullable=False),
        sa.Column("added_by", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_speech_phrase")),
        sa.UniqueConstraint("language", "text", name=op.f("uq_speech_phrase_language_text")),
    )
    for statement in RULES_FIXED.get(op.get_bind().dialect.name, ()):
        op.execute(statement)


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_table("speech_phrase")
    op.drop_table("speech_rule_version")
    op.drop_table("speech_rule_set")
    for statement in RULES_FIXED_DOWN.get(op.get_bind().dialect.name, ()):
        op.execute(statement)
