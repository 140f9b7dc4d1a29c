"""``/api/v1/alert-rules`` and ``/cause-heaps``: what is told at once, and complaints that came in a heap."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated

from aiohttp import web
from pydantic import Field, StringConstraints

from crm.alert_rules import NewRules
from crm.domain.alert_rules import MOST_COMPLAINTS, MOST_DAYS, HeapRule, Subject
from crm.domain.watchwords import MAX_WORDS, About
from web.api.operation import Call, operation
from web.api.v1.complaints_answers import ComplaintHeader
from web.api.v1.complaints_schemas import ComplaintBody, Cursor, Limit
from web.api.v1.schemas import NoQuery, Out, Query, SiteTime
from web.crm_part import CRM
from web.idempotency import Idempotency
from web.permissions import Permission

TAG = "alerts"
HEAP = (("heap_id", "Id of the heap."),)
Word = Annotated[str, StringConstraints(max_length=40)]
Words = Annotated[tuple[Word, ...], Field(max_length=MAX_WORDS)]


class HeapRuleBody(ComplaintBody):
    """How many complaints in how many days are a heap; `needed` 0: nobody looks."""

    needed: int = Field(ge=0, le=MOST_COMPLAINTS)
    days: int = Field(ge=1, le=MOST_DAYS)


class AlertRulesIn(ComplaintBody):
    """Rules to put in force; subjects and kinds of words that are left out are not looked for."""

    words: dict[About, Words] = Field(description="Kind of word → words of 2 to 20 characters.")
    heaps: dict[Subject, HeapRuleBody]
    starts_on: date | None = Field(None, description="A day of the site's, today or later; at once without.")
    why: str = Field("", max_length=200)
    expected: int = Field(
        ge=0, description="`latest` as it was read: stands for If-Match, as there may be no version yet."
    )


class HeapRuleOut(Out):
    """How many complaints in how many days are a heap."""

    needed: int
    days: int


class AlertRulesOut(Out):
    """A version of the rules; 0 is what comes with the product, or the centre's own file."""

    version: int
    valid_from: SiteTime | None
    words: dict[About, tuple[str, ...]]
    heaps: dict[Subject, HeapRuleOut]
    why: str
    created_at: SiteTime | None
    created_by: str


class AlertRulesNow(Out):
    """The rules in force; `latest` is the number of the version that was published last."""

    rules: AlertRulesOut
    latest: int


class AlertRulesList(Out):
    """What was published, the newest first."""

    items: tuple[AlertRulesOut, ...]
    next_cursor: str | None


class AlertRulesQuery(Query):
    """Which page."""

    cursor: Cursor | None = None
    limit: Limit = 50


class CauseHeapsQuery(Query):
    """Which heaps."""

    unseen: bool = False
    cursor: Cursor | None = None
    limit: Limit = 50


class CauseHeapOut(Out):
    """Complaints that came in a heap; `growing`: another one would be of it."""

    heap_id: str
    subject_kind: Subject
    subject: str
    class_code: int | None
    subclass: str | None
    needed: int
    days: int
    cases: int
    told_at: SiteTime
    last_at: SiteTime
    growing: bool
    seen_at: SiteTime | None
    seen_by: str | None
    version: int


class CauseHeapList(Out):
    """A page of heaps, those first that had a complaint last."""

    items: tuple[CauseHeapOut, ...]
    next_cursor: str | None


class CauseHeapDetail(Out):
    """A heap with its complaints, the newest first: at most 200."""

    heap: CauseHeapOut
    items: tuple[ComplaintHeader, ...]
    version: int


@operation(
    query=NoQuery,
    response=AlertRulesNow,
    permission=Permission.LIMITS_VIEW,
    summary="Read the rules of what is told at once: watchwords, and complaints in a heap",
    tag=TAG,
)
async def get_alert_rules(call: Call[NoQuery]) -> AlertRulesNow:
    """Return the rules in force."""
    book = call.request.app[CRM].alert_rules
    found = {"rules": await book.current(call.actor), "latest": await book.latest(call.actor)}
    return AlertRulesNow.model_validate(found, from_attributes=True)


@operation(
    query=AlertRulesQuery,
    response=AlertRulesList,
    permission=Permission.LIMITS_VIEW,
    summary="List the versions of the rules, the newest first",
    tag=TAG,
)
async def list_alert_rules(call: Call[AlertRulesQuery]) -> AlertRulesList:
    """Return a page of versions."""
    page = await call.request.app[CRM].alert_rules.versions(
        call.actor, cursor=call.query.cursor, limit=call.query.limit
    )
    return AlertRulesList.model_validate(page)


@operation(
    query=NoQuery,
    response=AlertRulesOut,
    permission=Permission.LIMITS_CONFIGURE,
    summary="Put rules of what is told at once in force",
    description="What was told stays told. They take the place of versions that lie ahead; 412 when stale.",
    tag=TAG,
    body=AlertRulesIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def publish_alert_rules(call: Call[NoQuery]) -> AlertRulesOut:
    """Publish rules."""
    given = call.body(AlertRulesIn)
    new = NewRules(
        words=given.words,
        heaps={subject: HeapRule(rule.needed, rule.days) for subject, rule in given.heaps.items()},
        starts_on=given.starts_on,
        why=given.why,
    )
    done = await call.request.app[CRM].alert_rules.publish(call.actor, new, expected=given.expected)
    return AlertRulesOut.model_validate(done)


@operation(
    query=CauseHeapsQuery,
    response=CauseHeapList,
    permission=Permission.RED_LIST_VIEW,
    summary="List complaints that came in a heap",
    tag=TAG,
)
async def list_cause_heaps(call: Call[CauseHeapsQuery]) -> CauseHeapList:
    """Return a page of heaps."""
    asked = call.query
    page = await call.request.app[CRM].heaps.page(
        call.actor, unseen=asked.unseen, cursor=asked.cursor, limit=asked.limit
    )
    return CauseHeapList.model_validate(page)


@operation(
    query=NoQuery,
    response=CauseHeapDetail,
    permission=Permission.RED_LIST_VIEW,
    summary="Read a heap with the complaints behind it",
    tag=TAG,
    path_parameters=HEAP,
)
async def get_cause_heap(call: Call[NoQuery]) -> CauseHeapDetail:
    """Return a heap."""
    found = await call.request.app[CRM].heaps.get(call.actor, call.request.match_info["heap_id"])
    answer = {"heap": found.heap, "items": found.cases, "version": found.heap.version}
    return CauseHeapDetail.model_validate(answer, from_attributes=True)


@operation(
    query=NoQuery,
    response=CauseHeapOut,
    permission=Permission.CASES_DECIDE,
    summary="Write down that the manager looked at a heap",
    description="412 when another complaint came meanwhile.",
    tag=TAG,
    path_parameters=HEAP,
    if_match=True,
)
async def note_cause_heap(call: Call[NoQuery]) -> CauseHeapOut:
    """Take note of a heap."""
    heap_id = call.request.match_info["heap_id"]
    done = await call.request.app[CRM].heaps.take_note(call.actor, heap_id, call.expected)
    return CauseHeapOut.model_validate(done)


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/alert-rules", get_alert_rules),
    ("GET", "/alert-rules/versions", list_alert_rules),
    ("POST", "/alert-rules", publish_alert_rules),
    ("GET", "/cause-heaps", list_cause_heaps),
    ("GET", "/cause-heaps/{heap_id}", get_cause_heap),
    ("POST", "/cause-heaps/{heap_id}/noted", note_cause_heap),
)
