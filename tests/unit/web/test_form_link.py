"""Whose form it is stands in its link: nobody else reads it."""

from datetime import UTC, datetime

import pytest

from crm.notices.desk import shown_parameters
from crm.notices.tables import OutgoingMessage

pytestmark = pytest.mark.unit


def test_lists_of_messages_do_not_show_what_opens_a_form() -> None:
    token = "Ab-_" * 8
    link = f"https://cc.example.com/f/{token}"
    row = OutgoingMessage(parameters={"title": "开工回访", "link": link}, created_at=datetime.now(UTC))
    shown = shown_parameters(row)
    assert shown == {"title": "开工回访", "link": "https://cc.example.com/f/…"}
    assert row.parameters["link"] == link  # as it is sent
