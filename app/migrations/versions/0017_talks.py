"""Talks with customers, their answers and recordings, and the links to forms."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "callback_talk",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("task_id", sa.String(length=26), nullable=False),
        sa.Column("attempt_id", sa.String(length=26), nullable=True),
        sa.Column("customer_id", sa.String(length=26), nullable=False),
        sa.Column("channel", sa.String(length=12), nullable=False),
        sa.Column("began_channel", sa.String(length=12), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("by_id", sa.String(length=26), nullable=True),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.Column("skipped", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("ending", sa.String(length=12), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ended_by", sa.String(length=80), nullable=True),
        sa.Column("appointed_at", UtcDateTime(), nullable=True),
        sa.Column("heard_at", UtcDateTime(), nullable=True),
        sa.Column("late", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("explanation", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_callback_talk_customer_id_customer")
        ),
        sa.ForeignKeyConstraint(
            ["task_id"], ["callback_task.id"], name=op.f("fk_callback_talk_task_id_callback_task")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callback_talk")),
        sa.UniqueConstraint("attempt_id", name=op.f("uq_callback_talk_attempt_id")),
    )
    op.create_index(
        "ix_callback_talk_customer_id_opened_at", "callback_talk", ["customer_id", "opened_at"], unique=False
    )
    op.create_index(
        "ix_callback_talk_open",
        "callback_talk",
        ["last_at"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("ix_callback_talk_task_id", "callback_talk", ["task_id"], unique=False)
    op.create_table(
        "callback_talk_set",
        sa.Column("talk_id", sa.String(length=26), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("task_id", sa.String(length=26), nullable=False),
        sa.Column("code", sa.String(length=2), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("level", sa.String(length=1), nullable=False),
        sa.Column("facts", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("carried", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("kept", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("verdict", sa.String(length=12), nullable=True),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.Column("completeness", sa.Integer(), server_default="0", nullable=False),
        sa.Column("decided_by", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("departments", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["talk_id"], ["callback_talk.id"], name=op.f("fk_callback_talk_set_talk_id_callback_talk")
        ),
        sa.ForeignKeyConstraint(
            ["task_id"], ["callback_task.id"], name=op.f("fk_callback_talk_set_task_id_callback_task")
        ),
        sa.PrimaryKeyConstraint("talk_id", "position", name=op.f("pk_callback_talk_set")),
    )
    op.create_index("ix_callback_talk_set_task_id", "callback_talk_set", ["task_id"], unique=False)
    op.create_table(
        "callback_answer",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("talk_id", sa.String(length=26), nullable=False),
        sa.Column("task_id", sa.String(length=26), nullable=False),
        sa.Column("code", sa.String(length=2), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.String(length=8), nullable=False),
        sa.Column("choices", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("departments", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("voice_id", sa.String(length=26), nullable=True),
        sa.Column("channel", sa.String(length=12), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("by_id", sa.String(length=26), nullable=True),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("value", sa.String(length=40), server_default="", nullable=False),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.Column("bad", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("measure", sa.String(length=40), server_default="", nullable=False),
        sa.Column("counts", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("department", sa.String(length=16), nullable=True),
        sa.Column("rated", sa.String(length=80), server_default="", nullable=False),
        sa.Column("project_id", sa.String(length=26), nullable=True),
        sa.Column("store_id", sa.String(length=26), nullable=True),
        sa.Column("project_manager", sa.String(length=40), nullable=True),
        sa.Column("designer", sa.String(length=40), nullable=True),
        sa.Column("inspector", sa.String(length=40), nullable=True),
        sa.Column("crew_id", sa.String(length=26), nullable=True),
        sa.Column("replaced_at", UtcDateTime(), nullable=True),
        sa.Column("replaced_by", sa.String(length=26), nullable=True),
        sa.Column("replaced_why", sa.String(length=16), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["talk_id"], ["callback_talk.id"], name=op.f("fk_callback_answer_talk_id_callback_talk")
        ),
        sa.ForeignKeyConstraint(
            ["task_id"], ["callback_task.id"], name=op.f("fk_callback_answer_task_id_callback_task")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callback_answer")),
    )
    op.create_index("ix_callback_answer_at", "callback_answer", ["at"], unique=False)
    op.create_index("ix_callback_answer_talk_id", "callback_answer", ["talk_id"], unique=False)
    op.create_index(
        "uq_callback_answer_current",
        "callback_answer",
        ["task_id", "item_id"],
        unique=True,
        sqlite_where=sa.text("replaced_at IS NULL"),
        postgresql_where=sa.text("replaced_at IS NULL"),
    )
    op.create_table(
        "callback_voice",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("talk_id", sa.String(length=26), nullable=False),
        sa.Column("task_id", sa.String(length=26), nullable=False),
        sa.Column("item_id", sa.String(length=8), server_default="", nullable=False),
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("transcript", sa.Text(), server_default="", nullable=False),
        sa.Column("heard_at", UtcDateTime(), nullable=True),
        sa.Column("heard_by", sa.String(length=80), nullable=True),
        sa.Column("class_code", sa.Integer(), nullable=True),
        sa.Column("note", sa.String(length=400), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["talk_id"], ["callback_talk.id"], name=op.f("fk_callback_voice_talk_id_callback_talk")
        ),
        sa.ForeignKeyConstraint(
            ["task_id"], ["callback_task.id"], name=op.f("fk_callback_voice_task_id_callback_task")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callback_voice")),
    )
    op.create_index("ix_callback_voice_at", "callback_voice", ["at"], unique=False)
    op.create_index("ix_callback_voice_talk_id", "callback_voice", ["talk_id"], unique=False)
    op.create_index("uq_callback_voice_path", "callback_voice", ["path"], unique=True)
    op.create_table(
        "callback_form",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("task_id", sa.String(length=26), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=True),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["task_id"], ["callback_task.id"], name=op.f("fk_callback_form_task_id_callback_task")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_callback_form")),
    )
    op.create_index("ix_callback_form_task_id", "callback_form", ["task_id"], unique=False)


def downgrade() -> None:
    """Take the schema back to the one before."""
    for table in ("callback_form", "callback_voice", "callback_answer", "callback_talk_set", "callback_talk"):
        op.drop_table(table)
