"""Notices given and read on the stage."""

from collections.abc import Sequence
from typing import Any

from crm.notices.domain import NoticeRequest, Party
from crm.notices.service import NoticeView
from kernel.events import Event
from tests.support.notices import NoticeStage

PARTY = Party(owner_user_id="u-member", owner_department="ENG", specialist_user_id="u-agent")
EVERYBODY = ("u-agent", "u-manager", "u-gm", "u-head", "u-member", "u-design", "u-admin")


async def give(
    stage: NoticeStage, code: str = "limit.breached", key: str = "k1", **changes: Any
) -> str | None:
    changes.setdefault("party", PARTY)
    changes.setdefault("parameters", {"no": "TS20260302-0001", "limit": "TS.T1"})
    async with stage.database.transaction() as session:
        return await stage.notices.give(session, NoticeRequest(code=code, key=key, **changes))


async def read(stage: NoticeStage, user_id: str, **asked: Any) -> Sequence[NoticeView]:
    return (await stage.board.page(stage.actor(user_id), **asked)).items


async def who_sees(stage: NoticeStage) -> set[str]:
    return {user_id for user_id in EVERYBODY if await read(stage, user_id)}


async def take(stage: NoticeStage, *facts: Event) -> None:
    async with stage.database.transaction() as session:
        for fact in facts:
            await stage.facts.take(session, fact)
