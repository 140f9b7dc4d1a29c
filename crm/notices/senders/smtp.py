"""E-mail over SMTP, with TLS from the start or after STARTTLS."""

import asyncio
import ssl
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from ipaddress import ip_address
from typing import Literal

import aiosmtplib
from pydantic import SecretStr

from crm.notices.domain import Channel, Severity, check_address, one_line
from crm.notices.ports import Delivered, Message, Permanent, Temporary
from kernel.clock import Clock
from kernel.errors import ConfigurationError, Invalid

Encryption = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpConfig:
    """The mail server.

    Attributes:
        encryption: ``starttls`` insists on it; ``none`` is for a server on this very machine.
        sender: the address mail comes from.
        context: for TLS; the system's trusted authorities by default.
    """

    host: str
    port: int
    encryption: Encryption
    username: str
    password: SecretStr
    sender: str
    sender_name: str
    deadline: timedelta = timedelta(seconds=20)
    context: ssl.SSLContext | None = field(default=None, repr=False)


class SmtpSender:
    """Sends mail, a connection each.

    Raises:
        ConfigurationError: the sender is no address, or mail to another machine would travel in the open.
    """

    def __init__(self, config: SmtpConfig, clock: Clock) -> None:
        try:
            check_address(Channel.EMAIL, config.sender)
        except Invalid as error:
            raise ConfigurationError("notices.smtp_from: not an address, such as hf@example.com") from error
        if config.encryption == "none" and not _is_local(config.host):
            raise ConfigurationError(
                "notices.smtp_tls: «none» is for a mail server on this machine; use starttls or tls"
            )
        self._config = config
        self._clock = clock

    def compose(self, message: Message) -> EmailMessage:
        """Return the mail. Its Message-ID is the message's id: a second delivery is the same mail.

        Raises:
            Permanent: the address is none.
        """
        try:
            address = check_address(Channel.EMAIL, message.address)
        except Invalid as error:
            raise Permanent("not an e-mail address") from error
        mail = EmailMessage(policy=SMTP)
        mail["From"] = _named(self._config.sender_name, self._config.sender)
        mail["To"] = address
        # Line ends cannot be in it, and the policy would refuse them besides.
        mail["Subject"] = one_line(message.title, 150)
        mail["Date"] = format_datetime(self._clock.now())
        domain = self._config.sender.rpartition("@")[2]
        mail["Message-ID"] = f"<{message.message_id}@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        if message.severity is Severity.URGENT:
            mail["Importance"] = "high"
        lines = [part for part in (message.text, message.link) if part]
        mail.set_content("\n\n".join(lines) + "\n", charset="utf-8", cte="base64")
        for file in message.files:
            kind, _, subtype = file.media_type.partition("/")
            mail.add_attachment(
                file.content, maintype=kind, subtype=subtype, filename=one_line(file.name, 80)
            )
        return mail

    async def send(self, message: Message) -> Delivered:
        """Send one mail.

        Raises:
            Permanent: the server refuses it or the address for good.
            Temporary: it cannot be reached, refuses for now, or refuses our login, which can be mended.
        """
        mail, config = self.compose(message), self._config
        try:
            async with asyncio.timeout(config.deadline.total_seconds()):
                _, said = await aiosmtplib.send(
                    mail,
                    hostname=config.host,
                    port=config.port,
                    username=config.username or None,
                    password=config.password.get_secret_value() or None,
                    use_tls=config.encryption == "tls",
                    start_tls=config.encryption == "starttls",
                    tls_context=config.context,
                    timeout=config.deadline.total_seconds(),
                )
        except aiosmtplib.SMTPAuthenticationError as error:
            raise Temporary("the mail server refuses the login") from error
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _by_code(error.recipients[0].code, "the mail server refuses the address") from error
        except aiosmtplib.SMTPResponseException as error:
            raise _by_code(error.code, "the mail server refuses the mail") from error
        except (TimeoutError, aiosmtplib.SMTPTimeoutError) as error:
            raise Temporary("the mail server does not answer") from error
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise Temporary(f"the mail server cannot be used ({type(error).__name__})") from error
        return Delivered(one_line(said, 120))


def _by_code(code: int, what: str) -> Temporary | Permanent:
    """5yz is for good, 4yz for now (RFC 5321 §4.2.1)."""
    kind = Permanent if 500 <= code < 600 else Temporary
    return kind(f"{what} ({code})")


def _named(name: str, address: str) -> str:
    safe = one_line(name, 60).replace("\\", "").replace('"', "")
    return f'"{safe}" <{address}>' if safe else address


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
