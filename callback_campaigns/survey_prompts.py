"""Has the texts of surveys spoken in the background: nobody who is called waits for a voice."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from datetime import timedelta

import structlog

from callback_campaigns.domain.survey_words import Line, known_lines, stock_lines
from callback_campaigns.questionnaire_book import QuestionnaireBook
from callback_campaigns.survey_voice import SurveyVoice
from callback_campaigns.surveys import Surveys
from kernel.errors import NotFound

log = structlog.get_logger(__name__)

REMEMBERED = 5000


class PromptKeeper:
    """Questionnaires are spoken soon after they were published, names of customers when a call is due.

    Args:
        look, first, longest: between two looks; between tries of what could not be spoken, doubled.
    """

    def __init__(
        self,
        voice: SurveyVoice,
        book: QuestionnaireBook,
        surveys: Surveys,
        *,
        look: timedelta = timedelta(seconds=10),
        first: timedelta = timedelta(seconds=5),
        longest: timedelta = timedelta(minutes=2),
    ) -> None:
        self._voice = voice
        self._book = book
        self._surveys = surveys
        self._look = look
        self._first = first
        self._longest = longest
        self._spoken: set[tuple[str, int]] = set()
        self._prepared: OrderedDict[str, int] = OrderedDict()
        self._stock = False

    async def run(self) -> None:
        """Look again and again; ends by cancellation."""
        await self._surveys.warm()
        await self._book.in_force()
        delay = self._first
        while True:
            whole = await self.look()
            delay = self._look if whole else min(delay * 2, self._longest)
            await asyncio.sleep(delay.total_seconds())

    async def look(self) -> bool:
        """Make what is missing; return whether everything is there."""
        wording = self._surveys.wording
        self._stock = self._stock or await self._both_paces(stock_lines(wording))
        whole = self._stock
        for one in await self._book.in_force():
            if (one.code, one.number) in self._spoken or not one.questionnaire.ivr:
                continue
            if await self._both_paces(known_lines(one.questionnaire, wording)):
                self._spoken.add((one.code, one.number))
            else:
                whole = False
        return await self._customers() and whole

    async def _both_paces(self, lines: Iterable[Line]) -> bool:
        """During a call with an elderly customer nobody waits for a voice either."""
        wanted = tuple(lines)
        return all([await self._voice.make(wanted, slow=slow) for slow in (False, True)])

    async def _customers(self) -> bool:
        whole = True
        for task_id, version in await self._surveys.due_soon():
            if self._prepared.get(task_id) == version:
                continue
            try:
                there = await self._surveys.prepare(task_id, self._voice)
            except NotFound:
                continue
            if there:
                self._prepared[task_id] = version
                while len(self._prepared) > REMEMBERED:
                    self._prepared.popitem(last=False)
            whole = whole and there
        return whole
