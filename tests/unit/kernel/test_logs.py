"""Logs: no personal data, one line whatever a caller sends."""

import json

import pytest
import structlog

from kernel.logs import configure_logs

pytestmark = pytest.mark.unit


def test_personal_data_is_dropped_and_lines_stay_lines(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        configure_logs(level="INFO")
        structlog.get_logger("t").info("call_offered", name_pii="王建军", node="a\r\nb: c", text="x" * 9000)
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        entry = json.loads(lines[0])
        assert "name_pii" not in entry
        assert "\n" not in entry["node"]
        assert len(entry["text"]) == 2000
    finally:
        structlog.reset_defaults()
