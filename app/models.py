"""Imports every module that maps tables, so that the metadata is whole."""

import callback_campaigns.campaign_tables
import callback_campaigns.questionnaire_tables
import callback_campaigns.queue_place_tables
import callback_campaigns.report_tables
import callback_campaigns.talk_tables
import callback_campaigns.task_tables
import crm.alert_rule_tables
import crm.attachment_tables
import crm.complaint_tables
import crm.deposit_rule_tables
import crm.duty_tables
import crm.escalation_tables
import crm.follow_up_tables
import crm.forwarded_tables
import crm.handoff_link_tables
import crm.improvement_tables
import crm.knowledge_tables
import crm.limit_tables
import crm.line_record_tables
import crm.material_tables
import crm.notices.tables
import crm.people_tables
import crm.repair_point_tables
import crm.repair_tables
import crm.request_tables
import crm.retention_tables
import crm.said_tables
import crm.search_tables
import crm.tables
import crm.ticket_tables
import crm.voice_tables
import crm.voicemail_tables
import ivr.tables
import kernel.audit
import kernel.failed_facts
import kernel.outbox
import speech.after_tables
import speech.clip_tables
import speech.masking_tables
import speech.rule_tables
import speech.said_tables
import speech.tables
import telephony.agent_message_tables
import telephony.agent_tables
import telephony.board_limit_tables
import telephony.call_quality_tables
import telephony.call_rating_tables
import telephony.day_tables
import telephony.listening_tables
import telephony.quality_tables
import telephony.recording_pause_tables
import telephony.recording_tables
import telephony.tables
import web.tables

MODULES = (
    callback_campaigns.campaign_tables,
    callback_campaigns.task_tables,
    callback_campaigns.talk_tables,
    callback_campaigns.questionnaire_tables,
    callback_campaigns.queue_place_tables,
    callback_campaigns.report_tables,
    crm.alert_rule_tables,
    crm.complaint_tables,
    crm.deposit_rule_tables,
    crm.duty_tables,
    crm.escalation_tables,
    crm.attachment_tables,
    crm.follow_up_tables,
    crm.forwarded_tables,
    crm.handoff_link_tables,
    crm.improvement_tables,
    crm.knowledge_tables,
    crm.limit_tables,
    crm.line_record_tables,
    crm.material_tables,
    crm.notices.tables,
    crm.people_tables,
    crm.repair_point_tables,
    crm.repair_tables,
    crm.request_tables,
    crm.retention_tables,
    crm.said_tables,
    crm.search_tables,
    crm.tables,
    crm.ticket_tables,
    crm.voice_tables,
    crm.voicemail_tables,
    ivr.tables,
    kernel.audit,
    kernel.failed_facts,
    kernel.outbox,
    speech.after_tables,
    speech.clip_tables,
    speech.masking_tables,
    speech.rule_tables,
    speech.said_tables,
    speech.tables,
    telephony.agent_message_tables,
    telephony.agent_tables,
    telephony.call_quality_tables,
    telephony.call_rating_tables,
    telephony.board_limit_tables,
    telephony.day_tables,
    telephony.listening_tables,
    telephony.quality_tables,
    telephony.recording_pause_tables,
    telephony.recording_tables,
    telephony.tables,
    web.tables,
)
