"""Webhooks: one JSON document posted over HTTPS, signed, under a deadline, and no page followed."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
from aiohttp import hdrs
from pydantic import SecretStr

from crm.notices.ports import Delivered, Message, Permanent, Temporary
from crm.notices.senders.outside import GuardedResolver, Outside, Refused
from kernel.clock import Clock

SIGNATURE_HEADER = "Huifang-Signature"
KEY_HEADER = "Idempotency-Key"
MOST_BYTES = 64 * 1024
"""Read of an answer; what is longer is cut off, the connection with it."""
TEMPORARY = frozenset({408, 421, 425, 429})
LONGEST_RETRY_AFTER = 24 * 3600

Body = Mapping[str, Any]


def signature(secret: str, at: int, body: bytes) -> str:
    """Return the header's value: ``t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">``.

    Whoever receives it computes the same over what arrived, compares in constant time, and refuses a time
    that is minutes old.
    """
    made = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={made}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said; ``body`` is ``None`` when it was too long or broke off."""

    status: int
    body: bytes | None
    retry_after: timedelta | None


class HttpPoster:
    """Posts documents. One for all channels; it keeps no connections between messages.

    Args:
        deadline: of the whole exchange.
    """

    def __init__(
        self, clock: Clock, outside: Outside, *, deadline: timedelta = timedelta(seconds=10)
    ) -> None:
        self._clock = clock
        self._outside = outside
        self._deadline = deadline.total_seconds()

    async def post(self, url: str, document: Body, *, key: str, secret: str = "") -> Answer:
        """Post a document and read the answer.

        Args:
            key: sent as ``Idempotency-Key``; the same for every attempt of one message.
            secret: signs the document; "" signs nothing.

        Raises:
            Permanent: the address may not be asked.
            Temporary: there was no answer.
        """
        target = self._outside.check(url)
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {hdrs.CONTENT_TYPE: "application/json; charset=utf-8", KEY_HEADER: key}
        if secret:
            headers[SIGNATURE_HEADER] = signature(secret, int(self._clock.now().timestamp()), body)
        try:
            async with (
                asyncio.timeout(self._deadline),
                aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(resolver=GuardedResolver(self._outside), force_close=True),
                    trust_env=False,
                    auto_decompress=False,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    headers={hdrs.USER_AGENT: "Huifang"},
                ) as session,
                session.post(target, data=body, headers=headers, allow_redirects=False) as response,
            ):
                return Answer(
                    response.status, await _read(response), _asked(response.headers.get(hdrs.RETRY_AFTER))
                )
        except Refused as error:
            raise Permanent("the address is not a public one") from error
        except aiohttp.InvalidURL as error:
            raise Permanent("the address is not a URL") from error
        except aiohttp.ClientSSLError as error:
            raise Temporary("the TLS connection failed") from error
        except TimeoutError as error:
            raise Temporary("no answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Temporary(f"no connection ({type(error).__name__})") from error


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    parts = bytearray()
    try:
        async for chunk in response.content.iter_chunked(8192):
            parts += chunk
            if len(parts) > MOST_BYTES:
                return None
    except (aiohttp.ClientError, OSError):
        return None
    return bytes(parts)


def _asked(raw: str | None) -> timedelta | None:
    if raw is None or not raw.isascii() or not raw.isdigit() or len(raw) > 6:
        return None
    return timedelta(seconds=min(int(raw), LONGEST_RETRY_AFTER))


def judge(answer: Answer) -> Answer:
    """Return a good answer.

    Raises:
        Temporary: the other side is busy or broken.
        Permanent: it refuses, or sends us elsewhere.
    """
    if 200 <= answer.status < 300:
        return answer
    if answer.status in TEMPORARY or answer.status >= 500:
        raise Temporary(f"the receiver is in trouble (HTTP {answer.status})", retry_after=answer.retry_after)
    if 300 <= answer.status < 400:
        raise Permanent(f"the receiver redirects (HTTP {answer.status})")
    raise Permanent(f"the receiver refuses (HTTP {answer.status})")


def read_json(answer: Answer) -> Mapping[str, Any]:
    """Return the answer's JSON object, an empty one where it is none."""
    try:
        found = json.loads(answer.body or b"{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


class WebhookSender:
    """Posts to the person's own address, or to the one of the settings."""

    def __init__(self, poster: HttpPoster, *, url: str, secret: SecretStr) -> None:
        self._poster = poster
        self._url = url
        self._secret = secret

    async def send(self, message: Message) -> Delivered:
        """Post one message. An answer with 2xx has it, whatever else the answer says."""
        document = {
            "id": message.message_id,
            "code": message.code,
            "severity": message.severity.value,
            "title": message.title,
            "text": message.text,
            "link": message.link,
            "parameters": dict(message.parameters),
        }
        url = message.address or self._url
        secret = self._secret.get_secret_value()
        answer = judge(await self._poster.post(url, document, key=message.message_id, secret=secret))
        return Delivered(_reference(read_json(answer), ("id",)))


class WecomSender:
    """Speaks through the robot of an enterprise WeChat group 企业微信群机器人.

    The robot answers every question with 200; ``errcode`` says what happened.
    https://developer.work.weixin.qq.com/document/path/91770
    """

    BUSY = frozenset({-1, 45009, 45033})
    """The service is busy; too many messages a minute; too many at once."""

    def __init__(self, poster: HttpPoster, *, url: SecretStr) -> None:
        self._poster = poster
        self._url = url

    async def send(self, message: Message) -> Delivered:
        """Post one message that calls the person by their WeCom account (``@all``: everybody)."""
        lines = [line for line in (message.title, message.text, message.link) if line]
        document = {
            "msgtype": "text",
            "text": {"content": "\n".join(lines), "mentioned_list": [message.address]},
        }
        url = self._url.get_secret_value()
        answer = read_json(judge(await self._poster.post(url, document, key=message.message_id)))
        code = answer.get("errcode")
        if code == 0:
            return Delivered()
        if code in self.BUSY:
            raise Temporary(f"WeCom is busy (errcode {code})")
        if isinstance(code, int):
            raise Permanent(f"WeCom refuses (errcode {code})")
        raise Permanent("the answer is not WeCom's")


class SmsSender:
    """Hands text messages to a gateway in the house or at a carrier, which knows the carrier's own ways.

    Posted: ``phone``, ``template`` (the code), ``params``, ``text`` (for gateways without templates), the
    ``link`` to a page of ours that ``text`` ends with ("" for none), and ``sign`` (the company's name in the
    carrier's brackets 签名).
    """

    def __init__(self, poster: HttpPoster, *, url: str, secret: SecretStr, sign: str) -> None:
        self._poster = poster
        self._url = url
        self._secret = secret
        self._sign = sign

    async def send(self, message: Message) -> Delivered:
        """Post one message."""
        text = "，".join(part for part in (message.title, message.text) if part)
        # Set apart by a blank: telephones would take what follows for a part of the address.
        text = " ".join(part for part in (text, message.link) if part)
        document = {
            "id": message.message_id,
            "phone": message.address,
            "template": message.code,
            "params": dict(message.parameters),
            "text": text,
            "link": message.link,
            "sign": self._sign,
        }
        secret = self._secret.get_secret_value()
        answer = judge(await self._poster.post(self._url, document, key=message.message_id, secret=secret))
        return Delivered(_reference(read_json(answer), ("id", "message_id", "sid")))


def _reference(answer: Mapping[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        value = answer.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            return "".join(c for c in str(value)[:120] if c.isprintable())
    return ""
