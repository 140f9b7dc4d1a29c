"""Languages of the pages. The source texts are Chinese; English lives in ``translations/``.

The ``.po`` files are read at start-up, so nothing has to be compiled after an edit. The language of the
request at hand is a context variable: the middleware sets it, :func:`gettext` and the templates read it.
"""

import io
from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler
from babel.messages import mofile, pofile
from babel.messages.catalog import Catalog
from babel.support import NullTranslations, Translations

SOURCE_LANGUAGE = "zh-CN"
LANGUAGES: Mapping[str, str] = {"zh-CN": "中文", "en": "English"}
"""Language tag → its name in itself, in the order of the switch."""

PRODUCT_NAMES: Mapping[str, str] = {"zh-CN": "回访", "en": "Huifang"}
"""What the product is called: a name, so no text to translate (回访 is also the word for a callback)."""

COOKIE = "hf_lang"
TRANSLATIONS = Path(__file__).parent / "translations"

_language: ContextVar[str] = ContextVar("huifang_language", default=SOURCE_LANGUAGE)


def read_catalog(language: str) -> Catalog:
    """Return the catalogue of a translated language as its ``.po`` file has it."""
    path = TRANSLATIONS / language / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        return pofile.read_po(file, locale=language, domain="messages")


@cache
def _translations(language: str) -> NullTranslations:
    if language == SOURCE_LANGUAGE:
        return NullTranslations()
    compiled = io.BytesIO()
    mofile.write_mo(compiled, read_catalog(language))
    compiled.seek(0)
    return Translations(compiled)


@cache
def script_texts(language: str) -> Mapping[str, str]:
    """Return source text → translation of the texts that the scripts in ``static/js`` show.

    Empty for the source language, whose texts are in the scripts themselves.
    """
    if language == SOURCE_LANGUAGE:
        return {}
    texts: dict[str, str] = {}
    for message in read_catalog(language):
        in_script = any(place.endswith(".js") for place, _ in message.locations)
        if in_script and isinstance(message.id, str) and isinstance(message.string, str):
            texts[message.id] = message.string
    return texts


def gettext(message: str) -> str:
    """Return ``message`` (Chinese) in the language of the request."""
    return str(_translations(_language.get()).ugettext(message))


def ngettext(singular: str, plural: str, n: int) -> str:
    """Return the form of the message for ``n`` in the language of the request."""
    return str(_translations(_language.get()).ungettext(singular, plural, n))


_ = gettext


def N_(message: str) -> str:
    """Mark a text for translation where it is defined; :func:`gettext` it where it is shown."""
    return message


def current_language() -> str:
    """Return the language tag of the request at hand."""
    return _language.get()


def product_name() -> str:
    """Return the name of the product in the language of the request."""
    return PRODUCT_NAMES[current_language()]


def use_language(language: str) -> None:
    """Speak ``language`` in this context; an unknown tag means Chinese."""
    _language.set(language if language in LANGUAGES else SOURCE_LANGUAGE)


@web.middleware
async def language_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Take the language from the cookie that the switch and the sign-in set."""
    use_language(request.cookies.get(COOKIE, SOURCE_LANGUAGE))
    return await handler(request)


def set_language_cookie(response: web.StreamResponse, language: str, *, secure: bool) -> None:
    """Remember the choice in this browser for a year."""
    response.set_cookie(
        COOKIE, language, max_age=365 * 24 * 3600, path="/", samesite="Lax", httponly=True, secure=secure
    )
