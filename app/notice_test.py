"""``huifang notice test``: one message over a channel, at once, so that wrong settings show."""

from app.notice_wiring import build_senders
from app.settings import Settings
from crm.notices.domain import Channel, Severity, check_address
from crm.notices.ports import Message
from crm.notices.rules import shipped
from kernel.clock import SystemClock
from kernel.errors import ConfigurationError
from kernel.ids import new_ulid

SETTING = {
    Channel.EMAIL: "notices.smtp_host",
    Channel.SMS: "notices.sms_url",
    Channel.WECOM: "notices.wecom_url",
    Channel.WEBHOOK: "notices.webhook_secret",
}
"""What sets a channel up."""


async def send_test(settings: Settings, channel: Channel, address: str) -> str:
    """Send a test message; return what to tell: the other side's reference where it gave one.

    Raises:
        ConfigurationError: the channel is not set up.
        Invalid: the address is none of the channel.
        Temporary, Permanent: the other side did not take it.
    """
    sender = build_senders(settings, SystemClock()).get(channel)
    if sender is None:
        raise ConfigurationError(f"the channel {channel} is not set up: set {SETTING[channel]}")
    parameters = {"company": settings.centre.company}
    message = Message(
        message_id=new_ulid(),
        channel=channel,
        address=check_address(channel, address),
        title=shipped().title("message.test", parameters, "zh-CN", settings.zone),
        text=shipped().text("message.test", parameters, "zh-CN", settings.zone),
        severity=Severity.INFO,
        code="message.test",
        language="zh-CN",
        parameters=parameters,
    )
    delivered = await sender.send(message)
    return f"taken{f' as {delivered.provider_ref}' if delivered.provider_ref else ''}"
