"""Imports every module that maps tables, so that the metadata is whole."""

import crm.limit_tables
import crm.notices.tables
import crm.people_tables
import crm.search_tables
import crm.tables
import ivr.tables
import kernel.audit
import kernel.outbox
import telephony.agent_tables
import telephony.tables
import web.tables

MODULES = (
    crm.limit_tables,
    crm.notices.tables,
    crm.people_tables,
    crm.search_tables,
    crm.tables,
    ivr.tables,
    kernel.audit,
    kernel.outbox,
    telephony.agent_tables,
    telephony.tables,
    web.tables,
)
