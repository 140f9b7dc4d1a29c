"""The voice of surveys: texts become audio before anybody is called, so that nobody waits for it."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

import structlog

from callback_campaigns.domain.survey_words import Line, Wording, known_lines, stock_lines
from callback_campaigns.ports import CannotSpeak, Sound, Speaking
from callback_campaigns.questionnaire_book import QuestionnaireBook

log = structlog.get_logger(__name__)

PATIENCE = timedelta(seconds=1)
"""A customer hears nothing for so long at most while a text is made."""


class SurveyVoice:
    """Finds and makes the audio of lines."""

    def __init__(self, speaking: Speaking) -> None:
        self._speaking = speaking

    async def sounds(self, lines: Iterable[Line], *, slow: bool) -> tuple[Sound, ...]:
        """Return what to play, with the plain wording where a name cannot be spoken in time.

        Raises:
            CannotSpeak: there is audio for neither wording, at neither speed.
        """
        return tuple([await self._sound(line, slow=slow) for line in lines])

    async def make(self, lines: Iterable[Line], *, slow: bool = False) -> bool:
        """Make the audio of lines while nobody waits; return whether all of it is there."""
        whole = True
        for line in lines:
            for text in dict.fromkeys(filter(None, (line.plain, line.text))):
                try:
                    await self._speaking.speak(
                        text, slow=slow, passing=bool(line.plain) and text == line.text
                    )
                except CannotSpeak as error:
                    whole = False
                    log.debug("survey_text_not_made", error=error.message)
        return whole

    async def _sound(self, line: Line, *, slow: bool) -> Sound:
        # A quicker voice is better than none, and a text without the name better than silence.
        tries = [(line.text, slow), (line.plain, slow), (line.plain or line.text, False)]
        missing: CannotSpeak | None = None
        for text, pace in dict.fromkeys(one for one in tries if one[0]):
            passing = bool(line.plain) and text == line.text
            try:
                return await self._speaking.speak(text, slow=pace, passing=passing, within=PATIENCE)
            except CannotSpeak as error:
                missing = error
        raise missing or CannotSpeak("there is nothing to say")


class PromptKeeper:
    """Has every published questionnaire spoken in the background, soon after it was published.

    Args:
        look, first, longest: between two looks; between tries of what could not be spoken, doubled.
    """

    def __init__(
        self,
        voice: SurveyVoice,
        book: QuestionnaireBook,
        wording: Wording,
        *,
        look: timedelta = timedelta(seconds=30),
        first: timedelta = timedelta(seconds=5),
        longest: timedelta = timedelta(minutes=2),
    ) -> None:
        self._voice = voice
        self._book = book
        self._wording = wording
        self._look = look
        self._first = first
        self._longest = longest
        self._spoken: set[tuple[str, int]] = set()
        self._stock = False

    async def run(self) -> None:
        """Look again and again; ends by cancellation."""
        delay = self._first
        while True:
            whole = await self.look()
            delay = self._look if whole else min(delay * 2, self._longest)
            await asyncio.sleep(delay.total_seconds())

    async def look(self) -> bool:
        """Make what is missing; return whether everything is there."""
        self._stock = self._stock or await self._voice.make(stock_lines(self._wording))
        whole = self._stock
        for one in await self._book.in_force():
            if (one.code, one.number) in self._spoken or not one.questionnaire.ivr:
                continue
            if await self._voice.make(known_lines(one.questionnaire, self._wording)):
                self._spoken.add((one.code, one.number))
            else:
                whole = False
        return whole
