"""Documents that are out of date, or lead nowhere, fail."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from app.cli import cli

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CODE = ("kernel", "telephony", "speech", "crm", "ivr", "callback_campaigns", "web", "app")
METRICS = frozenset({"Counter", "Gauge", "Histogram", "Summary"})
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in (
        path.stem,
        *re.findall(r"^ *(?:async )?def (test_\w+)", path.read_text("utf-8"), re.MULTILINE),
    )
}
"""Names of tests, and of the files that hold them."""
LINK = re.compile(r"\]\(([^)#\s]+)")


@pytest.fixture(scope="module")
def generated() -> dict[str, str]:
    """What the code says now; made in a process of its own, where no test has added events."""
    program = "import json, app.docs; print(json.dumps(app.docs.documents()))"
    made = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    found: dict[str, str] = json.loads(made.stdout)
    return found


@pytest.mark.parametrize("name", ["configuration.md", "events.md", "metrics.md", "routes.md"])
def test_generated_documents_are_up_to_date(name: str, generated: dict[str, str]) -> None:
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert written == generated[name], "run: huifang docs"


def defined_metrics() -> dict[str, str]:
    """Name, as scraped before its suffix, and kind of what the code's text defines; no module is imported."""
    found = {}
    for path in (path for package in CODE for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
                continue
            name = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
            if node.func.id in METRICS and isinstance(name, str):
                found[name.removesuffix("_total")] = node.func.id.lower()
    return found


def test_every_metric_of_the_code_is_in_its_document_and_no_other() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    written = dict(re.findall(r"^\| `([^`]+)` \| (\w+) \| \S", text, re.MULTILINE))
    defined = defined_metrics()
    assert defined["huifang_early_media"] == "counter"
    assert written == defined


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tests_that_a_document_names_are_there(page: Path) -> None:
    for named in re.findall(r"\btest_\w+", page.read_text(encoding="utf-8")):
        # «test_hazard_11_*» stands for all that begin so.
        assert named in TESTS or (named.endswith("_") and any(name.startswith(named) for name in TESTS)), (
            named
        )


@pytest.mark.parametrize(
    ("page", "title", "least"),
    [("speech.md", "## Bad input", 13), ("testing.md", "## Bad days at the desk", 18)],
)
def test_the_tables_of_bad_input_name_tests_in_every_row(page: str, title: str, least: int) -> None:
    table = (ROOT / "docs" / page).read_text(encoding="utf-8").partition(title)[2]
    rows = re.findall(r"^\| (.*?) \| .* \| (.*) \|$", table.partition("\n## ")[0], re.MULTILINE)[1:]
    assert len(rows) >= least
    assert [what for what, tests in rows if "`test_" not in tests] == []


def test_every_command_is_named_in_the_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    root = get_command(cli)
    names = []
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        names += [f"{name} {part}" for part in inner] if inner else [name]
    missing = [name for name in names if f"`{name}`" not in text and f"`huifang {name}`" not in text]
    assert not missing


def test_every_route_is_named_in_the_changelog(generated: dict[str, str]) -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    paths = re.findall(r"^\| [A-Z]+ \| `([^`]+)`", generated["routes.md"], re.MULTILINE)
    # what the agent's page sends is one line of the changelog
    missing = [path for path in paths if f"`{path}`" not in text and not path.startswith("/agent/")]
    assert len(paths) > 20
    assert not missing


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    names = [re.split(r"[\[<>=~ ]", line)[0].lower() for line in wanted]
    assert [name for name in names if name not in text] == []
