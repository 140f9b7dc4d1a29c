"""Taken ports end in one line that says what to do."""

import os
import socket
from typing import Literal

import pytest

from app.doctor.inputs import PortUse
from app.ports import PortTaken, check_free, port_uses
from app.settings import load_settings
from kernel.errors import ConfigurationError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_a_taken_port_names_its_owner_and_the_setting(kind: Literal["tcp", "udp"]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as other:
        other.bind(("127.0.0.1", 0))
        if kind == "tcp":
            other.listen()
        port = other.getsockname()[1]
        use = PortUse("the pages", "web.port", "127.0.0.1", port, (kind,))
        with pytest.raises(
            PortTaken, match=rf"port {port} for the pages is taken by .*HUIFANG_WEB__PORT"
        ) as caught:
            check_free((use,))
        assert "\n" not in str(caught.value)
        assert f"pid {os.getpid()}" in str(caught.value)
    check_free((use,))


def test_every_listener_is_checked_by_a_setting_that_exists() -> None:
    settings = load_settings({})
    for use in port_uses(settings):
        section, name = use.setting.split(".")
        assert getattr(getattr(settings, section), name) == use.port


def test_up_needs_fixed_ports() -> None:
    settings = load_settings({"HUIFANG_WEB__PORT": "0"})
    with pytest.raises(ConfigurationError, match="HUIFANG_WEB__PORT=0"):
        check_free(port_uses(settings))


@pytest.mark.parametrize("setting", ["AGI__PORT", "AMI__PORT", "PBX__SIP_PORT", "PBX__WS_PORT"])
def test_a_port_that_asterisk_must_know_is_not_0(setting: str) -> None:
    name = setting.lower().replace("__", ".")
    with pytest.raises(ConfigurationError, match=rf"{name}: .*greater than or equal to 1"):
        load_settings({f"HUIFANG_{setting}": "0"})
