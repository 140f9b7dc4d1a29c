"""Cases and clocks: people, projects, complaints, repairs, tickets, limits, notices, search."""

import sqlalchemy as sa
from alembic import op

from crm.complaint_tables import COMPLAINT_BACKFILL, HANDOFF_FIXED, HANDOFF_FIXED_DOWN
from crm.knowledge_tables import KNOWLEDGE_FIXED, KNOWLEDGE_FIXED_DOWN
from crm.limit_tables import LIMIT_POLICY_FIXED, LIMIT_POLICY_FIXED_DOWN
from crm.people_tables import PEOPLE_BACKFILL
from crm.repair_tables import DEPOSIT_APPEND_ONLY, DEPOSIT_APPEND_ONLY_DOWN, REPAIR_BACKFILL
from crm.search_tables import SEARCH_FTS, SEARCH_FTS_DOWN
from kernel.db import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "calendar_day",
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("source", sa.String(length=120), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("date", name=op.f("pk_calendar_day")),
    )
    op.create_table(
        "calendar_year",
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(length=120), nullable=False),
        sa.Column("loaded_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("year", name=op.f("pk_calendar_year")),
    )
    op.create_table(
        "case_number",
        sa.Column("prefix", sa.String(length=12), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("prefix", name=op.f("pk_case_number")),
    )
    op.create_table(
        "import_job",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("filename", sa.String(length=120), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("good_rows_only", sa.Boolean(), nullable=False),
        sa.Column("uploaded_at", UtcDateTime(), nullable=False),
        sa.Column("uploaded_by", sa.String(length=80), nullable=False),
        sa.Column("uploader_id", sa.String(length=26), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("outcome", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_job")),
    )
    op.create_index("ix_import_job_uploaded_at", "import_job", ["uploaded_at"], unique=False)
    op.create_table(
        "knowledge_article",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("area", sa.String(length=16), nullable=False),
        sa.Column("question", sa.String(length=120), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("keywords", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("classes", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("owner_id", sa.String(length=26), nullable=False),
        sa.Column("owner", sa.String(length=80), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("votes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_knowledge_article")),
    )
    op.create_index("ix_knowledge_article_active_area", "knowledge_article", ["active", "area"], unique=False)
    op.create_table(
        "later_notice",
        sa.Column("dedupe_key", sa.String(length=160), nullable=False),
        sa.Column("subject", sa.String(length=160), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("parameters", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("link", sa.String(length=200), nullable=False),
        sa.Column("party", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("also", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("source_fact_id", sa.String(length=26), nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("dedupe_key", name=op.f("pk_later_notice")),
    )
    op.create_index(op.f("ix_later_notice_due_at"), "later_notice", ["due_at"], unique=False)
    op.create_index(op.f("ix_later_notice_subject"), "later_notice", ["subject"], unique=False)
    op.create_table(
        "limit_choice",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("set_name", sa.String(length=16), nullable=False),
        sa.Column("effective_from", UtcDateTime(), nullable=False),
        sa.Column("chosen_by", sa.String(length=120), nullable=False),
        sa.Column("chosen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_limit_choice")),
    )
    op.create_index(op.f("ix_limit_choice_effective_from"), "limit_choice", ["effective_from"], unique=False)
    op.create_table(
        "limit_policy",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("set_name", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("effective_from", UtcDateTime(), nullable=False),
        sa.Column("title", sa.String(length=60), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("loaded_by", sa.String(length=120), nullable=False),
        sa.Column("loaded_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_limit_policy")),
        sa.UniqueConstraint("set_name", "version", name=op.f("uq_limit_policy_set_name_version")),
    )
    op.create_table(
        "message_rate",
        sa.Column("bucket", sa.String(length=120), nullable=False),
        sa.Column("booked_until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", name=op.f("pk_message_rate")),
    )
    op.create_index(op.f("ix_message_rate_booked_until"), "message_rate", ["booked_until"], unique=False)
    op.create_table(
        "notice",
        sa.Column("notice_id", sa.String(length=26), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("parameters", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("link", sa.String(length=200), nullable=False),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("source_fact_id", sa.String(length=26), nullable=True),
        sa.Column("dedupe_key", sa.String(length=160), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("notice_id", name=op.f("pk_notice")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_notice_dedupe_key")),
    )
    op.create_index(op.f("ix_notice_created_at"), "notice", ["created_at"], unique=False)
    op.create_index(op.f("ix_notice_expires_at"), "notice", ["expires_at"], unique=False)
    op.create_table(
        "notice_address",
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "channel", name=op.f("pk_notice_address")),
    )
    op.create_table(
        "notice_rule",
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("recipients", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("channels", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_notice_rule")),
    )
    op.create_table(
        "outgoing_message",
        sa.Column("message_id", sa.String(length=26), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=True),
        sa.Column("to_customer", sa.Boolean(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("parameters", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("link", sa.String(length=200), nullable=False),
        sa.Column("language", sa.String(length=10), nullable=False),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("dedupe_key", sa.String(length=240), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("cleared", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(length=200), nullable=False),
        sa.Column("provider_ref", sa.String(length=120), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("attempted_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_outgoing_message")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_outgoing_message_dedupe_key")),
    )
    op.create_index(op.f("ix_outgoing_message_created_at"), "outgoing_message", ["created_at"], unique=False)
    op.create_index(op.f("ix_outgoing_message_due_at"), "outgoing_message", ["due_at"], unique=False)
    op.create_index(
        "ix_outgoing_message_state_message_id", "outgoing_message", ["state", "message_id"], unique=False
    )
    op.create_table(
        "repair_point",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("agreement_no", sa.String(length=40), nullable=False),
        sa.Column("district", sa.String(length=40), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("contact", sa.String(length=40), nullable=False),
        sa.Column("phone", sa.String(length=20), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repair_point")),
        sa.UniqueConstraint("agreement_no", name=op.f("uq_repair_point_agreement_no")),
        sa.UniqueConstraint("name", name=op.f("uq_repair_point_name")),
    )
    op.create_index("ix_repair_point_district", "repair_point", ["district"], unique=False)
    op.create_table(
        "search_document",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("ref_id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=26), nullable=True),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("texts", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("head", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("phones", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_document")),
        sa.UniqueConstraint("kind", "ref_id", name=op.f("uq_search_document_kind_ref_id")),
    )
    op.create_table(
        "deposit_account",
        sa.Column("crew_id", sa.String(length=26), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["crew_id"], ["crew.id"], name=op.f("fk_deposit_account_crew_id_crew")),
        sa.PrimaryKeyConstraint("crew_id", name=op.f("pk_deposit_account")),
    )
    op.create_table(
        "knowledge_version",
        sa.Column("article_id", sa.String(length=26), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("area", sa.String(length=16), nullable=False),
        sa.Column("question", sa.String(length=120), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("keywords", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("classes", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=False),
        sa.Column("saved_at", UtcDateTime(), nullable=False),
        sa.Column("saved_by", sa.String(length=80), nullable=False),
        sa.Column("saved_by_id", sa.String(length=26), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_id"],
            ["knowledge_article.id"],
            name=op.f("fk_knowledge_version_article_id_knowledge_article"),
        ),
        sa.PrimaryKeyConstraint("article_id", "number", name=op.f("pk_knowledge_version")),
    )
    op.create_table(
        "knowledge_vote",
        sa.Column("article_id", sa.String(length=26), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_id"],
            ["knowledge_article.id"],
            name=op.f("fk_knowledge_vote_article_id_knowledge_article"),
        ),
        sa.PrimaryKeyConstraint("article_id", "user_id", name=op.f("pk_knowledge_vote")),
    )
    op.create_table(
        "limit_timer",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("policy_id", sa.String(length=26), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("record_kind", sa.String(length=16), nullable=False),
        sa.Column("record_id", sa.String(length=40), nullable=False),
        sa.Column("line_id", sa.String(length=40), nullable=False),
        sa.Column("record_no", sa.String(length=30), nullable=False),
        sa.Column("department", sa.String(length=16), nullable=True),
        sa.Column("user_id", sa.String(length=40), nullable=True),
        sa.Column("specialist", sa.String(length=40), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("open_key", sa.String(length=140), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("used_us", sa.BigInteger(), nullable=False),
        sa.Column("allowed_us", sa.BigInteger(), nullable=False),
        sa.Column("slot_us", sa.BigInteger(), nullable=False),
        sa.Column("deadline_at", UtcDateTime(), nullable=True),
        sa.Column("calendar_year", sa.Integer(), nullable=True),
        sa.Column("handled", sa.Integer(), nullable=False),
        sa.Column("stopped_at", UtcDateTime(), nullable=True),
        sa.Column("breached_at", UtcDateTime(), nullable=True),
        sa.Column("red_at", UtcDateTime(), nullable=True),
        sa.Column("escalated_at", UtcDateTime(), nullable=True),
        sa.Column("paused", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("void_reason", sa.String(length=200), nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["limit_policy.id"], name=op.f("fk_limit_timer_policy_id_limit_policy")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_limit_timer")),
        sa.UniqueConstraint("open_key", name=op.f("uq_limit_timer_open_key")),
    )
    op.create_index(
        "ix_limit_timer_calendar_year",
        "limit_timer",
        ["calendar_year"],
        unique=False,
        sqlite_where=sa.text("calendar_year IS NOT NULL"),
        postgresql_where=sa.text("calendar_year IS NOT NULL"),
    )
    op.create_index(op.f("ix_limit_timer_due_at"), "limit_timer", ["due_at"], unique=False)
    op.create_index("ix_limit_timer_record_id", "limit_timer", ["record_id"], unique=False)
    op.create_index(
        "ix_limit_timer_state_deadline_at_id", "limit_timer", ["state", "deadline_at", "id"], unique=False
    )
    op.create_table(
        "monthly_repair_account",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("point_id", sa.String(length=26), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("budget", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("actual", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("entered_at", UtcDateTime(), nullable=False),
        sa.Column("entered_by", sa.String(length=80), nullable=False),
        sa.Column("entered_by_id", sa.String(length=26), nullable=False),
        sa.Column("approved_at", UtcDateTime(), nullable=True),
        sa.Column("approved_by", sa.String(length=80), nullable=True),
        sa.Column("approved_why", sa.String(length=400), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["point_id"], ["repair_point.id"], name=op.f("fk_monthly_repair_account_point_id_repair_point")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_monthly_repair_account")),
        sa.UniqueConstraint("point_id", "month", name=op.f("uq_monthly_repair_account_point_id_month")),
    )
    op.create_index("ix_monthly_repair_account_month", "monthly_repair_account", ["month"], unique=False)
    op.create_table(
        "notice_read",
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("notice_id", sa.String(length=26), nullable=False),
        sa.Column("read_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["notice_id"],
            ["notice.notice_id"],
            name=op.f("fk_notice_read_notice_id_notice"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", "notice_id", name=op.f("pk_notice_read")),
    )
    op.create_index(op.f("ix_notice_read_notice_id"), "notice_read", ["notice_id"], unique=False)
    op.create_table(
        "notice_recipient",
        sa.Column("target", sa.String(length=80), nullable=False),
        sa.Column("notice_id", sa.String(length=26), nullable=False),
        sa.ForeignKeyConstraint(
            ["notice_id"],
            ["notice.notice_id"],
            name=op.f("fk_notice_recipient_notice_id_notice"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("target", "notice_id", name=op.f("pk_notice_recipient")),
    )
    op.create_index(op.f("ix_notice_recipient_notice_id"), "notice_recipient", ["notice_id"], unique=False)
    op.create_table(
        "part_issue",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("point_id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("part", sa.String(length=60), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=10, scale=2), nullable=False),
        sa.Column("price", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("defective", sa.Boolean(), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["point_id"], ["repair_point.id"], name=op.f("fk_part_issue_point_id_repair_point")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_part_issue")),
    )
    op.create_index("ix_part_issue_point_id_month", "part_issue", ["point_id", "month"], unique=False)
    op.create_table(
        "quality_feedback",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("point_id", sa.String(length=26), nullable=True),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("product", sa.String(length=60), nullable=False),
        sa.Column("problem", sa.String(length=400), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("departments", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["point_id"], ["repair_point.id"], name=op.f("fk_quality_feedback_point_id_repair_point")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quality_feedback")),
    )
    op.create_index("ix_quality_feedback_month", "quality_feedback", ["month"], unique=False)
    op.create_table(
        "staff",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("role", sa.String(length=4), nullable=False),
        sa.Column("department_code", sa.String(length=16), nullable=True),
        sa.Column("store_id", sa.String(length=26), nullable=True),
        sa.Column("phone", sa.String(length=20), nullable=True),
        sa.Column("user_id", sa.String(length=26), nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["department_code"], ["department.code"], name=op.f("fk_staff_department_code_department")
        ),
        sa.ForeignKeyConstraint(["store_id"], ["store.id"], name=op.f("fk_staff_store_id_store")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
    )
    op.create_index(op.f("ix_staff_name"), "staff", ["name"], unique=False)
    op.create_table(
        "appraisal_proposal",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("timer_id", sa.String(length=26), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("record_kind", sa.String(length=16), nullable=False),
        sa.Column("record_id", sa.String(length=40), nullable=False),
        sa.Column("line_id", sa.String(length=40), nullable=False),
        sa.Column("record_no", sa.String(length=30), nullable=False),
        sa.Column("department", sa.String(length=16), nullable=True),
        sa.Column("user_id", sa.String(length=40), nullable=True),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("proposed_at", UtcDateTime(), nullable=False),
        sa.Column("decided_by", sa.String(length=80), nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("note", sa.String(length=400), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["timer_id"], ["limit_timer.id"], name=op.f("fk_appraisal_proposal_timer_id_limit_timer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appraisal_proposal")),
        sa.UniqueConstraint("timer_id", name=op.f("uq_appraisal_proposal_timer_id")),
    )
    op.create_index(
        op.f("ix_appraisal_proposal_record_id"), "appraisal_proposal", ["record_id"], unique=False
    )
    op.create_index(
        "ix_appraisal_proposal_state_proposed_at",
        "appraisal_proposal",
        ["state", "proposed_at"],
        unique=False,
    )
    op.create_table(
        "customer_consent",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("customer_id", sa.String(length=26), nullable=False),
        sa.Column("purpose", sa.String(length=24), nullable=False),
        sa.Column("basis", sa.String(length=10), nullable=False),
        sa.Column("given_at", UtcDateTime(), nullable=False),
        sa.Column("evidence", sa.String(length=400), nullable=False),
        sa.Column("text_version", sa.String(length=40), nullable=False),
        sa.Column("recorded_by", sa.String(length=80), nullable=False),
        sa.Column("withdrawn_at", UtcDateTime(), nullable=True),
        sa.Column("withdrawn_evidence", sa.String(length=400), nullable=True),
        sa.Column("withdrawn_by", sa.String(length=80), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_customer_consent_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_consent")),
    )
    op.create_index(
        "ix_customer_consent_customer_id_purpose",
        "customer_consent",
        ["customer_id", "purpose"],
        unique=False,
    )
    op.create_table(
        "customer_freeze",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("customer_id", sa.String(length=26), nullable=False),
        sa.Column("scope", sa.String(length=8), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("planned_thaw", sa.Date(), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("thawed_at", UtcDateTime(), nullable=True),
        sa.Column("thawed_by", sa.String(length=80), nullable=True),
        sa.Column("thaw_reason", sa.String(length=200), nullable=True),
        sa.Column("callback_needed", sa.Boolean(), nullable=True),
        sa.Column("callback_kind", sa.String(length=8), nullable=True),
        sa.Column("callback_on", sa.Date(), nullable=True),
        sa.Column("answered_by", sa.String(length=80), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_customer_freeze_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_freeze")),
    )
    op.create_index(op.f("ix_customer_freeze_customer_id"), "customer_freeze", ["customer_id"], unique=False)
    op.create_index("ix_customer_freeze_open", "customer_freeze", ["thawed_at", "planned_thaw"], unique=False)
    op.create_table(
        "customer_merge",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("kept_id", sa.String(length=26), nullable=False),
        sa.Column("gone_id", sa.String(length=26), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("moved", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("undone_at", UtcDateTime(), nullable=True),
        sa.Column("undone_by", sa.String(length=80), nullable=True),
        sa.Column("undo_reason", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(
            ["gone_id"], ["customer.id"], name=op.f("fk_customer_merge_gone_id_customer")
        ),
        sa.ForeignKeyConstraint(
            ["kept_id"], ["customer.id"], name=op.f("fk_customer_merge_kept_id_customer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_merge")),
    )
    op.create_index(op.f("ix_customer_merge_gone_id"), "customer_merge", ["gone_id"], unique=False)
    op.create_index(op.f("ix_customer_merge_kept_id"), "customer_merge", ["kept_id"], unique=False)
    op.create_table(
        "do_not_call_entry",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("customer_id", sa.String(length=26), nullable=True),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("evidence", sa.String(length=400), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("lifted_at", UtcDateTime(), nullable=True),
        sa.Column("lifted_by", sa.String(length=80), nullable=True),
        sa.Column("lift_reason", sa.String(length=400), nullable=True),
        sa.Column("lift_evidence", sa.String(length=400), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_do_not_call_entry_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_do_not_call_entry")),
    )
    op.create_index(
        op.f("ix_do_not_call_entry_customer_id"), "do_not_call_entry", ["customer_id"], unique=False
    )
    op.create_table(
        "limit_breach",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("timer_id", sa.String(length=26), nullable=False),
        sa.Column("policy_id", sa.String(length=26), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("record_kind", sa.String(length=16), nullable=False),
        sa.Column("record_id", sa.String(length=40), nullable=False),
        sa.Column("line_id", sa.String(length=40), nullable=False),
        sa.Column("record_no", sa.String(length=30), nullable=False),
        sa.Column("department", sa.String(length=16), nullable=True),
        sa.Column("user_id", sa.String(length=40), nullable=True),
        sa.Column("specialist", sa.String(length=40), nullable=True),
        sa.Column("breached_at", UtcDateTime(), nullable=False),
        sa.Column("noted_at", UtcDateTime(), nullable=False),
        sa.Column("withdrawn_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["limit_policy.id"], name=op.f("fk_limit_breach_policy_id_limit_policy")
        ),
        sa.ForeignKeyConstraint(
            ["timer_id"], ["limit_timer.id"], name=op.f("fk_limit_breach_timer_id_limit_timer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_limit_breach")),
        sa.UniqueConstraint("timer_id", name=op.f("uq_limit_breach_timer_id")),
    )
    op.create_index(op.f("ix_limit_breach_breached_at"), "limit_breach", ["breached_at"], unique=False)
    op.create_index(op.f("ix_limit_breach_record_id"), "limit_breach", ["record_id"], unique=False)
    op.create_table(
        "do_not_call_number",
        sa.Column("entry_id", sa.String(length=26), nullable=False),
        sa.Column("e164", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["do_not_call_entry.id"],
            name=op.f("fk_do_not_call_number_entry_id_do_not_call_entry"),
        ),
        sa.PrimaryKeyConstraint("entry_id", "e164", name=op.f("pk_do_not_call_number")),
    )
    op.create_index("ix_do_not_call_number_e164", "do_not_call_number", ["e164", "entry_id"], unique=False)
    op.create_table(
        "project_payment",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("project_id", sa.String(length=26), nullable=False),
        sa.Column("period", sa.String(length=8), nullable=False),
        sa.Column("due", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("amount", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("paid_at", UtcDateTime(), nullable=False),
        sa.Column("receipt_no", sa.String(length=40), nullable=False),
        sa.Column("posted_by", sa.String(length=80), nullable=False),
        sa.Column("posted_at", UtcDateTime(), nullable=False),
        sa.Column("reverses_id", sa.String(length=26), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("released_by", sa.String(length=40), nullable=True),
        sa.Column("receipt_key", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_project_payment_project_id_project")
        ),
        sa.ForeignKeyConstraint(
            ["reverses_id"],
            ["project_payment.id"],
            name=op.f("fk_project_payment_reverses_id_project_payment"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project_payment")),
        sa.UniqueConstraint("receipt_key", name=op.f("uq_project_payment_receipt_key")),
        sa.UniqueConstraint("reverses_id", name=op.f("uq_project_payment_reverses_id")),
    )
    op.create_index(op.f("ix_project_payment_project_id"), "project_payment", ["project_id"], unique=False)
    op.create_table(
        "project_suspension",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("project_id", sa.String(length=26), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("resumed_by", sa.String(length=80), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_project_suspension_project_id_project")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project_suspension")),
    )
    op.create_index(
        op.f("ix_project_suspension_project_id"), "project_suspension", ["project_id"], unique=False
    )
    op.create_table(
        "stage_event",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("project_id", sa.String(length=26), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("happened_on", sa.Date(), nullable=False),
        sa.Column("planned_on", sa.Date(), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.String(length=80), nullable=False),
        sa.Column("sheet_ref", sa.String(length=60), nullable=True),
        sa.Column("photos", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(length=400), nullable=True),
        sa.Column("callback_ref", sa.String(length=40), nullable=True),
        sa.Column("voided_at", UtcDateTime(), nullable=True),
        sa.Column("voided_by", sa.String(length=80), nullable=True),
        sa.Column("void_reason", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_stage_event_project_id_project")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stage_event")),
    )
    op.create_index("ix_stage_event_project_id", "stage_event", ["project_id"], unique=False)
    op.create_index(
        "uq_stage_event_in_force",
        "stage_event",
        ["project_id", "stage"],
        unique=True,
        sqlite_where=sa.text("voided_at IS NULL"),
        postgresql_where=sa.text("voided_at IS NULL"),
    )
    op.create_table(
        "warranty",
        sa.Column("project_id", sa.String(length=26), nullable=False),
        sa.Column("flag", sa.String(length=10), nullable=False),
        sa.Column("no", sa.String(length=40), nullable=True),
        sa.Column("issued_on", sa.Date(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("excluded", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("written_at", UtcDateTime(), nullable=False),
        sa.Column("written_by", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_warranty_project_id_project")),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_warranty")),
    )
    op.create_table(
        "attachment",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("case_id", sa.String(length=26), nullable=False),
        sa.Column("purpose", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("media_type", sa.String(length=20), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("thumb_sha256", sa.String(length=64), nullable=True),
        sa.Column("visit_id", sa.String(length=26), nullable=True),
        sa.Column("uploaded_at", UtcDateTime(), nullable=False),
        sa.Column("uploaded_by", sa.String(length=80), nullable=False),
        sa.Column("uploader_id", sa.String(length=26), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["service_case.id"], name=op.f("fk_attachment_case_id_service_case")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment")),
    )
    op.create_index("ix_attachment_case_id", "attachment", ["case_id"], unique=False)
    op.create_table(
        "case_follow_up",
        sa.Column("case_id", sa.String(length=26), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("by_id", sa.String(length=26), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("sound", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["service_case.id"], name=op.f("fk_case_follow_up_case_id_service_case")
        ),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_case_follow_up")),
    )
    op.create_index("ix_case_follow_up_at", "case_follow_up", ["at"], unique=False)
    op.create_table(
        "case_handoff",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("receipt_no", sa.String(length=24), nullable=False),
        sa.Column("case_id", sa.String(length=26), nullable=False),
        sa.Column("line_id", sa.String(length=26), nullable=False),
        sa.Column("department_code", sa.String(length=16), nullable=False),
        sa.Column("confidential", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("form", sa.String(length=16), nullable=False),
        sa.Column("copy_left", sa.Boolean(), nullable=False),
        sa.Column("note", sa.String(length=400), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=False),
        sa.Column("sent_by", sa.String(length=80), nullable=False),
        sa.Column("sent_by_id", sa.String(length=26), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("received_at", UtcDateTime(), nullable=True),
        sa.Column("received_by", sa.String(length=80), nullable=True),
        sa.Column("received_by_id", sa.String(length=26), nullable=True),
        sa.Column("received_ip", sa.String(length=45), nullable=True),
        sa.Column("signature_kind", sa.String(length=12), nullable=True),
        sa.Column("signature_hash", sa.String(length=64), nullable=True),
        sa.Column("strokes", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("reject_reason", sa.String(length=400), nullable=True),
        sa.Column("verification", sa.String(length=64), nullable=True),
        sa.Column("open_key", sa.String(length=60), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"], ["service_case.id"], name=op.f("fk_case_handoff_case_id_service_case")
        ),
        sa.ForeignKeyConstraint(
            ["department_code"], ["department.code"], name=op.f("fk_case_handoff_department_code_department")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_handoff")),
        sa.UniqueConstraint("open_key", name=op.f("uq_case_handoff_open_key")),
        sa.UniqueConstraint("receipt_no", name=op.f("uq_case_handoff_receipt_no")),
    )
    op.create_index(op.f("ix_case_handoff_case_id"), "case_handoff", ["case_id"], unique=False)
    op.create_index(
        "ix_case_handoff_department_code_state",
        "case_handoff",
        ["department_code", "state", "sent_at"],
        unique=False,
    )
    op.create_index("ix_case_handoff_state_sent_at", "case_handoff", ["state", "sent_at"], unique=False)
    op.create_table(
        "case_party",
        sa.Column("case_id", sa.String(length=26), nullable=False),
        sa.Column("department_code", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["service_case.id"], name=op.f("fk_case_party_case_id_service_case")
        ),
        sa.ForeignKeyConstraint(
            ["department_code"], ["department.code"], name=op.f("fk_case_party_department_code_department")
        ),
        sa.PrimaryKeyConstraint("case_id", "department_code", name=op.f("pk_case_party")),
    )
    op.create_index(
        "ix_case_party_department_code", "case_party", ["department_code", "case_id"], unique=False
    )
    op.create_table(
        "complaint",
        sa.Column("case_id", sa.String(length=26), nullable=False),
        sa.Column("demand", sa.Text(), nullable=False),
        sa.Column("want_by", UtcDateTime(), nullable=True),
        sa.Column("complained_at", UtcDateTime(), nullable=False),
        sa.Column("registered_by_id", sa.String(length=26), nullable=False),
        sa.Column("called_back_at", UtcDateTime(), nullable=True),
        sa.Column("not_reached", sa.Integer(), nullable=False),
        sa.Column("satisfaction", sa.String(length=16), nullable=True),
        sa.Column("timeliness", sa.String(length=16), nullable=True),
        sa.Column("contacted_in_time", sa.String(length=8), nullable=True),
        sa.Column("waived_at", UtcDateTime(), nullable=True),
        sa.Column("waived_by", sa.String(length=80), nullable=True),
        sa.Column("waived_why", sa.String(length=400), nullable=True),
        sa.Column("escalation_owed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("escalation_why", sa.String(length=60), nullable=True),
        sa.Column("reply_text", sa.Text(), nullable=True),
        sa.Column("replied_by", sa.String(length=80), nullable=True),
        sa.Column("not_filed_why", sa.String(length=400), nullable=True),
        sa.Column("not_filed_by", sa.String(length=80), nullable=True),
        sa.Column("root_cause", sa.Text(), nullable=True),
        sa.Column("preventive_step", sa.Text(), nullable=True),
        sa.Column("analysis_owner", sa.String(length=40), nullable=True),
        sa.Column("analysed_at", UtcDateTime(), nullable=True),
        sa.Column("analysed_by", sa.String(length=80), nullable=True),
        sa.Column("closed_by", sa.String(length=80), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"], ["service_case.id"], name=op.f("fk_complaint_case_id_service_case")
        ),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_complaint")),
    )
    op.create_table(
        "problem_ticket",
        sa.Column("case_id", sa.String(length=26), nullable=False),
        sa.Column("question", sa.String(length=200), nullable=False),
        sa.Column("answer", sa.String(length=400), nullable=False),
        sa.Column("question_id", sa.String(length=40), nullable=True),
        sa.Column("callback_ref", sa.String(length=40), nullable=True),
        sa.Column("recording_ref", sa.String(length=200), nullable=True),
        sa.Column("problem_key", sa.String(length=120), nullable=False),
        sa.Column("fed_back", sa.Integer(), nullable=False),
        sa.Column("class_code", sa.Integer(), nullable=True),
        sa.Column("solved_at", UtcDateTime(), nullable=True),
        sa.Column("not_reached", sa.Integer(), nullable=False),
        sa.Column("revisit_ref", sa.String(length=40), nullable=True),
        sa.Column("revisit_note", sa.String(length=400), nullable=True),
        sa.Column("revisited_at", UtcDateTime(), nullable=True),
        sa.Column("verified_at", UtcDateTime(), nullable=True),
        sa.Column("verified_by", sa.String(length=80), nullable=True),
        sa.Column("waived_why", sa.String(length=400), nullable=True),
        sa.Column("converted_to", sa.String(length=26), nullable=True),
        sa.Column("converted_no", sa.String(length=20), nullable=True),
        sa.Column("converted_at", UtcDateTime(), nullable=True),
        sa.Column("converted_by", sa.String(length=80), nullable=True),
        sa.Column("converted_why", sa.String(length=16), nullable=True),
        sa.Column("converted_note", sa.String(length=400), nullable=True),
        sa.Column("closed_by", sa.String(length=80), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"], ["service_case.id"], name=op.f("fk_problem_ticket_case_id_service_case")
        ),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_problem_ticket")),
    )
    op.create_index(
        "ix_problem_ticket_callback_ref_question_id",
        "problem_ticket",
        ["callback_ref", "question_id"],
        unique=True,
    )
    op.create_index("ix_problem_ticket_converted_to", "problem_ticket", ["converted_to"], unique=False)
    op.create_index("ix_problem_ticket_problem_key", "problem_ticket", ["problem_key"], unique=False)
    op.create_table(
        "repair_order",
        sa.Column("case_id", sa.String(length=26), nullable=False),
        sa.Column("place", sa.String(length=60), nullable=False),
        sa.Column("repair_class", sa.String(length=12), nullable=False),
        sa.Column("warranty", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("original_crew_id", sa.String(length=26), nullable=True),
        sa.Column("original_crew_name", sa.String(length=60), nullable=True),
        sa.Column("original_crew_left", sa.Boolean(), nullable=False),
        sa.Column("chain_at", UtcDateTime(), nullable=False),
        sa.Column("route", sa.String(length=12), nullable=True),
        sa.Column("route_reason", sa.String(length=20), nullable=True),
        sa.Column("crew_id", sa.String(length=26), nullable=True),
        sa.Column("routed_at", UtcDateTime(), nullable=True),
        sa.Column("reroutes", sa.Integer(), nullable=False),
        sa.Column("notified_at", UtcDateTime(), nullable=True),
        sa.Column("notified_by", sa.String(length=80), nullable=True),
        sa.Column("notified_way", sa.String(length=8), nullable=True),
        sa.Column("notified_whom", sa.String(length=40), nullable=True),
        sa.Column("contacted_at", UtcDateTime(), nullable=True),
        sa.Column("contacted_by", sa.String(length=80), nullable=True),
        sa.Column("customer_says", sa.Text(), nullable=True),
        sa.Column("not_contacted", sa.Boolean(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=True),
        sa.Column("appointed_from", UtcDateTime(), nullable=True),
        sa.Column("appointed_until", UtcDateTime(), nullable=True),
        sa.Column("callback_at", UtcDateTime(), nullable=True),
        sa.Column("last_visit_at", UtcDateTime(), nullable=True),
        sa.Column("worked_visits", sa.Integer(), nullable=False),
        sa.Column("fixed", sa.Boolean(), nullable=False),
        sa.Column("solved", sa.Boolean(), nullable=False),
        sa.Column("first_time_fix", sa.Boolean(), nullable=True),
        sa.Column("proposed_at", UtcDateTime(), nullable=True),
        sa.Column("close_reason", sa.String(length=400), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"], ["service_case.id"], name=op.f("fk_repair_order_case_id_service_case")
        ),
        sa.ForeignKeyConstraint(["crew_id"], ["crew.id"], name=op.f("fk_repair_order_crew_id_crew")),
        sa.ForeignKeyConstraint(
            ["original_crew_id"], ["crew.id"], name=op.f("fk_repair_order_original_crew_id_crew")
        ),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_repair_order")),
    )
    op.create_index("ix_repair_order_appointed_from", "repair_order", ["appointed_from"], unique=False)
    op.create_index("ix_repair_order_callback_at", "repair_order", ["callback_at"], unique=False)
    op.create_index("ix_repair_order_crew_id", "repair_order", ["crew_id"], unique=False)
    op.create_index(
        op.f("ix_repair_order_original_crew_id"), "repair_order", ["original_crew_id"], unique=False
    )
    op.create_table(
        "source_reply",
        sa.Column("case_id", sa.String(length=26), nullable=False),
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("replied_at", UtcDateTime(), nullable=False),
        sa.Column("replied_by", sa.String(length=80), nullable=False),
        sa.Column("replied_by_id", sa.String(length=26), nullable=False),
        sa.Column("way", sa.String(length=16), nullable=False),
        sa.Column("told", sa.String(length=40), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("noted_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["service_case.id"], name=op.f("fk_source_reply_case_id_service_case")
        ),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_source_reply")),
        sa.UniqueConstraint("id", name=op.f("uq_source_reply_id")),
    )
    op.create_table(
        "complaint_call",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("case_id", sa.String(length=26), nullable=False),
        sa.Column("call_id", sa.String(length=26), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("noted_by", sa.String(length=80), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["complaint.case_id"], name=op.f("fk_complaint_call_case_id_complaint")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaint_call")),
        sa.UniqueConstraint("case_id", "call_id", name=op.f("uq_complaint_call_case_id_call_id")),
    )
    op.create_table(
        "complaint_callback",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("case_id", sa.String(length=26), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("by_id", sa.String(length=26), nullable=False),
        sa.Column("call_id", sa.String(length=26), nullable=True),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("lines", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("satisfaction", sa.String(length=16), nullable=True),
        sa.Column("timeliness", sa.String(length=16), nullable=True),
        sa.Column("contacted_in_time", sa.String(length=8), nullable=True),
        sa.Column("compensation_mentioned", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("leads_to", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["complaint.case_id"], name=op.f("fk_complaint_callback_case_id_complaint")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaint_callback")),
    )
    op.create_index(op.f("ix_complaint_callback_case_id"), "complaint_callback", ["case_id"], unique=False)
    op.create_table(
        "complaint_line",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("case_id", sa.String(length=26), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("class_code", sa.Integer(), nullable=False),
        sa.Column("subclass", sa.String(length=24), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("department_code", sa.String(length=16), nullable=False),
        sa.Column("confidential", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("person", sa.String(length=40), nullable=True),
        sa.Column("person_id", sa.String(length=26), nullable=True),
        sa.Column("manufacturer", sa.String(length=60), nullable=True),
        sa.Column("rerouted_from", sa.String(length=26), nullable=True),
        sa.Column("mode", sa.String(length=16), nullable=True),
        sa.Column("registered_at", UtcDateTime(), nullable=False),
        sa.Column("handed_off_at", UtcDateTime(), nullable=True),
        sa.Column("accepted_at", UtcDateTime(), nullable=True),
        sa.Column("accepted_by", sa.String(length=80), nullable=True),
        sa.Column("rejected_at", UtcDateTime(), nullable=True),
        sa.Column("rejected_by", sa.String(length=80), nullable=True),
        sa.Column("reject_reason", sa.String(length=400), nullable=True),
        sa.Column("settled_why", sa.String(length=400), nullable=True),
        sa.Column("verified_at", UtcDateTime(), nullable=True),
        sa.Column("verified_by", sa.String(length=80), nullable=True),
        sa.Column("facts", sa.Text(), nullable=True),
        sa.Column("planned_visit_at", UtcDateTime(), nullable=True),
        sa.Column("planned_plan_at", UtcDateTime(), nullable=True),
        sa.Column("planned_solve_at", UtcDateTime(), nullable=True),
        sa.Column("visit_from", UtcDateTime(), nullable=True),
        sa.Column("visit_until", UtcDateTime(), nullable=True),
        sa.Column("visited_at", UtcDateTime(), nullable=True),
        sa.Column("callback_from", UtcDateTime(), nullable=True),
        sa.Column("needs_contact", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("planner", sa.String(length=26), nullable=True),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.Column("done_by", sa.String(length=80), nullable=True),
        sa.Column("done_note", sa.Text(), nullable=True),
        sa.Column("unsolved_at", UtcDateTime(), nullable=True),
        sa.Column("solved_at", UtcDateTime(), nullable=True),
        sa.Column("accept_due_at", UtcDateTime(), nullable=True),
        sa.Column("verify_due_at", UtcDateTime(), nullable=True),
        sa.Column("plan_due_at", UtcDateTime(), nullable=True),
        sa.Column("callback_due_at", UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["complaint.case_id"], name=op.f("fk_complaint_line_case_id_complaint")
        ),
        sa.ForeignKeyConstraint(
            ["department_code"],
            ["department.code"],
            name=op.f("fk_complaint_line_department_code_department"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaint_line")),
        sa.UniqueConstraint("case_id", "position", name=op.f("uq_complaint_line_case_id_position")),
    )
    op.create_index(
        "ix_complaint_line_department_code_status",
        "complaint_line",
        ["department_code", "status"],
        unique=False,
    )
    op.create_index("ix_complaint_line_status", "complaint_line", ["status"], unique=False)
    op.create_table(
        "escalation",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("case_id", sa.String(length=26), nullable=False),
        sa.Column("open_key", sa.String(length=26), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("process_so_far", sa.Text(), nullable=False),
        sa.Column("demand", sa.Text(), nullable=False),
        sa.Column("submitted_at", UtcDateTime(), nullable=False),
        sa.Column("submitted_by", sa.String(length=80), nullable=False),
        sa.Column("submitted_by_id", sa.String(length=26), nullable=False),
        sa.Column("reviewed_at", UtcDateTime(), nullable=True),
        sa.Column("reviewed_by", sa.String(length=80), nullable=True),
        sa.Column("review_note", sa.Text(), nullable=True),
        sa.Column("visit_needed", sa.Boolean(), nullable=True),
        sa.Column("visit_due_at", UtcDateTime(), nullable=True),
        sa.Column("visit_from", UtcDateTime(), nullable=True),
        sa.Column("visit_until", UtcDateTime(), nullable=True),
        sa.Column("visit_with", sa.String(length=200), nullable=True),
        sa.Column("visited_at", UtcDateTime(), nullable=True),
        sa.Column("visit_record", sa.Text(), nullable=True),
        sa.Column("shares", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("persons", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("liability_with", sa.String(length=80), nullable=True),
        sa.Column("liability_note", sa.Text(), nullable=True),
        sa.Column("liability_at", UtcDateTime(), nullable=True),
        sa.Column("liability_by", sa.String(length=80), nullable=True),
        sa.Column("plan", sa.Text(), nullable=True),
        sa.Column("costs", sa.Boolean(), nullable=False),
        sa.Column("planned_at", UtcDateTime(), nullable=True),
        sa.Column("planned_by", sa.String(length=80), nullable=True),
        sa.Column("recovery_open", sa.Integer(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("closed_by", sa.String(length=80), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["complaint.case_id"], name=op.f("fk_escalation_case_id_complaint")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_escalation")),
        sa.UniqueConstraint("open_key", name=op.f("uq_escalation_open_key")),
    )
    op.create_index(op.f("ix_escalation_case_id"), "escalation", ["case_id"], unique=False)
    op.create_index("ix_escalation_state_submitted_at", "escalation", ["state", "submitted_at"], unique=False)
    op.create_table(
        "opinion_notice",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("no", sa.String(length=24), nullable=False),
        sa.Column("case_id", sa.String(length=26), nullable=False),
        sa.Column("department_code", sa.String(length=16), nullable=False),
        sa.Column("addressed_to", sa.String(length=120), nullable=False),
        sa.Column("fed_back", sa.Integer(), nullable=False),
        sa.Column("why", sa.String(length=16), nullable=False),
        sa.Column("sheet", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("issued_at", UtcDateTime(), nullable=False),
        sa.Column("issued_by", sa.String(length=80), nullable=False),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("answered_by", sa.String(length=80), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["problem_ticket.case_id"], name=op.f("fk_opinion_notice_case_id_problem_ticket")
        ),
        sa.ForeignKeyConstraint(
            ["department_code"],
            ["department.code"],
            name=op.f("fk_opinion_notice_department_code_department"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opinion_notice")),
        sa.UniqueConstraint(
            "case_id", "department_code", name=op.f("uq_opinion_notice_case_id_department_code")
        ),
        sa.UniqueConstraint("no", name=op.f("uq_opinion_notice_no")),
    )
    op.create_index("ix_opinion_notice_issued_at", "opinion_notice", ["issued_at"], unique=False)
    op.create_table(
        "repair_callback",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("case_id", sa.String(length=26), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("problem", sa.String(length=16), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=True),
        sa.Column("contacted_in_time", sa.String(length=8), nullable=True),
        sa.Column("timely", sa.String(length=8), nullable=True),
        sa.Column("remark", sa.Text(), nullable=False),
        sa.Column("no_visit_reason", sa.String(length=200), nullable=True),
        sa.Column("call_id", sa.String(length=26), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"], ["repair_order.case_id"], name=op.f("fk_repair_callback_case_id_repair_order")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repair_callback")),
    )
    op.create_index(op.f("ix_repair_callback_case_id"), "repair_callback", ["case_id"], unique=False)
    op.create_table(
        "repair_cost",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("case_id", sa.String(length=26), nullable=False),
        sa.Column("crew_id", sa.String(length=26), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("labour", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("travel", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("total", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("material", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("receipt_no", sa.String(length=40), nullable=True),
        sa.Column("author_id", sa.String(length=26), nullable=False),
        sa.Column("author", sa.String(length=80), nullable=False),
        sa.Column("costed_at", UtcDateTime(), nullable=False),
        sa.Column("service_id", sa.String(length=26), nullable=True),
        sa.Column("service_name", sa.String(length=80), nullable=True),
        sa.Column("service_at", UtcDateTime(), nullable=True),
        sa.Column("company_id", sa.String(length=26), nullable=True),
        sa.Column("company_name", sa.String(length=80), nullable=True),
        sa.Column("company_at", UtcDateTime(), nullable=True),
        sa.Column("filed_at", UtcDateTime(), nullable=True),
        sa.Column("filed_by", sa.String(length=80), nullable=True),
        sa.Column("month", sa.String(length=7), nullable=True),
        sa.Column("reconciled_at", UtcDateTime(), nullable=True),
        sa.Column("reconciled_by", sa.String(length=80), nullable=True),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.Column("settled_by", sa.String(length=80), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("closed_by", sa.String(length=80), nullable=True),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["repair_order.case_id"], name=op.f("fk_repair_cost_case_id_repair_order")
        ),
        sa.ForeignKeyConstraint(["crew_id"], ["crew.id"], name=op.f("fk_repair_cost_crew_id_crew")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repair_cost")),
        sa.UniqueConstraint("case_id", name=op.f("uq_repair_cost_case_id")),
    )
    op.create_index(op.f("ix_repair_cost_crew_id"), "repair_cost", ["crew_id"], unique=False)
    op.create_index("ix_repair_cost_month", "repair_cost", ["month"], unique=False)
    op.create_index("ix_repair_cost_state_costed_at", "repair_cost", ["state", "costed_at"], unique=False)
    op.create_table(
        "repair_routing",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("case_id", sa.String(length=26), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("route", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=True),
        sa.Column("note", sa.String(length=400), nullable=False),
        sa.Column("crew_id", sa.String(length=26), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"], ["repair_order.case_id"], name=op.f("fk_repair_routing_case_id_repair_order")
        ),
        sa.ForeignKeyConstraint(["crew_id"], ["crew.id"], name=op.f("fk_repair_routing_crew_id_crew")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repair_routing")),
    )
    op.create_index(op.f("ix_repair_routing_case_id"), "repair_routing", ["case_id"], unique=False)
    op.create_table(
        "repair_visit",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("case_id", sa.String(length=26), nullable=False),
        sa.Column("open_key", sa.String(length=26), nullable=True),
        sa.Column("appointed_from", UtcDateTime(), nullable=True),
        sa.Column("appointed_until", UtcDateTime(), nullable=True),
        sa.Column("en_route_at", UtcDateTime(), nullable=True),
        sa.Column("arrived_at", UtcDateTime(), nullable=True),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.Column("cancelled_at", UtcDateTime(), nullable=True),
        sa.Column("outcome", sa.String(length=12), nullable=True),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("signature_id", sa.String(length=26), nullable=True),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["repair_order.case_id"], name=op.f("fk_repair_visit_case_id_repair_order")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repair_visit")),
        sa.UniqueConstraint("open_key", name=op.f("uq_repair_visit_open_key")),
    )
    op.create_index(op.f("ix_repair_visit_case_id"), "repair_visit", ["case_id"], unique=False)
    op.create_table(
        "ticket_part",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("case_id", sa.String(length=26), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("department_code", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("signed_at", UtcDateTime(), nullable=True),
        sa.Column("signed_by", sa.String(length=80), nullable=True),
        sa.Column("refused_at", UtcDateTime(), nullable=True),
        sa.Column("refused_by", sa.String(length=80), nullable=True),
        sa.Column("refuse_reason", sa.String(length=400), nullable=True),
        sa.Column("settled_why", sa.String(length=400), nullable=True),
        sa.Column("solved_at", UtcDateTime(), nullable=True),
        sa.Column("solved_by", sa.String(length=80), nullable=True),
        sa.Column("solution", sa.Text(), nullable=True),
        sa.Column("rerouted_from", sa.String(length=26), nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["problem_ticket.case_id"], name=op.f("fk_ticket_part_case_id_problem_ticket")
        ),
        sa.ForeignKeyConstraint(
            ["department_code"], ["department.code"], name=op.f("fk_ticket_part_department_code_department")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_part")),
        sa.UniqueConstraint("case_id", "position", name=op.f("uq_ticket_part_case_id_position")),
    )
    op.create_index(
        "ix_ticket_part_department_code_status", "ticket_part", ["department_code", "status"], unique=False
    )
    op.create_table(
        "compensation",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("escalation_id", sa.String(length=26), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("amount", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("bearers", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_at", UtcDateTime(), nullable=False),
        sa.Column("requested_by", sa.String(length=80), nullable=False),
        sa.Column("requested_by_id", sa.String(length=26), nullable=False),
        sa.Column("entered_by", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("reviewed_at", UtcDateTime(), nullable=True),
        sa.Column("reviewed_by", sa.String(length=80), nullable=True),
        sa.Column("voucher_no", sa.String(length=40), nullable=True),
        sa.Column("voucher_at", UtcDateTime(), nullable=True),
        sa.Column("voucher_by", sa.String(length=80), nullable=True),
        sa.Column("approved_at", UtcDateTime(), nullable=True),
        sa.Column("approved_by", sa.String(length=80), nullable=True),
        sa.Column("refused_at", UtcDateTime(), nullable=True),
        sa.Column("refused_by", sa.String(length=80), nullable=True),
        sa.Column("refused_why", sa.String(length=400), nullable=True),
        sa.Column("paid_at", UtcDateTime(), nullable=True),
        sa.Column("paid_by", sa.String(length=80), nullable=True),
        sa.Column("receipt_no", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(
            ["escalation_id"], ["escalation.id"], name=op.f("fk_compensation_escalation_id_escalation")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_compensation")),
        sa.UniqueConstraint("voucher_no", name=op.f("uq_compensation_voucher_no")),
    )
    op.create_index(op.f("ix_compensation_escalation_id"), "compensation", ["escalation_id"], unique=False)
    op.create_table(
        "complaint_plan",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("line_id", sa.String(length=26), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("made_by", sa.String(length=80), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("visit_from", UtcDateTime(), nullable=True),
        sa.Column("visit_until", UtcDateTime(), nullable=True),
        sa.Column("solve_at", UtcDateTime(), nullable=False),
        sa.Column("pay_customer", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("penalty", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("needs_approval", sa.Boolean(), nullable=False),
        sa.Column("approved", sa.Boolean(), nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("decided_by", sa.String(length=80), nullable=True),
        sa.Column("decided_why", sa.String(length=400), nullable=True),
        sa.ForeignKeyConstraint(
            ["line_id"], ["complaint_line.id"], name=op.f("fk_complaint_plan_line_id_complaint_line")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaint_plan")),
    )
    op.create_index(op.f("ix_complaint_plan_line_id"), "complaint_plan", ["line_id"], unique=False)
    op.create_table(
        "complaint_visit",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("line_id", sa.String(length=26), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("arrived_at", UtcDateTime(), nullable=False),
        sa.Column("left_at", UtcDateTime(), nullable=False),
        sa.Column("who", sa.String(length=80), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("photos", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("noted_at", UtcDateTime(), nullable=False),
        sa.Column("noted_by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["line_id"], ["complaint_line.id"], name=op.f("fk_complaint_visit_line_id_complaint_line")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaint_visit")),
    )
    op.create_index(op.f("ix_complaint_visit_line_id"), "complaint_visit", ["line_id"], unique=False)
    op.create_table(
        "crew_receivable",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("crew_id", sa.String(length=26), nullable=False),
        sa.Column("cost_id", sa.String(length=26), nullable=False),
        sa.Column("case_id", sa.String(length=26), nullable=False),
        sa.Column("amount", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("cleared_at", UtcDateTime(), nullable=True),
        sa.Column("cleared_by", sa.String(length=80), nullable=True),
        sa.Column("clear_note", sa.String(length=200), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["service_case.id"], name=op.f("fk_crew_receivable_case_id_service_case")
        ),
        sa.ForeignKeyConstraint(
            ["cost_id"], ["repair_cost.id"], name=op.f("fk_crew_receivable_cost_id_repair_cost")
        ),
        sa.ForeignKeyConstraint(["crew_id"], ["crew.id"], name=op.f("fk_crew_receivable_crew_id_crew")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crew_receivable")),
        sa.UniqueConstraint("cost_id", name=op.f("uq_crew_receivable_cost_id")),
    )
    op.create_index(op.f("ix_crew_receivable_crew_id"), "crew_receivable", ["crew_id"], unique=False)
    op.create_table(
        "deposit_posting",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("crew_id", sa.String(length=26), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("amount", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("project_id", sa.String(length=26), nullable=True),
        sa.Column("case_id", sa.String(length=26), nullable=True),
        sa.Column("cost_id", sa.String(length=26), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("by_id", sa.String(length=26), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["service_case.id"], name=op.f("fk_deposit_posting_case_id_service_case")
        ),
        sa.ForeignKeyConstraint(
            ["cost_id"], ["repair_cost.id"], name=op.f("fk_deposit_posting_cost_id_repair_cost")
        ),
        sa.ForeignKeyConstraint(
            ["crew_id"], ["deposit_account.crew_id"], name=op.f("fk_deposit_posting_crew_id_deposit_account")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_deposit_posting_project_id_project")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deposit_posting")),
        sa.UniqueConstraint("cost_id", name=op.f("uq_deposit_posting_cost_id")),
        sa.UniqueConstraint("crew_id", "seq", name=op.f("uq_deposit_posting_crew_id_seq")),
    )
    op.create_table(
        "repair_cost_bearer",
        sa.Column("cost_id", sa.String(length=26), nullable=False),
        sa.Column("bearer", sa.String(length=12), nullable=False),
        sa.Column("amount", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.ForeignKeyConstraint(
            ["cost_id"], ["repair_cost.id"], name=op.f("fk_repair_cost_bearer_cost_id_repair_cost")
        ),
        sa.PrimaryKeyConstraint("cost_id", "bearer", name=op.f("pk_repair_cost_bearer")),
    )
    op.create_table(
        "recovery",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("compensation_id", sa.String(length=26), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("staff_id", sa.String(length=26), nullable=True),
        sa.Column("amount", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("payroll_month", sa.String(length=7), nullable=True),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.Column("done_by", sa.String(length=80), nullable=True),
        sa.Column("done_note", sa.String(length=400), nullable=True),
        sa.ForeignKeyConstraint(
            ["compensation_id"], ["compensation.id"], name=op.f("fk_recovery_compensation_id_compensation")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery")),
    )
    op.create_index(op.f("ix_recovery_compensation_id"), "recovery", ["compensation_id"], unique=False)
    op.create_index(
        "ix_recovery_payroll_month_done_at", "recovery", ["payroll_month", "done_at"], unique=False
    )
    op.add_column("crew", sa.Column("phone", sa.String(length=20), nullable=True))
    op.add_column("crew", sa.Column("direct", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("crew", sa.Column("departed_on", sa.Date(), nullable=True))
    op.add_column("crew", sa.Column("departed_reason", sa.String(length=200), nullable=True))
    op.add_column("crew", sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    op.add_column("customer", sa.Column("level_set_by", sa.String(length=80), nullable=True))
    op.add_column("customer", sa.Column("level_set_at", UtcDateTime(), nullable=True))
    op.add_column(
        "customer",
        sa.Column("preferred_channel", sa.String(length=8), server_default="phone", nullable=False),
    )
    op.add_column("customer", sa.Column("preferred_from", sa.Time(), nullable=True))
    op.add_column("customer", sa.Column("preferred_until", sa.Time(), nullable=True))
    op.add_column("customer", sa.Column("frozen_scope", sa.String(length=8), nullable=True))
    op.add_column("customer", sa.Column("frozen_until", sa.Date(), nullable=True))
    op.add_column("customer", sa.Column("merged_into", sa.String(length=26), nullable=True))
    op.add_column("customer", sa.Column("created_by", sa.String(length=80), nullable=True))
    op.add_column("customer", sa.Column("updated_at", UtcDateTime(), nullable=True))
    op.add_column("customer", sa.Column("updated_by", sa.String(length=80), nullable=True))
    op.create_index(op.f("ix_customer_merged_into"), "customer", ["merged_into"], unique=False)
    op.add_column("customer_phone", sa.Column("ref", sa.String(length=26), nullable=True))
    op.add_column("customer_phone", sa.Column("kind", sa.String(length=10), nullable=True))
    op.add_column(
        "customer_phone", sa.Column("preferred", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.add_column("customer_phone", sa.Column("verified_at", UtcDateTime(), nullable=True))
    op.add_column("customer_phone", sa.Column("bad_since", UtcDateTime(), nullable=True))
    op.add_column("customer_phone", sa.Column("bad_reason", sa.String(length=20), nullable=True))
    op.add_column("department", sa.Column("deputy", sa.String(length=40), nullable=True))
    op.add_column("department", sa.Column("head_user_id", sa.String(length=26), nullable=True))
    op.add_column("department", sa.Column("deputy_user_id", sa.String(length=26), nullable=True))
    op.add_column("department", sa.Column("escalation_contact", sa.String(length=120), nullable=True))
    op.add_column("department", sa.Column("statistics_code", sa.String(length=16), nullable=True))
    op.add_column("department", sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("department", sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    op.add_column("project", sa.Column("community", sa.String(length=60), nullable=True))
    op.add_column("project", sa.Column("building", sa.String(length=20), nullable=True))
    op.add_column("project", sa.Column("unit", sa.String(length=20), nullable=True))
    op.add_column("project", sa.Column("room", sa.String(length=20), nullable=True))
    op.add_column("project", sa.Column("area_m2", sa.Numeric(precision=8, scale=2), nullable=True))
    op.add_column("project", sa.Column("store_id", sa.String(length=26), nullable=True))
    op.add_column("project", sa.Column("kind", sa.String(length=8), server_default="home", nullable=False))
    op.add_column("project", sa.Column("package", sa.String(length=60), nullable=True))
    op.add_column("project", sa.Column("changes", sa.Numeric(precision=12, scale=2), nullable=True))
    op.add_column("project", sa.Column("signed_on", sa.Date(), nullable=True))
    op.add_column("project", sa.Column("contract_starts_on", sa.Date(), nullable=True))
    op.add_column("project", sa.Column("contract_ends_on", sa.Date(), nullable=True))
    op.add_column("project", sa.Column("finished_on", sa.Date(), nullable=True))
    op.add_column("project", sa.Column("sales_person", sa.String(length=40), nullable=True))
    op.add_column("project", sa.Column("gang", sa.String(length=60), nullable=True))
    op.add_column("project", sa.Column("concealed_planned", sa.Date(), nullable=True))
    op.add_column("project", sa.Column("midterm_planned", sa.Date(), nullable=True))
    op.add_column(
        "project", sa.Column("delivery_state", sa.String(length=1), server_default="N", nullable=False)
    )
    op.add_column("project", sa.Column("warranty_no", sa.String(length=40), nullable=True))
    op.add_column("project", sa.Column("audit_ref", sa.String(length=40), nullable=True))
    op.add_column("project", sa.Column("archive_no", sa.String(length=40), nullable=True))
    op.add_column("project", sa.Column("stage_before", sa.Integer(), nullable=True))
    op.add_column("project", sa.Column("cancelled_at", UtcDateTime(), nullable=True))
    op.add_column("project", sa.Column("ended_reason", sa.String(length=200), nullable=True))
    op.add_column("project", sa.Column("created_at", UtcDateTime(), nullable=True))
    op.add_column("project", sa.Column("created_by", sa.String(length=80), nullable=True))
    op.add_column("project", sa.Column("updated_at", UtcDateTime(), nullable=True))
    op.add_column("project", sa.Column("updated_by", sa.String(length=80), nullable=True))
    op.add_column("project", sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    op.create_index("ix_project_stage_warranty_until", "project", ["stage", "warranty_until"], unique=False)
    op.add_column("service_case", sa.Column("content", sa.Text(), server_default="", nullable=False))
    op.add_column("service_case", sa.Column("severity", sa.Integer(), server_default="1", nullable=False))
    op.add_column("service_case", sa.Column("major", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column(
        "service_case", sa.Column("source", sa.String(length=20), server_default="phone", nullable=False)
    )
    op.add_column("service_case", sa.Column("external_no", sa.String(length=60), nullable=True))
    op.add_column("service_case", sa.Column("replied_to_source_at", UtcDateTime(), nullable=True))
    op.add_column("service_case", sa.Column("call_count", sa.Integer(), server_default="1", nullable=False))
    op.add_column("service_case", sa.Column("call_id", sa.String(length=26), nullable=True))
    op.add_column("service_case", sa.Column("specialist_id", sa.String(length=26), nullable=True))
    op.add_column("service_case", sa.Column("specialist_name", sa.String(length=80), nullable=True))
    op.add_column("service_case", sa.Column("store", sa.String(length=60), nullable=True))
    op.add_column("service_case", sa.Column("round", sa.Integer(), server_default="1", nullable=False))
    op.add_column("service_case", sa.Column("limit_set", sa.String(length=40), nullable=True))
    op.add_column("service_case", sa.Column("opened_by", sa.String(length=80), nullable=True))
    op.add_column("service_case", sa.Column("updated_at", UtcDateTime(), nullable=True))
    op.add_column("service_case", sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    op.create_index("ix_service_case_closed_at", "service_case", ["closed_at"], unique=False)
    op.create_index(
        "ix_service_case_kind_status_opened_at", "service_case", ["kind", "status", "opened_at"], unique=False
    )
    op.create_index("ix_service_case_opened_at", "service_case", ["opened_at"], unique=False)
    op.create_index("ix_service_case_project_id", "service_case", ["project_id"], unique=False)
    op.create_index(
        "ix_service_case_specialist_id_closed_at",
        "service_case",
        ["specialist_id", "closed_at"],
        unique=False,
    )
    op.create_index(
        "uq_service_case_source_external_no", "service_case", ["source", "external_no"], unique=True
    )
    op.add_column("store", sa.Column("address", sa.String(length=200), nullable=True))
    op.add_column("store", sa.Column("phone", sa.String(length=20), nullable=True))
    op.add_column("store", sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("store", sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    op.add_column("user_account", sa.Column("department", sa.String(length=16), nullable=True))
    for statements in (
        SEARCH_FTS,
        PEOPLE_BACKFILL,
        LIMIT_POLICY_FIXED,
        DEPOSIT_APPEND_ONLY,
        REPAIR_BACKFILL,
        HANDOFF_FIXED,
        KNOWLEDGE_FIXED,
        COMPLAINT_BACKFILL,
    ):
        for statement in statements[op.get_bind().dialect.name]:
            op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    """Take the schema back to the one before."""
    for statements in (
        SEARCH_FTS_DOWN,
        LIMIT_POLICY_FIXED_DOWN,
        DEPOSIT_APPEND_ONLY_DOWN,
        HANDOFF_FIXED_DOWN,
        KNOWLEDGE_FIXED_DOWN,
    ):
        for statement in statements[op.get_bind().dialect.name]:
            op.get_bind().exec_driver_sql(statement)
    op.drop_column("user_account", "department")
    op.drop_column("store", "version")
    op.drop_column("store", "active")
    op.drop_column("store", "phone")
    op.drop_column("store", "address")
    op.drop_index("uq_service_case_source_external_no", table_name="service_case")
    op.drop_index("ix_service_case_specialist_id_closed_at", table_name="service_case")
    op.drop_index("ix_service_case_project_id", table_name="service_case")
    op.drop_index("ix_service_case_opened_at", table_name="service_case")
    op.drop_index("ix_service_case_kind_status_opened_at", table_name="service_case")
    op.drop_index("ix_service_case_closed_at", table_name="service_case")
    op.drop_column("service_case", "version")
    op.drop_column("service_case", "updated_at")
    op.drop_column("service_case", "opened_by")
    op.drop_column("service_case", "limit_set")
    op.drop_column("service_case", "round")
    op.drop_column("service_case", "store")
    op.drop_column("service_case", "specialist_name")
    op.drop_column("service_case", "specialist_id")
    op.drop_column("service_case", "call_id")
    op.drop_column("service_case", "call_count")
    op.drop_column("service_case", "replied_to_source_at")
    op.drop_column("service_case", "external_no")
    op.drop_column("service_case", "source")
    op.drop_column("service_case", "major")
    op.drop_column("service_case", "severity")
    op.drop_column("service_case", "content")
    op.drop_index("ix_project_stage_warranty_until", table_name="project")
    op.drop_column("project", "version")
    op.drop_column("project", "updated_by")
    op.drop_column("project", "updated_at")
    op.drop_column("project", "created_by")
    op.drop_column("project", "created_at")
    op.drop_column("project", "ended_reason")
    op.drop_column("project", "cancelled_at")
    op.drop_column("project", "stage_before")
    op.drop_column("project", "archive_no")
    op.drop_column("project", "audit_ref")
    op.drop_column("project", "warranty_no")
    op.drop_column("project", "delivery_state")
    op.drop_column("project", "midterm_planned")
    op.drop_column("project", "concealed_planned")
    op.drop_column("project", "gang")
    op.drop_column("project", "sales_person")
    op.drop_column("project", "finished_on")
    op.drop_column("project", "contract_ends_on")
    op.drop_column("project", "contract_starts_on")
    op.drop_column("project", "signed_on")
    op.drop_column("project", "changes")
    op.drop_column("project", "package")
    op.drop_column("project", "kind")
    op.drop_column("project", "store_id")
    op.drop_column("project", "area_m2")
    op.drop_column("project", "room")
    op.drop_column("project", "unit")
    op.drop_column("project", "building")
    op.drop_column("project", "community")
    op.drop_column("department", "version")
    op.drop_column("department", "active")
    op.drop_column("department", "statistics_code")
    op.drop_column("department", "escalation_contact")
    op.drop_column("department", "deputy_user_id")
    op.drop_column("department", "head_user_id")
    op.drop_column("department", "deputy")
    op.drop_column("customer_phone", "bad_reason")
    op.drop_column("customer_phone", "bad_since")
    op.drop_column("customer_phone", "verified_at")
    op.drop_column("customer_phone", "preferred")
    op.drop_column("customer_phone", "kind")
    op.drop_column("customer_phone", "ref")
    op.drop_index(op.f("ix_customer_merged_into"), table_name="customer")
    op.drop_column("customer", "updated_by")
    op.drop_column("customer", "updated_at")
    op.drop_column("customer", "created_by")
    op.drop_column("customer", "merged_into")
    op.drop_column("customer", "frozen_until")
    op.drop_column("customer", "frozen_scope")
    op.drop_column("customer", "preferred_until")
    op.drop_column("customer", "preferred_from")
    op.drop_column("customer", "preferred_channel")
    op.drop_column("customer", "level_set_at")
    op.drop_column("customer", "level_set_by")
    op.drop_column("crew", "version")
    op.drop_column("crew", "departed_reason")
    op.drop_column("crew", "departed_on")
    op.drop_column("crew", "direct")
    op.drop_column("crew", "phone")
    op.drop_index("ix_recovery_payroll_month_done_at", table_name="recovery")
    op.drop_index(op.f("ix_recovery_compensation_id"), table_name="recovery")
    op.drop_table("recovery")
    op.drop_table("repair_cost_bearer")
    op.drop_table("deposit_posting")
    op.drop_index(op.f("ix_crew_receivable_crew_id"), table_name="crew_receivable")
    op.drop_table("crew_receivable")
    op.drop_index(op.f("ix_complaint_visit_line_id"), table_name="complaint_visit")
    op.drop_table("complaint_visit")
    op.drop_index(op.f("ix_complaint_plan_line_id"), table_name="complaint_plan")
    op.drop_table("complaint_plan")
    op.drop_index(op.f("ix_compensation_escalation_id"), table_name="compensation")
    op.drop_table("compensation")
    op.drop_index("ix_ticket_part_department_code_status", table_name="ticket_part")
    op.drop_table("ticket_part")
    op.drop_index(op.f("ix_repair_visit_case_id"), table_name="repair_visit")
    op.drop_table("repair_visit")
    op.drop_index(op.f("ix_repair_routing_case_id"), table_name="repair_routing")
    op.drop_table("repair_routing")
    op.drop_index("ix_repair_cost_state_costed_at", table_name="repair_cost")
    op.drop_index("ix_repair_cost_month", table_name="repair_cost")
    op.drop_index(op.f("ix_repair_cost_crew_id"), table_name="repair_cost")
    op.drop_table("repair_cost")
    op.drop_index(op.f("ix_repair_callback_case_id"), table_name="repair_callback")
    op.drop_table("repair_callback")
    op.drop_index("ix_opinion_notice_issued_at", table_name="opinion_notice")
    op.drop_table("opinion_notice")
    op.drop_index("ix_escalation_state_submitted_at", table_name="escalation")
    op.drop_index(op.f("ix_escalation_case_id"), table_name="escalation")
    op.drop_table("escalation")
    op.drop_index("ix_complaint_line_status", table_name="complaint_line")
    op.drop_index("ix_complaint_line_department_code_status", table_name="complaint_line")
    op.drop_table("complaint_line")
    op.drop_index(op.f("ix_complaint_callback_case_id"), table_name="complaint_callback")
    op.drop_table("complaint_callback")
    op.drop_table("complaint_call")
    op.drop_table("source_reply")
    op.drop_index(op.f("ix_repair_order_original_crew_id"), table_name="repair_order")
    op.drop_index("ix_repair_order_crew_id", table_name="repair_order")
    op.drop_index("ix_repair_order_callback_at", table_name="repair_order")
    op.drop_index("ix_repair_order_appointed_from", table_name="repair_order")
    op.drop_table("repair_order")
    op.drop_index("ix_problem_ticket_problem_key", table_name="problem_ticket")
    op.drop_index("ix_problem_ticket_converted_to", table_name="problem_ticket")
    op.drop_index("ix_problem_ticket_callback_ref_question_id", table_name="problem_ticket")
    op.drop_table("problem_ticket")
    op.drop_table("complaint")
    op.drop_index("ix_case_party_department_code", table_name="case_party")
    op.drop_table("case_party")
    op.drop_index("ix_case_handoff_state_sent_at", table_name="case_handoff")
    op.drop_index("ix_case_handoff_department_code_state", table_name="case_handoff")
    op.drop_index(op.f("ix_case_handoff_case_id"), table_name="case_handoff")
    op.drop_table("case_handoff")
    op.drop_index("ix_case_follow_up_at", table_name="case_follow_up")
    op.drop_table("case_follow_up")
    op.drop_index("ix_attachment_case_id", table_name="attachment")
    op.drop_table("attachment")
    op.drop_table("warranty")
    op.drop_index(
        "uq_stage_event_in_force",
        table_name="stage_event",
        sqlite_where=sa.text("voided_at IS NULL"),
        postgresql_where=sa.text("voided_at IS NULL"),
    )
    op.drop_index("ix_stage_event_project_id", table_name="stage_event")
    op.drop_table("stage_event")
    op.drop_index(op.f("ix_project_suspension_project_id"), table_name="project_suspension")
    op.drop_table("project_suspension")
    op.drop_index(op.f("ix_project_payment_project_id"), table_name="project_payment")
    op.drop_table("project_payment")
    op.drop_index("ix_do_not_call_number_e164", table_name="do_not_call_number")
    op.drop_table("do_not_call_number")
    op.drop_index(op.f("ix_limit_breach_record_id"), table_name="limit_breach")
    op.drop_index(op.f("ix_limit_breach_breached_at"), table_name="limit_breach")
    op.drop_table("limit_breach")
    op.drop_index(op.f("ix_do_not_call_entry_customer_id"), table_name="do_not_call_entry")
    op.drop_table("do_not_call_entry")
    op.drop_index(op.f("ix_customer_merge_kept_id"), table_name="customer_merge")
    op.drop_index(op.f("ix_customer_merge_gone_id"), table_name="customer_merge")
    op.drop_table("customer_merge")
    op.drop_index("ix_customer_freeze_open", table_name="customer_freeze")
    op.drop_index(op.f("ix_customer_freeze_customer_id"), table_name="customer_freeze")
    op.drop_table("customer_freeze")
    op.drop_index("ix_customer_consent_customer_id_purpose", table_name="customer_consent")
    op.drop_table("customer_consent")
    op.drop_index("ix_appraisal_proposal_state_proposed_at", table_name="appraisal_proposal")
    op.drop_index(op.f("ix_appraisal_proposal_record_id"), table_name="appraisal_proposal")
    op.drop_table("appraisal_proposal")
    op.drop_index(op.f("ix_staff_name"), table_name="staff")
    op.drop_table("staff")
    op.drop_index("ix_quality_feedback_month", table_name="quality_feedback")
    op.drop_table("quality_feedback")
    op.drop_index("ix_part_issue_point_id_month", table_name="part_issue")
    op.drop_table("part_issue")
    op.drop_index(op.f("ix_notice_recipient_notice_id"), table_name="notice_recipient")
    op.drop_table("notice_recipient")
    op.drop_index(op.f("ix_notice_read_notice_id"), table_name="notice_read")
    op.drop_table("notice_read")
    op.drop_index("ix_monthly_repair_account_month", table_name="monthly_repair_account")
    op.drop_table("monthly_repair_account")
    op.drop_index("ix_limit_timer_state_deadline_at_id", table_name="limit_timer")
    op.drop_index("ix_limit_timer_record_id", table_name="limit_timer")
    op.drop_index(op.f("ix_limit_timer_due_at"), table_name="limit_timer")
    op.drop_index(
        "ix_limit_timer_calendar_year",
        table_name="limit_timer",
        sqlite_where=sa.text("calendar_year IS NOT NULL"),
        postgresql_where=sa.text("calendar_year IS NOT NULL"),
    )
    op.drop_table("limit_timer")
    op.drop_table("knowledge_vote")
    op.drop_table("knowledge_version")
    op.drop_table("deposit_account")
    op.drop_table("search_document")
    op.drop_index("ix_repair_point_district", table_name="repair_point")
    op.drop_table("repair_point")
    op.drop_index("ix_outgoing_message_state_message_id", table_name="outgoing_message")
    op.drop_index(op.f("ix_outgoing_message_due_at"), table_name="outgoing_message")
    op.drop_index(op.f("ix_outgoing_message_created_at"), table_name="outgoing_message")
    op.drop_table("outgoing_message")
    op.drop_table("notice_rule")
    op.drop_table("notice_address")
    op.drop_index(op.f("ix_notice_expires_at"), table_name="notice")
    op.drop_index(op.f("ix_notice_created_at"), table_name="notice")
    op.drop_table("notice")
    op.drop_index(op.f("ix_message_rate_booked_until"), table_name="message_rate")
    op.drop_table("message_rate")
    op.drop_table("limit_policy")
    op.drop_index(op.f("ix_limit_choice_effective_from"), table_name="limit_choice")
    op.drop_table("limit_choice")
    op.drop_index(op.f("ix_later_notice_subject"), table_name="later_notice")
    op.drop_index(op.f("ix_later_notice_due_at"), table_name="later_notice")
    op.drop_table("later_notice")
    op.drop_index("ix_knowledge_article_active_area", table_name="knowledge_article")
    op.drop_table("knowledge_article")
    op.drop_index("ix_import_job_uploaded_at", table_name="import_job")
    op.drop_table("import_job")
    op.drop_table("case_number")
    op.drop_table("calendar_year")
    op.drop_table("calendar_day")
