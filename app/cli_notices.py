"""Commands about messages that go out."""

from typing import Annotated

import typer

from app.command_line import group, run, settings
from app.console import done
from crm.notices.domain import Channel

notices = group("Messages that go out.")

ChannelOption = Annotated[Channel, typer.Option(help="sms, wecom, email or webhook.")]


@notices.command("test")
def notice_test(
    channel: ChannelOption,
    to: Annotated[str, typer.Option(help="Address: of a mailbox, a number, a WeCom account, a URL.")],
) -> None:
    """Send one message now and say what the other side answered."""
    from app.notice_test import send_test

    done(run(send_test(settings(), channel, to)))


@notices.command("address")
def notice_address(
    login: Annotated[str, typer.Option(help="Login of the person.")],
    channel: ChannelOption,
    to: Annotated[str, typer.Option(help="Where they are reached; empty: no more.")] = "",
) -> None:
    """Say where a person is reached over a channel."""
    from app.notice_addresses import set_address

    done(run(set_address(settings(), login, channel, to)))
