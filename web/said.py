"""Who said it: calls with the sentences in which the words stand, for the page and the API."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web

from crm.domain.search_text import Term, marks
from crm.domain.snippet import Shown, shown
from crm.said_search import SaidAsked, SaidSearch
from speech.said import Sentence, sentences_of
from speech.spoken import moments
from telephony.views import CallView
from web.deps import DEPS
from web.disclosure import note_numbers
from web.identity import CurrentUser, current_actor, current_user
from web.masking import shown_call
from web.permissions import Permission

LINES = 3
"""Sentences of a call that are shown; the call's page has all of them."""

SAID: web.AppKey[SaidSearch] = web.AppKey("SAID", SaidSearch)


@dataclass(frozen=True, slots=True)
class SaidLine:
    """A sentence with the words marked; ``at`` is where they are in the recording, in seconds."""

    segment_id: str
    speaker: str
    at: float
    text: Shown


@dataclass(frozen=True, slots=True)
class SaidCallFound:
    """A call, as the reader may see it, and the first sentences; ``more`` is how many there are besides."""

    call: CallView
    lines: tuple[SaidLine, ...]
    more: int


@dataclass(frozen=True, slots=True)
class SaidPage:
    """Calls, newest first; ``next_cursor`` is ``None`` on the last page."""

    items: tuple[SaidCallFound, ...] = ()
    next_cursor: str | None = None


def setup(app: web.Application) -> None:
    """Make the search."""
    app[SAID] = SaidSearch(app[DEPS].database)


def may_find_said(user: CurrentUser) -> bool:
    """Tell whether there can be anything to find for somebody."""
    heard = user.can(Permission.RECORDINGS_PLAY) or user.agent_id is not None
    return heard and user.can(Permission.CALLS_VIEW)


async def find_said(
    request: web.Request, asked: SaidAsked, *, limit: int, cursor: str | None = None
) -> SaidPage:
    """Return a page of calls; that whole numbers were shown is written down.

    Raises:
        HuifangError: see :meth:`crm.said_search.SaidSearch.find`.
    """
    user, deps = current_user(request), request.app[DEPS]
    found = await request.app[SAID].find(
        current_actor(request), asked, agent_id=user.agent_id, limit=limit, cursor=cursor
    )
    if not found.call_ids:
        return SaidPage(next_cursor=found.next_cursor)
    calls = await deps.history.many(found.call_ids)
    if not user.can(Permission.RECORDINGS_PLAY):
        # The index knows whose a call was when it was read; what counts is whose it is.
        calls = {call_id: call for call_id, call in calls.items() if call.agent_id == user.agent_id}
    async with deps.database.session() as session:
        said = await sentences_of(session, tuple(calls), speaker=asked.speaker)
        hits = {call_id: _hits(said.get(call_id, ()), found.terms) for call_id in calls}
        first = {one.segment_id: text.marks[0][0] for lines in hits.values() for one, text in lines[:LINES]}
        at = await moments(session, first)
    items = tuple(
        SaidCallFound(
            shown_call(calls[call_id], user),
            tuple(_line(one, text, at, calls[call_id]) for one, text in hits[call_id][:LINES]),
            max(0, len(hits[call_id]) - LINES),
        )
        for call_id in found.call_ids
        if call_id in calls and hits[call_id]
    )
    await note_numbers(request, user, [calls[item.call.call_id] for item in items])
    return SaidPage(items, found.next_cursor)


def _hits(sentences: Sequence[Sentence], terms: Sequence[Term]) -> list[tuple[Sentence, Shown]]:
    return [(one, shown(one.text, terms)) for one in sentences if marks(one.text, terms)]


def _line(one: Sentence, text: Shown, at: dict[str, float], call: CallView) -> SaidLine:
    begun = call.answered_at or call.started_at
    offset = (begun - call.started_at) / timedelta(seconds=1)
    moment = max(0.0, at.get(one.segment_id, one.start) - offset)
    return SaidLine(one.segment_id, one.speaker, round(moment, 2), text)
