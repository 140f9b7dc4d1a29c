"""A centre's own words and classes take the place of those that come with the product."""

from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from app.own_files import LONGEST, own_or_shipped
from app.retention import policy_of
from app.settings import Settings
from app.web_settings import web_settings
from callback_campaigns.domain.frequency import Rate
from callback_campaigns.rule_files import shipped_dialling
from crm.domain.retention import shipped_retention
from crm.domain.warranty_terms import shipped_terms
from crm.domain.watchwords import About, find_watchword, parse_watchwords, shipped_watchwords
from kernel.errors import ConfigurationError

pytestmark = pytest.mark.unit


def test_a_file_beside_the_data_counts_instead(tmp_path: Path) -> None:
    path = tmp_path / "watchwords.yaml"
    assert own_or_shipped(path, parse_watchwords, shipped_watchwords) is shipped_watchwords()
    path.write_text("media: [大众点评]", encoding="utf-8")
    words = own_or_shipped(path, parse_watchwords, shipped_watchwords)
    found = find_watchword(["我要去大众点评写差评"], words)
    assert found is not None and (found.about, found.word) == (About.MEDIA, "大众点评")
    assert find_watchword(["我要找记者"], words) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("media: [x]", "watchwords.yaml: media[0]: a word of 2 to 20 characters"),
        ("regulator: [12315]", "regulator[0]: a word of 2 to 20 characters; write numbers in quotes"),
        ("press: [记者]", "press: is none of media, regulator, other"),
        ("media: 记者", "media: must be a list of at most 200 words"),
        ("[", "not YAML"),
        ("- 记者", "must be a mapping"),
    ],
)
def test_mistakes_are_named_by_their_place(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "watchwords.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        own_or_shipped(path, parse_watchwords, shipped_watchwords)
    assert problem in str(refused.value)


def test_a_centres_own_rules_of_calling_back_are_read_from_beside_its_data(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert web_settings(settings).dialling.frequency == shipped_dialling().frequency
    shipped = files("callback_campaigns") / "rules" / "dialling.yaml"
    text = shipped.read_text(encoding="utf-8").replace("[1 in 30m, 3 in 24h]", "[2 in 24h]")
    (tmp_path / "dialling.yaml").write_text(text, encoding="utf-8")
    assert web_settings(settings).dialling.frequency.number == (Rate(2, timedelta(hours=24)),)
    (tmp_path / "planning.yaml").write_text("types: {}", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"planning\.yaml"):
        web_settings(settings)


def test_what_is_no_text_or_far_too_long_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "watchwords.yaml"
    for content in (b"\xff\xfe", b"#" * (LONGEST + 1)):
        path.write_bytes(content)
        with pytest.raises(ConfigurationError):
            own_or_shipped(path, parse_watchwords, shipped_watchwords)


def test_pages_and_the_job_that_deletes_go_by_the_same_terms_of_keeping(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert web_settings(settings).retention == policy_of(settings) == shipped_retention()
    text = (files("crm") / "retention.yaml").read_text(encoding="utf-8").replace("keep: 180d}", "keep: 200d}")
    (tmp_path / "retention.yaml").write_text(text, encoding="utf-8")
    assert web_settings(settings).retention == policy_of(settings) != shipped_retention()


def test_a_centres_own_terms_of_warranty_are_never_less_than_the_law(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert web_settings(settings).warranty_terms == shipped_terms()
    path = tmp_path / "warranty_terms.yaml"
    path.write_text("items: [{code: waterproof, name: 防水, months: 96, floor: 60}]", encoding="utf-8")
    assert web_settings(settings).warranty_terms["waterproof"].months == 96
    path.write_text("items: [{code: waterproof, name: 防水, months: 36, floor: 60}]", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"warranty_terms\.yaml: items\[0\]\.months"):
        web_settings(settings)
