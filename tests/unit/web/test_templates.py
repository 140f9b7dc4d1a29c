"""Templates: what a name stands for in them."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

TEMPLATES = Path(__file__).parents[3] / "web" / "templates"
IMPORT = re.compile(r'\{% from "[^"]+" import ([^%]+?)(?: with context)? %\}')


@pytest.mark.parametrize(
    "path", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: path.relative_to(TEMPLATES).as_posix()
)
def test_a_macro_hides_no_value_of_the_page(path: Path) -> None:
    # An imported name hides the page's own: {% if problem %} was true of the macro, and showed it.
    text = path.read_text("utf-8")
    imported = {
        part.strip().split(" as ")[-1] for found in IMPORT.finditer(text) for part in found[1].split(",")
    }
    shown = set(re.findall(r"\{\{\s*(\w+)\s*\}\}|\{%-?\s*(?:el)?if (?:not )?(\w+)\b(?!\()", text))
    assert imported & {name for pair in shown for name in pair} == set()
