"""The voice of surveys: texts become audio before anybody is called, so that nobody waits for it."""

from collections.abc import Iterable
from datetime import timedelta

import structlog

from callback_campaigns.domain.survey_words import Line
from callback_campaigns.ports import CannotSpeak, Sound, Speaking

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
