"""Taken ports end in one line that says what to do."""

import os
import socket

import pytest

from app.ports import PortTaken, Wanted, check_free, owner_of, wanted
from app.settings import load_settings

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("udp", [False, True])
def test_a_taken_port_names_its_owner_and_the_setting(udp: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) as other:
        other.bind(("127.0.0.1", 0))
        if not udp:
            other.listen()
        port = other.getsockname()[1]
        with pytest.raises(
            PortTaken, match=rf"port {port} for the pages is taken by .*HUIFANG_WEB__PORT"
        ) as caught:
            check_free((Wanted("the pages", "127.0.0.1", port, "HUIFANG_WEB__PORT", udp),))
        assert "\n" not in str(caught.value)
        assert f"pid {os.getpid()}" in (owner_of(port, udp=udp) or "")
    check_free((Wanted("the pages", "127.0.0.1", port, "HUIFANG_WEB__PORT", udp),))


def test_every_listener_has_a_setting() -> None:
    assert all(address.setting.startswith("HUIFANG_") for address in wanted(load_settings({})))
