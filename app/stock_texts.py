"""Every text that the program as delivered can speak, collected from the code."""

from collections.abc import Iterable, Iterator

from app.settings import CentreSettings
from app.survey_part import BRISK, SLOW
from callback_campaigns.domain.survey_words import Line, Wording, known_lines, stock_lines
from callback_campaigns.questionnaire_sets import SHIPPED, shipped
from crm.domain.case import KIND_LABELS, SPOKEN_STATUS
from ivr.domain.flow import Flow, Voice
from ivr.domain.languages import LANGUAGES
from ivr.domain.text import Literal
from ivr.domain.validate import load_flow
from ivr.prompts.stock import Wanted
from ivr.prompts.studio import DIALPLAN_PROMPTS, DIALPLAN_PROMPTS_EN, ENGLISH
from ivr.service import DELIVERED, delivered
from kernel.spoken import spoken_count
from kernel.spoken_en import spoken_integer_en

_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁于余"
_QUEUES = ("complaint", "repair", "service")


def stock_texts() -> Iterator[Wanted]:
    """Yield texts, the ones that callers of the menus hear first; none twice.

    They hold for a company that keeps the name and the number of the settings' defaults. Another company's
    own sentences are spoken by the best voice installed.
    """
    seen: set[str] = set()
    for wanted in _all():
        if wanted.key not in seen:
            seen.add(wanted.key)
            yield wanted


def _all() -> Iterator[Wanted]:
    centre = CentreSettings()
    for name, text in DIALPLAN_PROMPTS.items():
        yield Wanted(text, Voice(), f"dialplan {name}")
    for name, text in DIALPLAN_PROMPTS_EN.items():
        yield Wanted(text, ENGLISH, f"dialplan {name}")
    for name in DELIVERED:
        flow = load_flow(delivered(name), source=name, queues=_QUEUES, constants={"company": centre.company})
        yield from _of_flow(flow)
    yield from _of_calls()
    wording = Wording(company=centre.company, hotline=centre.hotline)
    yield from _of_survey("survey", stock_lines(wording))
    for questionnaire in filter(lambda one: one.ivr, map(shipped, SHIPPED)):
        yield from _of_survey(f"questionnaire {questionnaire.code}", known_lines(questionnaire, wording))


def _of_survey(source: str, lines: Iterable[Line]) -> Iterator[Wanted]:
    for line in lines:
        text = line.plain or line.text
        yield Wanted(text, BRISK, source)
        yield Wanted(text, SLOW, source, slower_than=BRISK)


def _of_flow(flow: Flow) -> Iterator[Wanted]:
    for prompt in flow.prompts.values():
        for piece in prompt.template.pieces:
            if isinstance(piece, Literal):
                yield Wanted(piece.text, prompt.voice or flow.voice, f"flow {flow.name}, {prompt.name}")


def _of_calls() -> Iterator[Wanted]:
    """What the menus say of a case, and how most callers are addressed."""
    for text in dict.fromkeys(
        (*KIND_LABELS.values(), *SPOKEN_STATUS.values(), *map(spoken_count, range(1, 10)))
    ):
        yield Wanted(text, Voice(), "a case's progress")
    for text in (*LANGUAGES["en"].words.values(), *map(spoken_integer_en, range(1, 10))):
        yield Wanted(text, ENGLISH, "a case's progress")
    for surname in _SURNAMES:
        for title in ("先生", "女士"):
            yield Wanted(surname + title, Voice(), "greeting")
