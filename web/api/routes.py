"""The routes of the API."""

import json
from collections.abc import Awaitable, Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from aiohttp import web

from web.api.v1.agents import list_agents
from web.api.v1.alert_rules import ROUTES as ALERT_ROUTES
from web.api.v1.appraisals import ROUTES as APPRAISAL_ROUTES
from web.api.v1.attachments import ROUTES as ATTACHMENT_ROUTES
from web.api.v1.board_limits import ROUTES as BOARD_LIMIT_ROUTES
from web.api.v1.call_control import ROUTES as CALL_CONTROL_ROUTES
from web.api.v1.callback_results import ROUTES as CALLBACK_RESULT_ROUTES
from web.api.v1.callback_talks import ROUTES as CALLBACK_TALK_ROUTES
from web.api.v1.callback_tasks import ROUTES as CALLBACK_TASK_ROUTES
from web.api.v1.callback_voices import ROUTES as CALLBACK_VOICE_ROUTES
from web.api.v1.calls import get_call, list_calls
from web.api.v1.campaign_files import ROUTES as CAMPAIGN_FILE_ROUTES
from web.api.v1.campaigns import ROUTES as CAMPAIGN_ROUTES
from web.api.v1.case_figures import ROUTES as FIGURE_ROUTES
from web.api.v1.complaint_lines import ROUTES as COMPLAINT_LINE_ROUTES
from web.api.v1.complaint_records import ROUTES as COMPLAINT_RECORD_ROUTES
from web.api.v1.complaint_severity import ROUTES as COMPLAINT_SEVERITY_ROUTES
from web.api.v1.complaints import ROUTES as COMPLAINT_ROUTES
from web.api.v1.customer_calls import ROUTES as CUSTOMER_CALL_ROUTES
from web.api.v1.customers import find_customers
from web.api.v1.data_requests import ROUTES as DATA_REQUEST_ROUTES
from web.api.v1.deposit_rules import ROUTES as DEPOSIT_RULE_ROUTES
from web.api.v1.directing import ROUTES as DIRECTING_ROUTES
from web.api.v1.dispositions import ROUTES as DISPOSITION_ROUTES
from web.api.v1.duty import ROUTES as DUTY_ROUTES
from web.api.v1.escalations import ROUTES as ESCALATION_ROUTES
from web.api.v1.forwarded import ROUTES as FORWARDED_ROUTES
from web.api.v1.handoff_links import ROUTES as HANDOFF_LINK_ROUTES
from web.api.v1.handoffs import ROUTES as HANDOFF_ROUTES
from web.api.v1.imports import FILES as IMPORT_FILES
from web.api.v1.imports import ROUTES as IMPORT_ROUTES
from web.api.v1.improvements import ROUTES as IMPROVEMENT_ROUTES
from web.api.v1.knowledge import ROUTES as KNOWLEDGE_ROUTES
from web.api.v1.legal_holds import ROUTES as LEGAL_HOLD_ROUTES
from web.api.v1.line_messages import ROUTES as LINE_MESSAGE_ROUTES
from web.api.v1.listenings import ROUTES as LISTENING_ROUTES
from web.api.v1.materials import ROUTES as MATERIAL_ROUTES
from web.api.v1.notices import ROUTES as NOTICE_ROUTES
from web.api.v1.number_calls import ROUTES as NUMBER_CALL_ROUTES
from web.api.v1.office_lists import ROUTES as OFFICE_LIST_ROUTES
from web.api.v1.organisation import ROUTES as ORGANISATION_ROUTES
from web.api.v1.people import ROUTES as PEOPLE_ROUTES
from web.api.v1.people_wishes import ROUTES as WISH_ROUTES
from web.api.v1.projects import ROUTES as PROJECT_ROUTES
from web.api.v1.questionnaires import ROUTES as QUESTIONNAIRE_ROUTES
from web.api.v1.queues import list_queues
from web.api.v1.recording_pauses import ROUTES as RECORDING_PAUSE_ROUTES
from web.api.v1.repair_points import ROUTES as REPAIR_POINT_ROUTES
from web.api.v1.repairs import ROUTES as REPAIR_ROUTES
from web.api.v1.repairs_costs import ROUTES as REPAIR_COST_ROUTES
from web.api.v1.repairs_warranty import ROUTES as WARRANTY_ROUTES
from web.api.v1.repeat_calls import ROUTES as REPEAT_CALL_ROUTES
from web.api.v1.routing_rules import ROUTES as ROUTING_ROUTES
from web.api.v1.said import ROUTES as SAID_ROUTES
from web.api.v1.search import ROUTES as SEARCH_ROUTES
from web.api.v1.speech_rules import ROUTES as SPEECH_RULE_ROUTES
from web.api.v1.staffing import ROUTES as STAFFING_ROUTES
from web.api.v1.system import ROUTES as SYSTEM_ROUTES
from web.api.v1.tickets import ROUTES as TICKET_ROUTES
from web.api.v1.transcripts import ROUTES as TRANSCRIPT_ROUTES
from web.api.v1.users import ROUTES as USER_ROUTES
from web.api.v1.voice_messages import ROUTES as VOICE_MESSAGE_ROUTES
from web.api.v1.voices import ROUTES as VOICE_ROUTES
from web.openapi import API_PREFIX, OPENAPI_PATH, describe
from web.permissions import public

Route = tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]]
ROUTES: tuple[Route, ...] = (
    *PEOPLE_ROUTES,
    *WISH_ROUTES,
    *PROJECT_ROUTES,
    *ORGANISATION_ROUTES,
    *IMPORT_ROUTES,
    *IMPORT_FILES,
    *COMPLAINT_ROUTES,
    *COMPLAINT_LINE_ROUTES,
    *COMPLAINT_RECORD_ROUTES,
    *COMPLAINT_SEVERITY_ROUTES,
    *REPEAT_CALL_ROUTES,
    *RECORDING_PAUSE_ROUTES,
    *LISTENING_ROUTES,
    *DIRECTING_ROUTES,
    *CALL_CONTROL_ROUTES,
    *CUSTOMER_CALL_ROUTES,
    *NUMBER_CALL_ROUTES,
    *HANDOFF_ROUTES,
    *HANDOFF_LINK_ROUTES,
    *ESCALATION_ROUTES,
    *ALERT_ROUTES,
    *APPRAISAL_ROUTES,
    *IMPROVEMENT_ROUTES,
    *VOICE_ROUTES,
    *VOICE_MESSAGE_ROUTES,
    *SPEECH_RULE_ROUTES,
    *ROUTING_ROUTES,
    *LINE_MESSAGE_ROUTES,
    *STAFFING_ROUTES,
    *DEPOSIT_RULE_ROUTES,
    *MATERIAL_ROUTES,
    *DISPOSITION_ROUTES,
    *DUTY_ROUTES,
    *REPAIR_ROUTES,
    *REPAIR_COST_ROUTES,
    *WARRANTY_ROUTES,
    *ATTACHMENT_ROUTES,
    *LEGAL_HOLD_ROUTES,
    *DATA_REQUEST_ROUTES,
    *TICKET_ROUTES,
    *TRANSCRIPT_ROUTES,
    *FORWARDED_ROUTES,
    *KNOWLEDGE_ROUTES,
    *CALLBACK_TASK_ROUTES,
    *CALLBACK_TALK_ROUTES,
    *CALLBACK_VOICE_ROUTES,
    *CAMPAIGN_ROUTES,
    *CAMPAIGN_FILE_ROUTES,
    *QUESTIONNAIRE_ROUTES,
    *REPAIR_POINT_ROUTES,
    *SEARCH_ROUTES,
    *SAID_ROUTES,
    *NOTICE_ROUTES,
    *FIGURE_ROUTES,
    *CALLBACK_RESULT_ROUTES,
    *BOARD_LIMIT_ROUTES,
    *SYSTEM_ROUTES,
    *USER_ROUTES,
    *OFFICE_LIST_ROUTES,
)
"""The routes of the areas: method, path below the prefix, handler. Each area's module has its own tuple."""

OPENAPI: web.AppKey[dict[str, Any]] = web.AppKey("OPENAPI")


def setup(app: web.Application) -> None:
    """Add the routes and describe them."""
    app.router.add_get(f"{API_PREFIX}/calls", list_calls)
    app.router.add_get(f"{API_PREFIX}/calls/{{call_id}}", get_call)
    app.router.add_get(f"{API_PREFIX}/queues", list_queues)
    app.router.add_get(f"{API_PREFIX}/agents", list_agents)
    app.router.add_get(f"{API_PREFIX}/customers", find_customers)
    app.router.add_get(OPENAPI_PATH, get_openapi)
    for method, path, handler in ROUTES:
        app.router.add_route(method, f"{API_PREFIX}{path}", handler)
    app[OPENAPI] = describe(app, version=_version())


@public
async def get_openapi(request: web.Request) -> web.Response:
    """Return the OpenAPI document; it tells nothing that the source does not."""
    body = json.dumps(request.app[OPENAPI], ensure_ascii=False).encode()
    return web.Response(body=body, content_type="application/json")


def _version() -> str:
    try:
        return version("huifang")
    except PackageNotFoundError:
        return "0"
