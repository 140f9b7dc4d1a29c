"""Settings: defaults, sources, and errors that say what to do."""

from pathlib import Path

import pytest

from app.settings import Settings, load_settings, names
from kernel.errors import ConfigurationError

pytestmark = pytest.mark.unit


def test_defaults_are_valid() -> None:
    settings = load_settings({})
    assert settings.centre.timezone == "Asia/Shanghai"
    assert settings.sql_url.startswith("sqlite+aiosqlite:///")


def test_environment_outweighs_the_file(tmp_path: Path) -> None:
    file = tmp_path / "huifang.toml"
    file.write_text('log_level = "DEBUG"\n[web]\nport = 9000\nhost = "0.0.0.0"\n')
    settings = load_settings({"HUIFANG_CONFIG": str(file), "HUIFANG_WEB__PORT": "9100"})
    assert (settings.web.port, settings.web.host, settings.log_level) == (9100, "0.0.0.0", "DEBUG")


def test_list_in_the_environment() -> None:
    settings = load_settings({"HUIFANG_PBX__TRUNK__MATCH": "192.0.2.1, 192.0.2.2"})
    assert settings.pbx.trunk.match == ("192.0.2.1", "192.0.2.2")


def test_every_setting_is_taken_from_the_environment(tmp_path: Path) -> None:
    settings = load_settings(
        {"HUIFANG_RUNTIME_DIR": str(tmp_path), "HUIFANG_DATA_DIR": str(tmp_path / "data")}
    )
    assert (settings.runtime_dir, settings.data_dir) == (tmp_path, tmp_path / "data")


def test_typo_in_the_environment_names_the_right_one() -> None:
    with pytest.raises(ConfigurationError, match="did you mean HUIFANG_WEB__PORT"):
        load_settings({"HUIFANG_WEB__PROT": "1"})


def test_typo_in_the_file_names_the_right_one(tmp_path: Path) -> None:
    file = tmp_path / "huifang.toml"
    file.write_text("[ami]\nuser_name = 'x'\n")
    with pytest.raises(
        ConfigurationError, match=r"ami\.user_name: no such setting; did you mean ami\.username"
    ):
        load_settings({"HUIFANG_CONFIG": str(file)})


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("HUIFANG_WEB__PORT", "99999", "web.port"),
        ("HUIFANG_CENTRE__TIMEZONE", "Asia/Shanghei", "no such time zone"),
        ("HUIFANG_LOG_LEVEL", "LOUD", "log_level"),
        ("HUIFANG_PBX__RTP_END", "20001", "rtp_end"),
        (
            "HUIFANG_PBX__TRUNK__MATCH",
            "192.0.2.1, carrier.example",
            "pbx.trunk.match: 'carrier.example' is no",
        ),
        ("HUIFANG_WEB__TRUSTED_PROXIES", "10.0.0.0/33", "web.trusted_proxies"),
        ("HUIFANG_AGI__ALLOW", "localhost", "agi.allow"),
        ("HUIFANG_AMI__PERMIT", "everybody", "ami.permit"),
        ("HUIFANG_PBX__TRUNK__CODECS", "alaw, opus", "pbx.trunk.codecs: opus: name at least one of alaw"),
        ("HUIFANG_PBX__TRUNK__CODECS", "", "pbx.trunk.codecs: nothing"),
        ("HUIFANG_CENTRE__HOTLINE", "400-CALL", "centre.hotline"),
    ],
)
def test_bad_value_names_the_setting(variable: str, value: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_settings({variable: value})


def test_missing_and_broken_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings({"HUIFANG_CONFIG": str(tmp_path / "none.toml")})
    broken = tmp_path / "broken.toml"
    broken.write_text("a = = 1")
    with pytest.raises(ConfigurationError, match="not TOML"):
        load_settings({"HUIFANG_CONFIG": str(broken)})


def test_every_setting_has_a_meaning() -> None:
    model = Settings
    for path in names():
        found = model
        for name in path[:-1]:
            found = found.model_fields[name].annotation  # type: ignore[assignment]
        assert found.model_fields[path[-1]].description, path


def test_secret_is_not_shown() -> None:
    assert "geheim" not in repr(load_settings({"HUIFANG_AMI__SECRET": "geheim"}))
