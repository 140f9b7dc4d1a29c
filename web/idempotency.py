"""``Idempotency-Key``: a request that is sent twice, because its answer got lost, is carried out once.

The key is claimed in a transaction of its own; then whatever the handler commits marks the claim in the same
transaction (:meth:`Once._mark`), so that not even a crash between the change and its answer lets the change
happen again. The answer is kept for a day and given again to the same person with the same key, as long as
they have the role and the department that it was made for. A refusal changed nothing and is not kept; neither
is an error of ours.

======== ============================================== ==========================================
state    meaning                                        the same request again
======== ============================================== ==========================================
running  somebody is at it, until ``claimed_until``     waits a little, else 409; later starts anew
changed  committed, the answer is not kept yet          waits a little, else 409
done     the answer is kept                             gets the answer
======== ============================================== ==========================================
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

import structlog
from aiohttp import web
from sqlalchemy import ColumnElement, CursorResult, delete, update
from sqlalchemy import event as sql_event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid
from kernel.ids import new_ulid
from web.problems import KeyMissing, KeyReused, StillRunning
from web.tables import ApiAnswerRow

log = structlog.get_logger(__name__)

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEPT = timedelta(hours=24)
CLAIM = timedelta(seconds=60)
"""Longer than any handler may take; who has not committed by then never will."""
PATIENCE = timedelta(seconds=5)
"""How long a second request waits for the first one's answer."""
_POLL = 0.05
_REQUEST = 48
"""Digits of a fingerprint that are the request's."""
LONGEST_ANSWER = 512 * 1024
_KEY = re.compile(r"[\x21-\x7e]{1,100}", re.ASCII)

Handle = Callable[[], Awaitable[web.Response]]


class Idempotency(StrEnum):
    """Whether an operation takes the header."""

    NONE = "none"
    OPTIONAL = "optional"
    """It makes a record: with the header a repetition makes no second one."""
    REQUIRED = "required"
    """It moves money, or makes telephones ring: nobody may leave it to chance."""


class RightsChanged(Forbidden):
    """The answer was made for other rights than the caller has now."""

    code = "rights_changed"


class AnswerLost(Conflict):
    """The change was made, but the process ended before its answer was kept."""

    code = "answer_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    user_id: str
    route: str
    key: str
    body_hash: str
    """Of the request, then of the rights: see :func:`_fingerprint`."""


class _State(StrEnum):
    RUNNING = "running"
    CHANGED = "changed"
    DONE = "done"


_CLAIMED: ContextVar[str | None] = ContextVar("huifang_idempotency_claim", default=None)
"""The claim under which this task changes anything."""


class Once:
    """Carries requests with a key out once."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        sql_event.listen(database.session_class, "before_commit", self._mark)

    async def run(
        self,
        *,
        user_id: str,
        route: str,
        key: str | None,
        body: bytes,
        required: bool,
        handle: Handle,
        query: str = "",
        version: int = 0,
        rights: str = "",
    ) -> web.Response:
        """Return the answer of ``handle``, or the one that it gave before.

        Args:
            query: the query string; with ``body`` and ``version``, of ``If-Match``, it makes the request.
            rights: what the caller's rights follow from, now.

        Raises:
            KeyMissing: the header is not there, though the operation needs it.
            KeyReused: the key came with another request before.
            RightsChanged: the caller had other rights when the answer was made.
            StillRunning: the first request is not done yet.
            AnswerLost: it was done, but nobody knows the answer any more.
        """
        if key is None:
            if required:
                raise KeyMissing(f"send {HEADER}: this must not happen twice", field=HEADER)
            return await handle()
        if _KEY.fullmatch(key) is None:
            raise Invalid("1 to 100 visible ASCII characters", field=HEADER)
        claim = _Claim(
            user_id=user_id,
            route=route[:200],
            key=key,
            body_hash=_fingerprint(body, query, version, rights),
        )
        deadline = asyncio.get_running_loop().time() + PATIENCE.total_seconds()
        while (kept := await self._claim(claim)) is None:
            if asyncio.get_running_loop().time() >= deadline:
                raise StillRunning("the same request is being carried out", field=HEADER)
            await asyncio.sleep(_POLL)
        if isinstance(kept, web.Response):
            return kept
        return await self._carry_out(kept, handle)

    async def _claim(self, claim: "_Claim") -> web.Response | str | None:
        """Return the answer that is kept, our claim's token, or ``None`` while another request is at it."""
        now, token = self._clock.now(), new_ulid()
        mine = (claim.user_id, claim.route, claim.key)
        async with self._database.transaction() as session:
            await session.execute(delete(ApiAnswerRow).where(ApiAnswerRow.expires_at <= now))
            row = await session.get(ApiAnswerRow, mine, with_for_update=True)
            if row is None:
                insert = sqlite.insert if self._database.dialect_name == "sqlite" else postgresql.insert
                values = {
                    "user_id": claim.user_id,
                    "route": claim.route,
                    "key": claim.key,
                    "token": token,
                    "body_hash": claim.body_hash,
                    "state": _State.RUNNING.value,
                    "claimed_until": now + CLAIM,
                    "expires_at": now + KEPT,
                }
                added = insert(ApiAnswerRow).values(**values).on_conflict_do_nothing()
                return (await session.execute(added.returning(ApiAnswerRow.token))).scalar_one_or_none()
            if row.body_hash[:_REQUEST] != claim.body_hash[:_REQUEST]:
                raise KeyReused("the key came with another request before", field=HEADER)
            if row.body_hash != claim.body_hash:
                raise RightsChanged("your rights are not what they were then; read it again", field=HEADER)
            if row.state == _State.DONE:
                return _answer(row)
            if row.claimed_until > now:
                return None
            if row.state == _State.CHANGED:
                raise AnswerLost("it was done, but its answer is lost; read what became of it", field=HEADER)
            row.token, row.claimed_until = token, now + CLAIM
            return token

    async def _carry_out(self, token: str, handle: Handle) -> web.Response:
        claimed = _CLAIMED.set(token)
        try:
            try:
                answer = await handle()
            finally:
                _CLAIMED.reset(claimed)
        except Exception:
            # Whoever repairs what was wrong may use the key again; what was committed stays marked.
            await self._store(delete(ApiAnswerRow).where(_ours(token), ApiAnswerRow.state == _State.RUNNING))
            raise
        body = answer.body if isinstance(answer.body, bytes) else b""
        await self._store(
            update(ApiAnswerRow)
            .where(_ours(token))
            .values(
                state=_State.DONE.value if len(body) <= LONGEST_ANSWER else _State.CHANGED.value,
                status=answer.status,
                etag=answer.headers.get("ETag"),
                answer=body.decode() if len(body) <= LONGEST_ANSWER else None,
            )
        )
        return answer

    async def _store(self, statement: Any) -> None:
        try:
            async with self._database.transaction() as session:
                await session.execute(statement, execution_options={"synchronize_session": False})
        except SQLAlchemyError as error:
            # The claim itself ends; a change that was committed is marked.
            log.warning("idempotency_not_stored", error=type(error).__name__)

    @staticmethod
    def _mark(session: Session) -> None:
        """Note in the transaction that changes something that it was done under the claim."""
        token = _CLAIMED.get()
        if token is None:
            return
        change = update(ApiAnswerRow).where(_ours(token)).values(state=_State.CHANGED.value)
        marked = session.execute(change, execution_options={"synchronize_session": False})
        if isinstance(marked, CursorResult) and marked.rowcount != 1:
            raise StillRunning("another request took this one over", field=HEADER)


def _fingerprint(body: bytes, query: str, version: int, rights: str) -> str:
    """Return 48 hexadecimal digits of the request and 16 of the rights."""
    request = b"\0".join((hashlib.sha256(body).digest(), query.encode(), str(version).encode()))
    whose = hashlib.sha256(rights.encode()).hexdigest()
    return hashlib.sha256(request).hexdigest()[:_REQUEST] + whose[: 64 - _REQUEST]


def _ours(token: str) -> ColumnElement[bool]:
    return ApiAnswerRow.token == token


def _answer(row: ApiAnswerRow) -> web.Response:
    headers = {REPLAYED: "true"} | ({"ETag": row.etag} if row.etag else {})
    return web.Response(
        body=(row.answer or "").encode(),
        content_type="application/json",
        status=row.status or 200,
        headers=headers,
    )


ONCE: web.AppKey[Once] = web.AppKey("ONCE", Once)
