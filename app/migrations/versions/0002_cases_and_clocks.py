"""Cases and clocks: people, projects, complaints, repairs, tickets, limits, notices, search."""

import sqlalchemy as sa
from alembic import op

from crm.search_tables import SEARCH_FTS, SEARCH_FTS_DOWN
from kernel.db import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "case_number",
        sa.Column("prefix", sa.String(length=12), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("prefix", name=op.f("pk_case_number")),
    )
    op.create_table(
        "search_document",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("ref_id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=26), nullable=True),
        sa.Column("title", sa.String(length=200), nullable=False),
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
    op.add_column("user_account", sa.Column("department", sa.String(length=16), nullable=True))
    for statements in (SEARCH_FTS,):
        for statement in statements[op.get_bind().dialect.name]:
            op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    """Take the schema back to the one before."""
    for statements in (SEARCH_FTS_DOWN,):
        for statement in statements[op.get_bind().dialect.name]:
            op.get_bind().exec_driver_sql(statement)
    op.drop_column("user_account", "department")
    op.drop_index("ix_service_case_specialist_id_closed_at", table_name="service_case")
    op.drop_index("ix_service_case_project_id", table_name="service_case")
    op.drop_index("ix_service_case_opened_at", table_name="service_case")
    op.drop_index("ix_service_case_kind_status_opened_at", table_name="service_case")
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
    op.drop_index("ix_case_party_department_code", table_name="case_party")
    op.drop_table("case_party")
    op.drop_table("search_document")
    op.drop_table("case_number")
