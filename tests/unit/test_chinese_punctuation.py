"""Chinese sentences that people read or hear have Chinese commas."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
HALF_WIDTH = re.compile(r"[\u4e00-\u9fff],[\u4e00-\u9fff]")
SOURCES = (
    "app/demo",
    "callback_campaigns",
    "crm",
    "ivr",
    "telephony",
    "web/pages",
    "web/templates",
    "web/static/js",
)
KINDS = {".py", ".html", ".js"}


@pytest.mark.parametrize("folder", SOURCES)
def test_no_comma_of_latin_script_between_chinese_characters(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in KINDS
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        # A comment may quote what others write.
        if HALF_WIDTH.search(line.partition("  # ")[0])
    ]
    assert found == []
