"""What the CRM's tables hold of people, and what they do not (:mod:`kernel.personal`)."""

from typing import Any

import crm.attachment_tables
import crm.complaint_tables
import crm.duty_tables
import crm.escalation_tables
import crm.follow_up_tables
import crm.forwarded_tables
import crm.line_record_tables
import crm.notices.tables
import crm.people_tables
import crm.repair_point_tables
import crm.repair_tables
import crm.request_tables
import crm.tables
import crm.ticket_tables
import crm.voice_tables  # noqa: F401 - whoever empties them needs them mapped
from kernel.personal import Owned, Personal, Place, Record

_LINE = (("complaint_line", "id", "case_id"),)
_ESCALATION = (("escalation", "id", "case_id"),)
_COMPENSATION = (("compensation", "id", "escalation_id"), *_ESCALATION)


def _case(table: str, *columns: str, by: str = "case_id", **more: Any) -> Place:
    return Place(table=table, columns=columns, of=Record.CASE, by=by, keeps="CASE", **more)


def _customer(table: str, *columns: str, by: str = "customer_id", **more: Any) -> Place:
    return Place(table=table, columns=columns, of=Record.CUSTOMER, by=by, keeps="CASE", **more)


def _project(table: str, *columns: str, by: str = "project_id", **more: Any) -> Place:
    return Place(table=table, columns=columns, of=Record.PROJECT, by=by, keeps="CASE", **more)


def _call(table: str, *columns: str, by: str = "call_id", **more: Any) -> Place:
    return Place(table=table, columns=columns, of=Record.CALL, by=by, keeps="ROUTINE", **more)


_NO_MOVES: dict[str, Any] = {"moved": {"rows": {}, "phones": [], "filled": {}}}
_CASES = (
    _case("service_case", "summary", "content", by="id", emptied={"content": ""}),
    _case(
        *("complaint", "demand", "waived_why", "reply_text", "not_filed_why", "root_cause"),
        "preventive_step",
        emptied={"demand": ""},
    ),
    _case("complaint_call", "note"),
    _case("complaint_callback", "note"),
    _case("complaint_plan", "plan", "decided_why", by="line_id", through=_LINE),
    _case(
        *("complaint_visit", "who", "record", "photos"),
        by="line_id",
        through=_LINE,
        emptied={"who": "", "photos": []},
    ),
    _case(
        *("complaint_record", "who", "done", "photos"),
        by="line_id",
        through=_LINE,
        emptied={"who": "", "photos": []},
    ),
    _case("complaint_line", "cause", "person", "reject_reason", "settled_why", "facts", "done_note"),
    _case(
        *("escalation", "cause", "process_so_far", "demand", "review_note", "visit_with", "visit_record"),
        *("outcome", "plan", "liability_note", "persons"),
        emptied={"persons": []},
    ),
    _case("compensation", "reason", "refused_why", by="escalation_id", through=_ESCALATION),
    _case("recovery", "done_note", by="compensation_id", through=_COMPENSATION),
    _case(
        "repair_order",
        "place",
        "customer_says",
        "notified_whom",
        "plan",
        "close_reason",
        emptied={"place": ""},
    ),
    _case("repair_visit", "result"),
    _case("repair_callback", "remark", "no_visit_reason"),
    _case("repair_routing", "note"),
    _case("repair_point_job", "note", "end_reason"),
    _case("repair_cost", "reason"),
    _case("problem_ticket", "question", "answer", "revisit_note", "converted_note", "waived_why"),
    _case("ticket_part", "cause", "solution", "refuse_reason", "settled_why"),
    _case("opinion_notice", "answer", "sheet", emptied={"sheet": {}}),
    _case("case_follow_up", "note"),
    _case("source_reply", "text", "told"),
    _case("case_handoff", "note", "reject_reason"),
    _case("customer_voice", "text"),
    _case("contact", "detail", by="ref", rows=True, unless=("channel", "payment")),
    _case("attachment", "name", rows=True),
)
_MESSAGE = ("e164", "transcript", "said_first", "said_raw", "topics")
_CUSTOMERS = (
    _customer(
        *("customer", "name", "salutation", "level_reason", "frozen_reason", "problem_reason"),
        by="id",
        emptied={"preferred_channel": "phone", "elder_mode": False},
    ),
    _customer("customer_phone", "e164", "label", rows=True),
    _customer("customer_freeze", "reason", "thaw_reason"),
    _customer("customer_consent", "evidence", "withdrawn_evidence"),
    _customer("do_not_call_entry", "evidence", "lift_reason", "lift_evidence"),
    _customer("customer_merge", "moved", "reason", "undo_reason", by="kept_id", emptied=_NO_MOVES),
    _customer("customer_merge", "moved", "reason", "undo_reason", by="gone_id", emptied=_NO_MOVES),
    _customer("customer_voice", "text"),
    _customer("contact", "detail", rows=True, unless=("channel", "payment")),
    _customer("callback_request", "e164", "reason", rows=True),
    _customer("voice_message", *_MESSAGE, rows=True),
    _customer("data_request", "wish"),
    _customer(
        *("search_document", "title", "label", "texts", "head", "body", "phones"),
        by_hand="crm.own_record.erase_customer",
    ),
)
_PROJECTS = (
    _project(
        *("project", "address", "community", "building", "unit", "room", "appraisal_note", "ended_reason"),
        by="id",
    ),
    _project("stage_event", "note", "void_reason"),
    _project("project_suspension", "reason"),
)
_CALLS = (
    _call("said_call", "customer", "agent", by_hand="crm.retention_texts.erase_call_notes"),
    _call("call_note", "notes", emptied={"notes": "", "customer_id": None}),
    _call("customer_voice", "text"),
    _call("callback_request", "e164", "reason", rows=True),
    _call("voice_message", *_MESSAGE, rows=True),
    _call("contact", "detail", by="ref", rows=True, unless=("channel", "payment")),
)
_NUMBERS = (
    Place(table="voice_message", columns=_MESSAGE, of=Record.NUMBER, by="e164", keeps="ROUTINE", rows=True),
    Place(
        table="callback_request",
        columns=("e164", "reason"),
        of=Record.NUMBER,
        by="e164",
        keeps="ROUTINE",
        rows=True,
    ),
    Place(
        table="outgoing_message",
        columns=("address", "parameters", "link"),
        of=Record.NUMBER,
        by="address",
        keeps="ROUTINE",
        rows=True,
    ),
)
_CONSENTS = (
    Place(
        table="customer_consent",
        columns=("evidence", "withdrawn_evidence"),
        of=Record.CONSENT,
        by="id",
        keeps="CASE",
    ),
)

PERSONAL = Personal(
    places=_CASES + _CUSTOMERS + _PROJECTS + _CALLS + _NUMBERS + _CONSENTS,
    owned=(
        Owned(Record.NUMBER, "customer_phone", "e164"),
        Owned(Record.PROJECT, "project", "id"),
        Owned(Record.CASE, "service_case", "id"),
        Owned(Record.CALL, "service_case", "call_id"),
        Owned(Record.CALL, "call_note", "call_id"),
        Owned(Record.CALL, "contact", "ref"),
        Owned(Record.CALL, "voice_message", "call_id"),
    ),
    innocent={
        "kept so that nobody calls this number again; the person is told": ("do_not_call_number.e164",),
        "proof of how a request was answered; the person is told": (
            *("data_request.evidence", "data_request.answer"),
        ),
        "proof of the manager's decision to hold a file": ("legal_hold.reason", "legal_hold.release_reason"),
        "about money between the company and who works for it; postings never change": (
            *("deposit_posting.note", "crew_receivable.clear_note", "project_payment.reason"),
            *("compensation.bearers", "compensation.voucher_no", "recovery.name", "recovery.payroll_month"),
            *("monthly_repair_account.approved_why", "part_issue.*", "repair_cost.material"),
            *("repair_cost.service_name", "repair_cost.company_name", "repair_cost_bearer.bearer"),
            *("project_payment.period", "project_payment.receipt_key", "escalation.shares"),
        ),
        "names the file by call, or says how a text was made; the file itself goes": (
            *("voice_message.path", "voice_message.origin", "voice_message.text_state"),
            *("voice_message.text_model", "voice_message.opinion", "voice_message.route"),
        ),
        "what the company knows of itself": (
            *("department.*", "store.*", "staff.*", "crew.*", "material.*", "repair_point.*", "duty_shift.*"),
            *("repair_point_visit.*", "repair_point_file.*", "repair_point_job.ended_how"),
            *("knowledge_*", "calendar_*", "case_number.prefix", "quality_feedback.*", "improvement_*"),
            *("patrol.*", "repair_order.original_crew_name", "limit_*", "appraisal_proposal.*"),
        ),
        "rules of the centre, and what complaints have in common: crews, makers, contract numbers": (
            *("alert_rule.*", "cause_cluster.*", "cause_cluster_head.*", "service_hours.*"),
        ),
        "the shift's log of the centre itself: names no customer and hangs on none": ("duty_entry.text",),
        "to who works here; swept when it was read or sent long ago (crm/notices/tidy.py)": (
            *("notice.*", "later_notice.*", "notice_*", "message_rate.*"),
            *("outgoing_message.language", "outgoing_message.last_error", "outgoing_message.provider_ref"),
        ),
        "counts and rows that were wrong; the file itself goes when it was read": ("import_job.*",),
        "a choice from a list": (
            *("customer.preferred_channel", "customer.frozen_scope", "customer_phone.bad_reason"),
            *("customer_freeze.callback_kind", "customer_consent.purpose", "customer_consent.basis"),
            *("customer_consent.text_version", "do_not_call_entry.source", "attachment.purpose"),
            *("service_case.nature", "service_case.urgency"),
            *("service_case.source", "complaint.escalation_why", "complaint_line.mode", "opinion_notice.why"),
            *("complaint_callback.lines", "complaint_callback.leads_to", "case_handoff.form"),
            *("source_reply.way", "repair_order.repair_class", "repair_order.warranty", "repair_order.route"),
            *("repair_order.route_reason", "repair_order.notified_way", "repair_routing.route"),
            *("repair_routing.reason", "repair_callback.problem", "repair_callback.timely"),
            *("repair_visit.outcome", "problem_ticket.converted_why", "call_note.disposition"),
            *("erasure.retention_class", "warranty.flag", "warranty.excluded", "project.delivery_state"),
            *("warranty_item.code", "warranty_item.name", "warranty_item.why"),
            "complaint_line.manufacturer",
        ),
        "a number or a name of the company's own papers": (
            *("project.contract_no", "project.package", "project.gang", "project.warranty_no"),
            *("project.audit_ref", "project.archive_no", "stage_event.sheet_ref", "stage_event.callback_ref"),
            *("service_case.external_no", "service_case.store", "service_case.limit_set"),
            *("problem_ticket.question_id", "problem_ticket.callback_ref", "problem_ticket.recording_ref"),
            *("problem_ticket.problem_key", "problem_ticket.revisit_ref", "problem_ticket.converted_no"),
            *("contact.ref", "contact.agent", "search_document.ref_id", "search_document.audience"),
            "said_call.marks",
        ),
        "who of a department took a sheet, and how": (
            *("case_handoff.received_ip", "case_handoff.signature_kind", "case_handoff.signature_hash"),
            *("case_handoff.strokes", "case_handoff.verification", "handoff_link.token_hash"),
            *("complaint.analysis_owner", "escalation.liability_with", "opinion_notice.addressed_to"),
        ),
        "which competitor and what offer: market news": ("customer_voice.competitor",),
    },
)
