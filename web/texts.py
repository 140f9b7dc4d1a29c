"""Collects the texts of pages, scripts and code, and brings the translation files up to date.

``python -m web.texts`` adds new texts to every ``messages.po`` (empty, to be translated), and drops those
that are in the code no more. ``tests/unit/web/test_i18n.py`` fails while a text has no translation.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages import extract, pofile
from babel.messages.catalog import Catalog

from web.i18n import LANGUAGES, SOURCE_LANGUAGE, TRANSLATIONS, read_catalog

ROOT = Path(__file__).parents[1]
KEYWORDS = {"_": None, "gettext": None, "N_": None, "t": None, "ngettext": (1, 2)}

SOURCES = (
    ("web/**/*.py", "python"),
    ("web/templates/**/*.html", "jinja2"),
    ("web/static/js/*.js", "javascript"),
)


def texts() -> Iterator[tuple[str, int, str | tuple[str, ...]]]:
    """Yield (file, line, text) of every text to translate."""
    for pattern, method in SOURCES:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            with path.open("rb") as file:
                options = {"encoding": "utf-8", "parse_template_string": True}
                found = extract.extract(method, file, KEYWORDS, options=options)
                for line, message, _comments, _context in found:
                    yield name, line, message


def collected() -> Catalog:
    """Return a catalogue of all texts, without translations."""
    catalog = Catalog(project="huifang", charset="utf-8", fuzzy=False)
    for name, _line, message in texts():
        # Without line numbers: they would change the file with every edit of the code.
        catalog.add(message, locations=[(name, 0)])
    return catalog


def update(language: str) -> Path:
    """Bring the file of ``language`` in line with the code; return its path."""
    catalog = read_catalog(language)
    catalog.update(collected(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    path = TRANSLATIONS / language / "LC_MESSAGES" / "messages.po"
    with path.open("wb") as file:
        pofile.write_po(file, catalog, width=110, sort_output=True, include_lineno=False)
    return path


def main() -> int:
    """Update every translation."""
    for language in LANGUAGES:
        if language != SOURCE_LANGUAGE:
            sys.stdout.write(f"{update(language).relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
