"""``huifang call`` where there is nothing to call."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.play_call import Wish, play_call
from app.settings import load_settings
from kernel.errors import Invalid, Unavailable
from tests.support.ports import free_port

pytestmark = pytest.mark.integration

WISH = Wish(customer="13800138001", menu="1", say="", hold=1, calls=1, rate=1, to="")


async def test_without_a_pbx_it_says_so_at_once(tmp_path: Path) -> None:
    settings = load_settings({}, data_dir=tmp_path, pbx={"sip_port": free_port()})
    with pytest.raises(Unavailable, match="start the centre first"):
        await play_call(settings, WISH)


async def test_keys_that_are_no_keys_are_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="x is no telephone key"):
        await play_call(load_settings({}, data_dir=tmp_path), replace(WISH, menu="1x"))
