"""Callbacks as whoever decides how long they stay looks at them: their calls, what was said, its files."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.questionnaire_yaml import read_questionnaire
from callback_campaigns.questionnaire_tables import QuestionnaireVersionRow
from callback_campaigns.talk_tables import CallbackAnswerRow, CallbackTalkRow, CallbackVoiceRow
from callback_campaigns.task_tables import CallbackTaskRow, DialAttemptRow
from crm.retention_ports import OldCallback


class CallbackCalls:
    """The dialler's calls, whose attempts' ids are the calls', and the recorded answers.

    Args:
        answers: the folder of recorded answers; ``None`` where none are kept.
    """

    def __init__(self, answers: Path | None = None) -> None:
        self._answers = answers

    async def projects(self, session: AsyncSession, call_ids: Sequence[str]) -> Mapping[str, str | None]:
        """Return those of the calls that were made to ask how things are, with their project."""
        query = (
            select(DialAttemptRow.id, CallbackTaskRow.project_id)
            .outerjoin(CallbackTaskRow, CallbackTaskRow.id == DialAttemptRow.task_id)
            .where(DialAttemptRow.id.in_(call_ids), DialAttemptRow.case_id.is_(None))
        )
        return {row.id: row.project_id for row in await session.execute(query)}

    async def cases(self, session: AsyncSession, call_ids: Sequence[str]) -> Mapping[str, str]:
        """Return those of the calls that somebody asked for from a case, with the case."""
        row = DialAttemptRow
        query = select(row.id, row.case_id).where(row.id.in_(call_ids), row.case_id.is_not(None))
        return {call_id: case_id for call_id, case_id in await session.execute(query) if case_id is not None}

    async def older(
        self, session: AsyncSession, before: datetime, after: str, limit: int
    ) -> Sequence[OldCallback]:
        """Return callbacks that ended, in the order of their ids."""
        row = CallbackTaskRow
        query = select(row.id, row.project_id, row.case_id, row.ended_at)
        query = query.where(row.id > after, row.ended_at < before).order_by(row.id).limit(limit)
        return [
            OldCallback(task_id=key, project_id=project, case_id=case, at=at)
            for key, project, case, at in await session.execute(query)
            if at is not None
        ]

    async def answers(self, session: AsyncSession, customer_id: str) -> Sequence[dict[str, Any]]:
        """Return what a customer answered in the words they were asked with; corrected answers only."""
        row, version = CallbackAnswerRow, QuestionnaireVersionRow
        asked = (version.code == row.code) & (version.number == row.number)
        query = (
            select(row, version)
            .join(CallbackTalkRow, CallbackTalkRow.id == row.talk_id)
            .outerjoin(version, asked)
            .where(CallbackTalkRow.customer_id == customer_id, row.replaced_at.is_(None))
            .order_by(row.at, row.id)
        )
        return [_answer(said, version) for said, version in await session.execute(query)]

    async def recordings(self, session: AsyncSession, customer_id: str) -> Sequence[dict[str, Any]]:
        """Return what a customer said in their own words."""
        query = (
            select(CallbackVoiceRow)
            .join(CallbackTalkRow, CallbackTalkRow.id == CallbackVoiceRow.talk_id)
            .where(CallbackTalkRow.customer_id == customer_id)
            .order_by(CallbackVoiceRow.at)
        )
        return [
            {"at": row.at.isoformat(), "seconds": round(row.seconds), "transcript": row.transcript}
            for row in await session.scalars(query)
        ]

    async def drop_recordings(self, session: AsyncSession, task_ids: Sequence[str]) -> None:
        """Delete the files of what was said in these callbacks, and the folders that are empty then."""
        if self._answers is None:
            return
        talks = select(CallbackTalkRow.id).where(CallbackTalkRow.task_id.in_(task_ids))
        mine = CallbackVoiceRow.task_id.in_(task_ids) | CallbackVoiceRow.talk_id.in_(talks)
        paths = list(await session.scalars(select(CallbackVoiceRow.path).where(mine)))
        await asyncio.to_thread(_unlink, self._answers, paths)


def _answer(row: CallbackAnswerRow, version: QuestionnaireVersionRow | None) -> dict[str, Any]:
    item = None
    if version is not None:
        item = _read(version.text).item(row.item_id)
    options = (*item.options, *item.agent_options) if item else ()
    labels = {option.value: option.label for option in options}
    chosen = "、".join(labels.get(str(one), str(one)) for one in row.choices)
    return {
        "at": row.at.isoformat(),
        "question": (item.ask_agent or item.ask) if item else row.item_id,
        "answer": chosen,
        "text": row.text,
        "reason": row.reason,
    }


def _unlink(folder: Path, paths: Sequence[str]) -> None:
    root = folder.resolve()
    for name in paths:
        path = (root / name).resolve()
        if not path.is_relative_to(root):
            continue
        path.unlink(missing_ok=True)
        if path.parent != root and path.parent.is_dir() and not any(path.parent.iterdir()):
            path.parent.rmdir()


_read = lru_cache(maxsize=64)(read_questionnaire)
