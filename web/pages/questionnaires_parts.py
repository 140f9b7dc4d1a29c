"""What the pages of questionnaires share."""

from typing import Any

from kernel.errors import HuifangError, StaleVersion
from web import labels
from web.i18n import gettext
from web.pages import questionnaires_words as words


def version_of(form: Any) -> int:
    """Return the version that a form changes. Raises StaleVersion where it names none."""
    raw = str(form.get("version", ""))
    if not (raw.isascii() and raw.isdigit() and len(raw) < 10):
        raise StaleVersion("reload the page", field="If-Match")
    return int(raw)


def told(error: HuifangError) -> str:
    """Return a refusal as a person reads it."""
    key = error.code if error.code in words.WRONG else (error.field or "")
    return labels.word(words.WRONG, key) if key in words.WRONG else gettext("请检查内容。")
