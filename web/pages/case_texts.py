"""What was said in the calls of a case or a callback: folded on its page, for who may read each of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiohttp import web

from callback_campaigns.case_calls import calls_of_case as dialled_for_case
from callback_campaigns.case_calls import calls_of_task
from crm.case_call_ids import calls_of_case
from crm.confidential import calls_hidden
from speech.events import AGENT, CUSTOMER
from speech.said import sentences_of
from web import labels
from web.deps import DEPS
from web.i18n import N_
from web.identity import current_actor, current_user
from web.permissions import Permission
from web.said import may_find_said

CALLS = 8
"""Newest calls whose text is shown."""
LINES = 120
"""First sentences of each; the call's page has all."""
SPEAKERS = {CUSTOMER: N_("客户"), AGENT: N_("坐席")}


@dataclass(frozen=True, slots=True)
class FoldedLine:
    """A sentence; ``at`` is where it begins in the recording, in seconds."""

    segment_id: str
    speaker: str
    who: str
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class FoldedText:
    """What was said in one call; ``more`` is how many sentences are not shown here."""

    call_id: str
    started_at: datetime
    direction: str
    agent: str
    lines: tuple[FoldedLine, ...]
    more: int


async def texts_of_case(request: web.Request, case_id: str) -> tuple[FoldedText, ...]:
    """Return the texts of a case's calls, newest first."""
    if not may_find_said(current_user(request)):
        return ()
    async with request.app[DEPS].database.session() as session:
        calls = {*await calls_of_case(session, case_id), *await dialled_for_case(session, case_id)}
    return await _texts(request, sorted(calls, reverse=True))


async def texts_of_task(request: web.Request, task_id: str) -> tuple[FoldedText, ...]:
    """Return the texts of a callback's calls, newest first."""
    if not may_find_said(current_user(request)):
        return ()
    async with request.app[DEPS].database.session() as session:
        calls = await calls_of_task(session, task_id)
    return await _texts(request, sorted(calls, reverse=True))


async def _texts(request: web.Request, call_ids: Sequence[str]) -> tuple[FoldedText, ...]:
    """Ids of calls begin with their time."""
    user, deps = current_user(request), request.app[DEPS]
    found = await deps.history.many(call_ids) if call_ids else {}
    calls = [
        call
        for call in found.values()
        if call.ended_at is not None
        and (user.can(Permission.RECORDINGS_PLAY) or call.agent_id == user.agent_id)
    ]
    calls = sorted(calls, key=lambda call: call.started_at, reverse=True)[:CALLS]
    ids = [call.call_id for call in calls]
    async with deps.database.session() as session:
        hidden = await calls_hidden(session, current_actor(request), ids)
        said = await sentences_of(session, [one for one in ids if one not in hidden])
    texts = []
    for call in calls:
        sentences = said.get(call.call_id, [])
        if not sentences:
            continue
        offset = ((call.answered_at or call.started_at) - call.started_at) / timedelta(seconds=1)
        lines = tuple(
            FoldedLine(
                segment_id=one.segment_id,
                speaker=one.speaker,
                who=labels.word(SPEAKERS, one.speaker),
                at=round(max(0.0, one.start - offset), 2),
                text=one.text,
            )
            for one in sentences[:LINES]
        )
        texts.append(
            FoldedText(
                call_id=call.call_id,
                started_at=call.started_at,
                direction=labels.word(labels.DIRECTIONS, call.direction),
                agent=call.agent or "",
                lines=lines,
                more=max(0, len(sentences) - LINES),
            )
        )
    return tuple(texts)
