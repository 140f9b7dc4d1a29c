"""Both languages are complete, and no text escapes translation."""

import re
from functools import cache
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from crm.domain.case import CaseKind, CaseStatus
from crm.domain.project import Stage
from telephony.agent_views import Choice
from telephony.domain.agent_state import AgentState, RingEnd
from telephony.domain.call import CallResult, CallState, Direction, EndReason, HangupBy
from telephony.domain.leg import LegKind
from telephony.domain.queue import QueueSettings
from telephony.domain.service_level import Formula
from telephony.domain.timeline import TimelineKind
from web import labels
from web.i18n import (
    COOKIE,
    LANGUAGES,
    SOURCE_LANGUAGE,
    current_language,
    gettext,
    language_middleware,
    ngettext,
    read_catalog,
    script_texts,
    use_language,
)
from web.permissions import Role
from web.texts import collected, texts

pytestmark = pytest.mark.unit

WEB = Path(__file__).parents[3] / "web"
CHINESE = re.compile(r"[\u3400-\u9fff\uff00-\uffef\u3000-\u303f]")
PLACEHOLDER = re.compile(r"%\(\w+\)s")
TRANSLATED = [language for language in LANGUAGES if language != SOURCE_LANGUAGE]


@pytest.fixture(autouse=True)
def chinese_again() -> None:
    use_language(SOURCE_LANGUAGE)


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_translated(language: str) -> None:
    catalog = read_catalog(language)
    wanted = {message.id for message in collected() if message.id}
    have = {message.id: message for message in catalog if message.id}
    assert wanted - set(have) == set(), "run python -m web.texts, then translate"
    assert set(have) - wanted == set(), "run python -m web.texts"
    assert [text for text, message in have.items() if not message.string] == []
    assert [text for text, message in have.items() if message.fuzzy] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_keep_their_placeholders_and_their_language(language: str) -> None:
    for message in read_catalog(language):
        if isinstance(message.id, str) and isinstance(message.string, str) and message.id:
            assert sorted(PLACEHOLDER.findall(message.id)) == sorted(PLACEHOLDER.findall(message.string))
            assert not CHINESE.search(message.string), message.string


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_brings_no_per_cent_sign_of_its_own(language: str) -> None:
    # Jinja fills placeholders in even where there are none: a single sign in a label ends the page.
    for message in read_catalog(language):
        if isinstance(message.id, str) and message.id:
            assert "%" in message.id or "%" not in str(message.string), message.string
        if isinstance(message.id, str) and any(place.endswith(".html") for place, _ in message.locations):
            values = dict.fromkeys(re.findall(r"%\((\w+)\)", message.id), "1")
            for text in (message.id, str(message.string)):
                assert isinstance(text % values, str), text


@pytest.mark.parametrize("path", sorted((WEB / "templates").rglob("*.html")), ids=lambda path: path.name)
def test_no_chinese_in_a_template_outside_gettext(path: Path) -> None:
    bare = re.sub(r"""_\((?:"[^"]*"|'[^']*')""", "", path.read_text("utf-8"))
    assert CHINESE.findall(bare) == []


BUTTON = re.compile(r"""<button\b[^>]*>\s*\{\{ _\(["']([^"']+)["']\) \}\}|\bbutton=N_\("([^"]+)"\)""")
DONE = re.compile(r"(\w+ed|Kept|Held|Told|Sent|Drawn|Written)\b(?! needed)")


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_button_says_what_it_does_not_what_was_done(language: str) -> None:
    # 登记 heads a column («Registered») and stands on buttons («Register»): such a word needs two texts.
    # «已…» on a button reports what was done elsewhere, in both languages.
    catalog = {message.id: message.string for message in read_catalog(language)}
    files = [*(WEB / "templates").rglob("*.html"), *(WEB / "pages").rglob("*.py")]
    buttons = {match[1] or match[2] for path in files for match in BUTTON.finditer(path.read_text("utf-8"))}
    assert len(buttons) > 60
    wrong = {text for text in buttons if DONE.match(str(catalog.get(text, ""))) and text[0] != "已"}
    assert wrong == set()


@cache
def all_texts() -> tuple[tuple[str, int, str | tuple[str, ...]], ...]:
    """Return all texts, collected once: reading every source takes a while."""
    return tuple(texts())


@pytest.mark.parametrize("path", sorted((WEB / "static/js").glob("*.js")), ids=lambda path: path.name)
def test_no_chinese_in_a_script_outside_its_translation_function(path: Path) -> None:
    source = re.sub(r"^\s*//.*$", "", path.read_text("utf-8"), flags=re.M)
    collected_here = {text for name, _, text in all_texts() if name.endswith("/" + path.name)}
    called = set(re.findall(r"""\bt\("([^"]*)\"""", source))
    assert called <= collected_here, "the extractor does not see these"
    bare = re.sub(r"""\bt\("[^"]*\"""", "", source)
    # The codes of salutations are the words of the records themselves.
    bare = bare.replace('["先生", ', "").replace('["女士", ', "")
    assert CHINESE.findall(bare) == []


def test_the_tables_of_words_know_every_code() -> None:
    for kind, table in (
        (AgentState, labels.AGENT_STATES),
        (CallState, labels.CALL_STATES),
        (CallResult, labels.CALL_RESULTS),
        (Direction, labels.DIRECTIONS),
        (HangupBy, labels.HANGUP_BY),
        (EndReason, labels.END_REASONS),
        (TimelineKind, labels.TIMELINE_KINDS),
        (LegKind, labels.LEG_KINDS),
        (Formula, labels.FORMULAS),
        (RingEnd, labels.RING_END_REASONS),
        (CaseKind, labels.CASE_KINDS),
        (CaseStatus, labels.CASE_STATUSES),
        (Role, labels.ROLES),
    ):
        assert {member.value for member in kind} <= set(table), kind.__name__
    assert {str(stage.value) for stage in Stage} == set(labels.STAGES)


def test_a_code_from_a_newer_version_stands_for_itself() -> None:
    assert labels.word(labels.CALL_RESULTS, "TELEPATHY") == "TELEPATHY"
    assert labels.word(labels.CALL_RESULTS, None) == ""


def test_words_and_lists_follow_the_language_of_the_request() -> None:
    lunch = Choice(code="lunch", label_zh="午休", label_en="Lunch")
    queue = QueueSettings(name="repair", label_zh="报修热线", label_en="Repairs")
    assert gettext("空闲") == "空闲"
    assert labels.choices([lunch]) == {"lunch": "午休"}
    use_language("en")
    assert gettext("空闲") == "Available"
    assert labels.words(labels.AGENT_STATES)["paused"] == "Break"
    assert labels.choices([lunch]) == {"lunch": "Lunch"}
    assert labels.queue_names([queue]) == {"repair": "Repairs"}
    assert ngettext("空闲", "空闲", 2) == "空闲"


def test_a_language_nobody_speaks_is_chinese() -> None:
    use_language("tlh")
    assert current_language() == SOURCE_LANGUAGE


def test_scripts_get_their_texts_and_no_others() -> None:
    assert script_texts("zh-CN") == {}
    english = script_texts("en")
    assert english["等待来电"] == "Waiting for a call"
    assert "登录名或密码不对。" not in english


@pytest.mark.parametrize(("cookie", "spoken"), [("", "zh-CN"), ("en", "en"), ("<x>", "zh-CN")])
async def test_the_cookie_chooses_the_language(cookie: str, spoken: str) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(text=current_language())

    headers = {"Cookie": f"{COOKIE}={cookie}"} if cookie else {}
    response = await language_middleware(make_mocked_request("GET", "/", headers=headers), answer)
    assert isinstance(response, web.Response)
    assert response.text == spoken
