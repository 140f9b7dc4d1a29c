"""The pages: server-rendered, a file per screen. ``setup(app)`` adds them all."""

from aiohttp import web

from web.pages import (
    account,
    agent,
    agent_heard,
    board_limits,
    call_text,
    callback_answers,
    callback_form,
    callback_results,
    callback_voices,
    callback_work,
    callbacks,
    calls,
    campaigns,
    case_advice,
    case_board,
    case_new,
    case_parts,
    case_suggest,
    case_upload,
    cases,
    customer_call,
    exports,
    figures,
    flows,
    knowledge,
    line_messages,
    lists,
    my_day,
    notices,
    office,
    people,
    questionnaires,
    queue_places,
    queues,
    recordings,
    regular_reports,
    repair_new,
    routing,
    said,
    search,
    shell,
    sign_in,
    speech_rules,
    supervisor,
    system,
    transcripts,
    users,
    voice_messages,
    wallboard,
)


def setup(app: web.Application) -> None:
    """Add templates, static files and every page."""
    shell.setup(app)
    sign_in.setup(app)
    account.setup(app)
    agent.setup(app)
    agent_heard.setup(app)
    supervisor.setup(app)
    system.setup(app)
    board_limits.setup(app)
    wallboard.setup(app)
    call_text.setup(app)
    calls.setup(app)
    recordings.setup(app)
    callbacks.setup(app)
    callback_answers.setup(app)
    callback_form.setup(app)
    callback_results.setup(app)
    regular_reports.setup(app)
    callback_voices.setup(app)
    queue_places.setup(app)
    queues.setup(app)
    voice_messages.setup(app)
    callback_work.setup(app)
    people.setup(app)
    notices.setup(app)
    said.setup(app)
    transcripts.setup(app)
    search.setup(app)
    case_parts.setup(app)
    case_suggest.setup(app)
    speech_rules.setup(app)
    routing.setup(app)
    flows.setup(app)
    line_messages.setup(app)
    users.setup(app)
    case_board.setup(app)
    case_new.setup(app)  # before single cases: «new» is no id
    case_advice.setup(app)
    repair_new.setup(app)
    cases.setup(app)
    case_upload.setup(app)
    customer_call.setup(app)
    exports.setup(app)
    campaigns.setup(app)
    my_day.setup(app)
    office.setup(app)
    knowledge.setup(app)
    questionnaires.setup(app)
    figures.setup(app)
    lists.setup(app)
