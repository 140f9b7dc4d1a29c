"""Surveys over IVR in this process: their voice, their files, their route."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from app.callback_tasks import Ground, survey_spool
from app.pbx import prompts_dir
from app.settings import Settings
from app.voice import Voice, prompt_store
from app.web_settings import web_settings
from callback_campaigns.answer_files import AnswerFiles
from callback_campaigns.entries import EntryRecall
from callback_campaigns.ports import CannotSpeak, Sound
from callback_campaigns.questionnaire_book import QuestionnaireBook
from callback_campaigns.survey_prompts import PromptKeeper
from callback_campaigns.survey_runner import SurveyConfig, SurveyRunner
from callback_campaigns.survey_voice import SurveyVoice
from callback_campaigns.surveys import SurveyRules, Surveys
from crm.site_days import SiteDays
from ivr.domain import flow
from ivr.ports import SynthesisFailed
from ivr.prompts.store import PromptStore
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from telephony.asterisk.sounds import TONE
from web.callback_part import build_callbacks
from web.crm_part import build_crm

BRISK = flow.Voice(speed=225)
"""Four syllables a second, as people talk: the opening has to be over within 20 s (domain.md §3.0)."""
SLOW = flow.Voice()
"""For elderly people: the unhurried pace of the menus."""
MAKING = timedelta(seconds=30)


class StoreVoice:
    """Implements :class:`callback_campaigns.ports.Speaking` with the menus' voice and prompt files."""

    def __init__(self, store: PromptStore) -> None:
        self._store = store
        self._paces = {False: BRISK, True: SLOW}

    async def speak(
        self, text: str, *, slow: bool = False, passing: bool = False, within: timedelta | None = None
    ) -> Sound:
        """Return the audio of a text. Raises CannotSpeak."""
        voice = self._paces[slow]
        try:
            if passing:
                found = await self._store.spoken(text, voice, deadline=within or MAKING)
            else:
                async with asyncio.timeout((within or MAKING).total_seconds()):
                    found = await self._store.clip(text, voice)
        except SynthesisFailed as error:
            raise CannotSpeak(error.message) from error
        except TimeoutError as error:
            raise CannotSpeak("the text was not spoken in time") from error
        return Sound(found.path, found.length)


def survey_prompts(settings: Settings) -> Path:
    """Where the audio of surveys is, apart from that of the menus."""
    return prompts_dir(settings) / "survey"


def survey_rules(settings: Settings, site: SiteDays) -> SurveyRules:
    """Return what all surveys of this site have in common."""
    always = settings.centre.always_open
    return SurveyRules(
        company=settings.centre.company,
        hotline=settings.centre.hotline,
        is_open=lambda now: always or site.is_open(now),
    )


@dataclass(frozen=True, slots=True)
class SurveyPart:
    """What a process with the role ``ivr`` runs for surveys."""

    runner: SurveyRunner
    recall: EntryRecall
    keeper: PromptKeeper
    store: PromptStore

    async def forget(self, ids: Collection[str]) -> None:
        """Forget the names that were spoken: whose they were nobody knows any more."""
        await self.store.forget_spoken()

    async def close(self) -> None:
        """Finish what is still being kept of calls that are over."""
        await self.runner.close()
        await self.store.close()


def survey_store(settings: Settings, voice: Voice) -> PromptStore:
    """Return the audio of surveys; ``open`` it before use."""
    return prompt_store(survey_prompts(settings), voice)


async def build_survey(
    settings: Settings, database: Database, clock: Clock, bus: Bus, voice: Voice, site: SiteDays
) -> SurveyPart:
    """Return the surveys of this process."""
    ground = Ground(settings=web_settings(settings), database=database, clock=clock, bus=bus)
    crm = build_crm(ground)
    callbacks, office = build_callbacks(crm, ground), crm.people.office
    store, rules = survey_store(settings, voice), survey_rules(settings, site)
    await store.open()
    speaking = SurveyVoice(StoreVoice(store))
    surveys = Surveys(office, callbacks.tasks, callbacks.talks, rules)
    spool = survey_spool(settings)
    runner = SurveyRunner(
        surveys,
        speaking,
        AnswerFiles(ground.settings.answers_dir),
        spool,
        clock=clock,
        config=SurveyConfig(queue=settings.centre.default_queue, tone=prompts_dir(settings) / TONE),
    )
    book = QuestionnaireBook(database, clock, office.journal)
    recall = EntryRecall(callbacks.talks, spool)
    return SurveyPart(runner, recall, PromptKeeper(speaking, book, surveys), store)
