"""A customer's time line in words: calls, cases, callbacks, messages, visits, payments, each in its own."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from crm.notices.rules import shipped
from crm.timeline import Channel, TimelineEntry
from web import labels
from web.dispositions import dispositions_of
from web.i18n import N_, current_language, gettext
from web.pages import callback_words, case_words, repair_words, ticket_words, voice_messages
from web.pages.notices import CHANNELS as MESSAGE_CHANNELS
from web.pages.notices import STATES as MESSAGE_STATES
from web.pages.notices import TONES as MESSAGE_TONES
from web.pages.shell import ROSTER

KINDS = {
    "case": N_("事项"),
    "callback": N_("回访"),
    "message": N_("发给客户"),
    "visit": N_("上门"),
    "payment": N_("收付款"),
    "voicemail": N_("语音留言"),
}
PAYMENTS = {"payment_posted": N_("已入账"), "payment_reversed": N_("已冲销")}
CALLED_BACK = {
    **callback_words.OUTCOMES,
    **callback_words.ENDINGS,
    **ticket_words.REVISITS,
    **case_words.PROBLEMS,
    **case_words.VERDICTS,
}
ATTEMPTS = {"attempt": N_("回访未接通"), "answered": N_("回访未完成")}
RESULTS: Mapping[str, Mapping[str, str]] = {
    "call": labels.CALL_RESULTS,
    "case": labels.CASE_STATUSES,
    "callback": CALLED_BACK,
    "message": MESSAGE_STATES,
    "visit": repair_words.OUTCOMES,
    "payment": PAYMENTS,
    "voicemail": voice_messages.ROUTES,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry in words.

    Attributes:
        kind: what happened, such as 呼入 or 短信.
        about: which one: the case's kind, the text's title, the payment's amount.
        link, link_text: the page about it, "" without one.
        case_id, no: the case that it belongs to, "" without one.
        tone: colour of the result.
    """

    contact: TimelineEntry
    kind: str
    about: str
    result: str
    tone: str
    link: str
    case_id: str
    no: str
    queue: str
    disposition: str


@dataclass(frozen=True, slots=True)
class Teller:
    """Puts entries into the language of the request."""

    queues: Mapping[str, str]
    dispositions: Mapping[str, str]

    @classmethod
    async def of(cls, request: web.Request) -> "Teller":
        """Return one that knows the names of queues and dispositions."""
        roster = request.app[ROSTER]
        return cls(
            labels.queue_names(await roster.queues()),
            labels.disposition_names(await dispositions_of(request.app).tree()),
        )

    def tell(self, entry: TimelineEntry) -> Entry:
        """Return the entry in words; what comes from a newer version stands for itself."""
        detail = entry.detail
        case_id = entry.ref if entry.channel == Channel.CASE else str(detail.get("case_id", ""))
        return Entry(
            contact=entry,
            kind=_kind(entry),
            about=_about(entry),
            result=labels.word(RESULTS.get(entry.channel, {}), entry.result),
            tone=MESSAGE_TONES.get(entry.result or "", "") if entry.channel == Channel.MESSAGE else "",
            link=f"/calls/{entry.ref}" if entry.channel in {Channel.CALL, Channel.VOICEMAIL} else "",
            case_id=case_id,
            no=str(detail.get("no", "")),
            queue=self.queues.get(entry.queue or "", entry.queue or ""),
            disposition=self.dispositions.get(entry.disposition or "", entry.disposition or ""),
        )


def _kind(entry: TimelineEntry) -> str:
    if entry.channel == Channel.CALL:
        return labels.word(labels.DIRECTIONS, entry.direction)
    if entry.channel == Channel.MESSAGE and entry.direction == "out":
        return labels.word(MESSAGE_CHANNELS, entry.detail.get("channel", "")) or labels.word(KINDS, "message")
    if entry.channel == Channel.CASE:
        return labels.word(labels.CASE_KINDS, entry.detail.get("kind")) or labels.word(KINDS, "case")
    if entry.channel == Channel.CALLBACK and entry.detail.get("attempt"):
        return labels.word(ATTEMPTS, entry.result if entry.result in ATTEMPTS else "attempt")
    return labels.word(KINDS, entry.channel)


def _about(entry: TimelineEntry) -> str:
    detail = entry.detail
    match entry.channel:
        case Channel.MESSAGE:
            return shipped().customer_title(str(detail.get("template", "")), current_language())
        case Channel.CASE:
            return str(detail.get("summary", ""))
        case Channel.VOICEMAIL:
            return str(detail.get("text", ""))
        case Channel.PAYMENT:
            return " ".join(str(detail[key]) for key in ("contract_no", "amount") if key in detail)
        case Channel.CALLBACK:
            kinds = [labels.word(callback_words.KINDS, kind) for kind in detail.get("kinds", ())]
            return gettext("、").join(kinds) or str(detail.get("title", ""))
        case _:
            return ""
