"""The adapters against a real mail server and a real receiver of webhooks that misbehave."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from crm.notices.domain import Channel, Severity
from crm.notices.ports import Delivered, Message, MessageFile, Permanent, SendingFailed, Temporary
from crm.notices.senders.outside import Outside
from crm.notices.senders.smtp import Encryption, SmtpConfig, SmtpSender
from crm.notices.senders.webhook import HttpPoster, SmsSender, WebhookSender, WecomSender
from kernel.clock import FakeClock
from kernel.errors import ConfigurationError
from kernel.ids import new_ulid
from tests.support.outside import Mailbox, Receiver, client_tls, mailbox, ok, receiver, status
from tests.support.ports import free_port

pytestmark = pytest.mark.contract

SECRET = "比较长的密钥-0123456789"
LOOPBACK = ("127.0.0.0/8",)
KNOWN: dict[str, Any] = {"host": "localhost", "context": client_tls()}
INJECTED = ("\r\nBcc: evil@example.com", "\nX: y", "\r\n\r\nbody", "\x00", "\u2028Bcc: e@x.y")
NO_ADDRESSES = ("a@b,c@d", "<a@b>", "a b@c", "a@-b", "@b", "a@b>", 'a"@b', "王@例子.公司")
REFUSALS = (301, 302, 307, 400, 410)
TROUBLES = (408, 429, 500, 503)


def message(channel: Channel = Channel.EMAIL, address: str = "wang@example.com", **changes: Any) -> Message:
    made = Message(
        message_id=new_ulid(),
        channel=channel,
        address=address,
        title="已超时：TS20261122-0001 投诉受理",
        text="应在 11月22日 18:00 前完成，请立即处理。",
        severity=Severity.URGENT,
        code="limit.breached",
        language="zh-CN",
        parameters={"no": "TS20261122-0001"},
        link="https://cc.example.com/complaints/1",
    )
    return replace(made, **changes)


def smtp(port: int, clock: FakeClock, **changes: Any) -> SmtpSender:
    config = SmtpConfig(
        host="127.0.0.1",
        port=port,
        encryption="none",
        username="",
        password=SecretStr(""),
        sender="huifang@anju.example",
        sender_name="安居装饰",
        deadline=timedelta(seconds=3),
    )
    return SmtpSender(replace(config, **changes), clock)


@pytest.fixture
async def post_box() -> AsyncIterator[Mailbox]:
    async with mailbox() as found:
        yield found


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiver() as found:
        yield found


def poster(clock: FakeClock, allowed: tuple[str, ...] = LOOPBACK, seconds: float = 3) -> HttpPoster:
    return HttpPoster(clock, Outside(allowed), deadline=timedelta(seconds=seconds))


def webhook(clock: FakeClock, url: str, **changes: Any) -> WebhookSender:
    return WebhookSender(poster(clock, **changes), url=url, secret=SecretStr(SECRET))


# E-mail


async def test_mail_arrives_whole(post_box: Mailbox, clock: FakeClock) -> None:
    sent = message()
    delivered = await smtp(post_box.port, clock).send(sent)
    (mail,) = post_box.mails
    assert mail["Subject"] == sent.title
    assert mail["From"] == "安居装饰 <huifang@anju.example>"
    assert mail["Message-ID"] == f"<{sent.message_id}@anju.example>"
    assert mail["Importance"] == "high"
    assert mail.get_content().splitlines() == [sent.text, "", sent.link]
    assert post_box.recipients == [["wang@example.com"]]
    assert "4711" in delivered.provider_ref


async def test_a_file_goes_along_with_an_e_mail(post_box: Mailbox, clock: FakeClock) -> None:
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    file = MessageFile("lost-2026-03.xlsx", kind, b"PK\x03\x04 as it is")
    await smtp(post_box.port, clock).send(message(files=(file,)))
    (mail,) = post_box.mails
    (attached,) = mail.iter_attachments()
    assert (attached.get_filename(), attached.get_content_type()) == (file.name, kind)
    assert attached.get_content() == file.content


@pytest.mark.parametrize("encryption", ["starttls", "tls"])
async def test_mail_travels_encrypted_with_a_login(encryption: Encryption, clock: FakeClock) -> None:
    async with mailbox(encryption=encryption, password=SECRET) as box:
        login = {"username": "huifang", "password": SecretStr(SECRET)}
        await smtp(box.port, clock, encryption=encryption, **KNOWN, **login).send(message())
        assert box.over_tls == [True]


async def test_a_wrong_password_can_be_mended(clock: FakeClock) -> None:
    async with mailbox(encryption="starttls", password=SECRET) as box:
        login = {"username": "x", "password": SecretStr("wrong")}
        with pytest.raises(Temporary, match="login") as caught:
            await smtp(box.port, clock, encryption="starttls", **KNOWN, **login).send(message())
        assert "wrong" not in str(caught.value)


async def test_a_certificate_nobody_vouches_for_gets_no_mail(clock: FakeClock) -> None:
    async with mailbox(encryption="starttls") as box:
        with pytest.raises(Temporary):
            await smtp(box.port, clock, encryption="starttls", host="localhost").send(message())
        assert box.mails == []


async def test_a_server_without_starttls_gets_nothing_in_the_open(
    post_box: Mailbox, clock: FakeClock
) -> None:
    with pytest.raises(SendingFailed):
        await smtp(post_box.port, clock, encryption="starttls").send(message())
    assert post_box.mails == []


@pytest.mark.parametrize(
    ("place", "said", "kind"),
    [
        ("RCPT", "550 no such user", Permanent),
        ("RCPT", "451 greylisted", Temporary),
        ("DATA", "554 spam", Permanent),
        ("DATA", "452 full", Temporary),
    ],
)
async def test_the_servers_refusals(
    place: str, said: str, kind: type[SendingFailed], post_box: Mailbox, clock: FakeClock
) -> None:
    post_box.refuse[place] = said
    with pytest.raises(kind) as caught:
        await smtp(post_box.port, clock).send(message())
    assert "wang" not in str(caught.value)


async def test_no_mail_server_and_a_silent_one(post_box: Mailbox, clock: FakeClock) -> None:
    with pytest.raises(Temporary):
        await smtp(free_port(), clock).send(message())
    post_box.hold = asyncio.Event()
    with pytest.raises(Temporary, match="does not answer"):
        await smtp(post_box.port, clock, deadline=timedelta(seconds=0.5)).send(message())


@pytest.mark.parametrize("tail", INJECTED)
async def test_headers_cannot_be_injected(tail: str, post_box: Mailbox, clock: FakeClock) -> None:
    sender = smtp(post_box.port, clock, sender_name="公司" + tail)
    await sender.send(message(title="标题" + tail, text="文" + tail))
    (mail,) = post_box.mails
    assert mail["Bcc"] is None
    assert mail["X"] is None
    assert post_box.recipients == [["wang@example.com"]]
    with pytest.raises(Permanent):
        await sender.send(message(address="wang@example.com" + tail))
    assert len(post_box.mails) == 1


@pytest.mark.parametrize("address", NO_ADDRESSES)
async def test_what_is_no_address_is_not_tried(address: str, clock: FakeClock) -> None:
    with pytest.raises(Permanent):
        await smtp(free_port(), clock).send(message(address=address))


def test_mail_in_the_open_only_to_this_machine(clock: FakeClock) -> None:
    with pytest.raises(ConfigurationError, match="none"):
        smtp(25, clock, host="192.0.2.1")
    with pytest.raises(ConfigurationError, match="smtp_from"):
        smtp(25, clock, sender="nobody")


# Webhooks


async def test_a_webhook_is_signed_and_named(hook: Receiver, clock: FakeClock) -> None:
    sent = message(Channel.WEBHOOK, "")
    assert await webhook(clock, hook.url).send(sent) == Delivered("ref-1")
    ((request, body),) = hook.posts
    assert request.headers["Idempotency-Key"] == sent.message_id
    at, made = (part.partition("=")[2] for part in request.headers["Huifang-Signature"].split(","))
    assert int(at) == int(clock.now().timestamp())
    assert made == hmac.new(SECRET.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert json.loads(body)["title"] == sent.title


async def test_a_persons_own_address_comes_first(hook: Receiver, clock: FakeClock) -> None:
    await webhook(clock, "https://example.com/").send(message(Channel.WEBHOOK, hook.url + "/mine"))
    assert hook.posts[0][0].path == "/hook/mine"


@pytest.mark.parametrize(
    ("code", "kind"),
    [*((code, Permanent) for code in REFUSALS), *((code, Temporary) for code in TROUBLES)],
)
async def test_answers_are_judged(
    code: int, kind: type[SendingFailed], hook: Receiver, clock: FakeClock
) -> None:
    hook.answers = [status(code, Location=hook.url + "/elsewhere", Retry_After="120")]
    with pytest.raises(kind, match=str(code)) as caught:
        await webhook(clock, hook.url).send(message(Channel.WEBHOOK, ""))
    assert len(hook.posts) == 1, "a redirect is not followed"
    if kind is Temporary:
        assert caught.value.retry_after == timedelta(seconds=120)


async def test_500_then_200(hook: Receiver, clock: FakeClock) -> None:
    hook.answers = [status(500), ok]
    sender, sent = webhook(clock, hook.url), message(Channel.WEBHOOK, "")
    with pytest.raises(Temporary):
        await sender.send(sent)
    await sender.send(sent)
    assert {request.headers["Idempotency-Key"] for request, _ in hook.posts} == {sent.message_id}


async def test_a_slow_receiver_meets_the_deadline(hook: Receiver, clock: FakeClock) -> None:
    never = asyncio.Event()

    async def slow(_: web.Request) -> web.StreamResponse:
        await never.wait()
        return web.Response()

    hook.answers = [slow]
    with pytest.raises(Temporary, match="in time"):
        await webhook(clock, hook.url, seconds=0.3).send(message(Channel.WEBHOOK, ""))


async def test_an_answer_that_drips_meets_the_deadline(hook: Receiver, clock: FakeClock) -> None:
    never = asyncio.Event()

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x")
        await never.wait()
        return response

    hook.answers = [drip]
    with pytest.raises(Temporary, match="in time"):
        await webhook(clock, hook.url, seconds=0.3).send(message(Channel.WEBHOOK, ""))


async def test_a_huge_answer_is_cut_off(hook: Receiver, clock: FakeClock) -> None:
    written = 0

    async def huge(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            for _ in range(5000):
                await response.write(b"x" * 65536)
                written += 65536
        except ConnectionError:
            pass
        return response

    hook.answers = [huge]
    assert await webhook(clock, hook.url).send(message(Channel.WEBHOOK, "")) == Delivered("")
    assert written < 64 * 1024 * 1024


async def test_nobody_there_and_tls_nobody_vouches_for(clock: FakeClock) -> None:
    with pytest.raises(Temporary, match="no connection"):
        await webhook(clock, f"http://127.0.0.1:{free_port()}/").send(message(Channel.WEBHOOK, ""))
    async with receiver(tls=True) as hook:
        with pytest.raises(Temporary, match="TLS"):
            await webhook(clock, hook.url).send(message(Channel.WEBHOOK, ""))
        assert hook.posts == []


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "https://user:pass@example.com/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0.0.0.0/",
        "https://localhost/",
        "https://10.0.0.1/",
        "https://172.16.3.4/",
        "https://192.168.1.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://100.64.0.1/",
        "https://224.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[fe80::1%25eth0]/",
        "https://[fd00::1]/",
        "https://",
        "not a url",
        "http://[",
    ],
)
async def test_the_inner_network_is_not_asked(url: str, clock: FakeClock) -> None:
    with pytest.raises(Permanent):
        await webhook(clock, url, allowed=()).send(message(Channel.WEBHOOK, ""))


async def test_a_name_that_leads_inside_is_refused_when_it_is_resolved(
    hook: Receiver, clock: FakeClock
) -> None:
    inside = hook.url.replace("127.0.0.1", "localhost")
    with pytest.raises(Permanent, match="public"):
        await webhook(clock, inside, allowed=()).send(message(Channel.WEBHOOK, ""))
    await webhook(clock, inside).send(message(Channel.WEBHOOK, ""))
    assert len(hook.posts) == 1


def test_public_addresses_are_asked() -> None:
    assert Outside().allows("1.1.1.1")
    assert Outside().allows("2606:4700::1111")
    assert Outside(("10.1.0.0/16",)).allows("10.1.2.3")
    assert not Outside(("10.1.0.0/16",)).allows("10.2.2.3")
    assert not Outside().allows("nonsense")


# WeCom and SMS


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"errcode": 0, "errmsg": "ok"}, None),
        ({"errcode": 45009}, Temporary),
        ({"errcode": -1}, Temporary),
        ({"errcode": 93000, "errmsg": "invalid webhook url"}, Permanent),
        ({"hello": 1}, Permanent),
        ([], Permanent),
    ],
)
async def test_wecom_says_in_its_answer_what_happened(
    answer: Any, outcome: type[SendingFailed] | None, hook: Receiver, clock: FakeClock
) -> None:
    async def say(_: web.Request) -> web.StreamResponse:
        return web.json_response(answer)

    hook.answers = [say]
    sender = WecomSender(poster(clock), url=SecretStr(hook.url + "?key=abc"))
    sent = message(Channel.WECOM, "wangli")
    if outcome is None:
        await sender.send(sent)
    else:
        with pytest.raises(outcome):
            await sender.send(sent)
    document = json.loads(hook.posts[0][1])
    assert document["msgtype"] == "text"
    assert document["text"]["mentioned_list"] == ["wangli"]
    assert document["text"]["content"].splitlines()[0] == sent.title


async def test_sms_goes_to_the_gateway(hook: Receiver, clock: FakeClock) -> None:
    sender = SmsSender(poster(clock), url=hook.url, secret=SecretStr(SECRET), sign="安居装饰")
    sent = message(Channel.SMS, "+8613800138000", title="", code="visit.booked")
    assert (await sender.send(sent)).provider_ref == "ref-1"
    ((request, body),) = hook.posts
    document = json.loads(body)
    assert (document["phone"], document["template"], document["sign"]) == (
        "+8613800138000",
        "visit.booked",
        "安居装饰",
    )
    assert (document["text"], document["link"]) == (f"{sent.text} {sent.link}", sent.link)
    assert "Huifang-Signature" in request.headers
    await sender.send(message(Channel.SMS, "+8613800138000", title="", link=""))
    document = json.loads(hook.posts[1][1])
    assert (document["text"], document["link"]) == (sent.text, ""), "no address is configured: no link"


def test_messages_do_not_show_people_in_logs() -> None:
    shown = repr(message())
    assert "wang" not in shown
    assert "TS2026" not in shown
