"""From the settings to what the doctor is told."""

from pathlib import Path
from typing import Any

import pytest

from app.doctor_inputs import doctor_inputs
from app.settings import load_settings

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("changes", "private"),
    [
        ({}, True),
        ({"ami": {"host": "localhost"}}, True),
        ({"ami": {"host": "::1", "port": 5039}}, True),
        ({"ami": {"host": "10.0.0.5"}}, False),
        ({"ami": {"host": "pbx.example.com"}}, False),
        ({"ami": {"secret": "named by its owner"}}, False),
        ({"pbx": {"event_log": "/var/log/asterisk/cel-custom/huifang.csv"}}, False),
    ],
)
def test_an_asterisk_of_ones_own_is_told_by_its_settings(
    tmp_path: Path, changes: dict[str, Any], private: bool
) -> None:
    given = doctor_inputs(load_settings({}, data_dir=tmp_path, **changes))

    assert given.private_pbx is private
    assert given.private_redis
