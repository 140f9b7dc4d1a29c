"""Answers to a flow's questions about the caller: 200 ms, then the call goes on without."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog
from prometheus_client import Counter, Histogram

from ivr.domain.effects import LookedUp
from ivr.ports import CallerDirectory, KnownCaller, OpenCase
from kernel.phone import Phone

log = structlog.get_logger(__name__)

LOOKUP_SECONDS = Histogram(
    "huifang_ivr_lookup_seconds",
    "Questions to the customer records during a call",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2),
)
LOOKUPS_FAILED = Counter(
    "huifang_ivr_lookups_failed_total", "Questions without an answer in time", ["reason"]
)

NO_DEPARTMENT = "客服中心"


class CallerFacts:
    """What the records say about one call's caller; asked once.

    Args:
        phone: the caller's number, ``None`` when withheld or malformed.
    """

    def __init__(self, directory: CallerDirectory, phone: Phone | None, *, deadline: timedelta) -> None:
        self._directory = directory
        self._phone = phone
        self._deadline = deadline
        self._found: Sequence[KnownCaller] | None = None

    @property
    def customer_id(self) -> str | None:
        """The only customer with the caller's number, once asked."""
        return self._found[0].customer_id if self._found and len(self._found) == 1 else None

    async def answer(self, ask: str) -> LookedUp:
        """Answer a question of :data:`ivr.domain.flow.LOOKUPS`; ``failed`` when there is none in time."""
        if self._phone is None:
            return LookedUp("none", {"greeting": ""})
        if self._found is None:
            self._found = await self._ask(self._phone)
        if self._found is None:
            return LookedUp("failed", {"greeting": ""})
        return _case(self._found) if ask == "case" else _caller(self._found)

    async def _ask(self, phone: Phone) -> Sequence[KnownCaller] | None:
        started = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._deadline.total_seconds()):
                return await self._directory.find_by_phone(phone)
        except TimeoutError:
            LOOKUPS_FAILED.labels("timeout").inc()
            log.warning("ivr_lookup_late", deadline_seconds=self._deadline.total_seconds())
        except Exception as error:  # a border: whatever breaks in the records, the call goes on
            LOOKUPS_FAILED.labels("error").inc()
            log.error("ivr_lookup_failed", error=type(error).__name__, exc_info=True)
        finally:
            LOOKUP_SECONDS.observe(asyncio.get_running_loop().time() - started)
        return None


def _caller(found: Sequence[KnownCaller]) -> LookedUp:
    if len(found) > 1:
        return LookedUp("several", {"greeting": ""})
    if not found or not found[0].greeting:
        return LookedUp("none", {"greeting": ""})
    return LookedUp("found", {"greeting": found[0].greeting})


def _case(found: Sequence[KnownCaller]) -> LookedUp:
    cases: Sequence[OpenCase] = found[0].open_cases if len(found) == 1 else ()
    if not cases:
        return LookedUp("none")
    newest = cases[0]
    return LookedUp(
        "found",
        {
            "case_count": str(len(cases)),
            "case_no": newest.no,
            "case_kind": newest.kind_label,
            "case_status": newest.spoken_status,
            "case_department": newest.department or NO_DEPARTMENT,
        },
    )
