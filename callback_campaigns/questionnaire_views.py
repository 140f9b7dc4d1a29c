"""Questionnaires as pages and the API show them."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from callback_campaigns.domain.questionnaire import Questionnaire
from callback_campaigns.domain.questionnaire_problems import Problem, QuestionnaireInvalid
from callback_campaigns.domain.questionnaire_yaml import read_questionnaire


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionnaireView:
    """A questionnaire: what is asked now, and the draft of the next version.

    Attributes:
        published: number of the version that is asked; 0 before the first.
        text: YAML of that version; empty before the first.
        draft: YAML of the draft; ``None`` if nobody works on one.
        problems: what is wrong with the draft.
    """

    code: str
    title: str
    published: int
    published_at: datetime | None
    published_by: str
    text: str
    draft: str | None
    draft_at: datetime | None
    draft_by: str
    problems: tuple[Problem, ...]
    version: int

    @property
    def questionnaire(self) -> Questionnaire | None:
        """What is asked now, or the draft of a first version once it has no mistakes."""
        return parsed(self.text or self.draft or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionView:
    """A questionnaire as it was published once."""

    code: str
    number: int
    title: str
    text: str
    why: str
    published_at: datetime
    published_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What is asked, and which version of it; answers are stored with ``code`` and ``number``."""

    code: str
    number: int
    questionnaire: Questionnaire


@lru_cache(maxsize=64)
def parsed(text: str) -> Questionnaire | None:
    """Return what a text says, ``None`` if it has mistakes."""
    try:
        return read_questionnaire(text)
    except QuestionnaireInvalid:
        return None


@lru_cache(maxsize=64)
def problems_of(text: str) -> tuple[Problem, ...]:
    """Return what is wrong with a text."""
    try:
        read_questionnaire(text)
    except QuestionnaireInvalid as error:
        return error.problems
    return ()


async def examined(text: str) -> tuple[Problem, ...]:
    """Return what is wrong with a text; a large one takes a moment that calls in progress must not feel."""
    return await asyncio.to_thread(problems_of, text)
