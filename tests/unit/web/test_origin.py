"""The address that people outside see, with TLS ended before us or not."""

from ipaddress import ip_network
from typing import cast
from unittest.mock import Mock

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from web.deps import DEPS, WebDeps, WebSettings
from web.origin import external_origin

pytestmark = pytest.mark.unit

PROXY = (ip_network("127.0.0.0/8"),)


@pytest.mark.parametrize(
    ("settings", "proto", "peer", "origin"),
    [
        (WebSettings(), "", "127.0.0.1", "http://cc.example.com"),
        (WebSettings(), "https", "127.0.0.1", "http://cc.example.com"),
        (WebSettings(trusted_proxies=PROXY), "https", "127.0.0.1", "https://cc.example.com"),
        (WebSettings(trusted_proxies=PROXY), "https", "203.0.113.9", "http://cc.example.com"),
        (WebSettings(trusted_proxies=PROXY), "https, http", "127.0.0.1", "http://cc.example.com"),
        (WebSettings(secure=True), "", "127.0.0.1", "https://cc.example.com"),
        (WebSettings(page_url="https://call.example.com"), "", "127.0.0.1", "https://call.example.com"),
    ],
)
def test_the_scheme_is_what_the_settings_or_a_trusted_proxy_say(
    settings: WebSettings, proto: str, peer: str, origin: str
) -> None:
    app = web.Application()
    app[DEPS] = cast("WebDeps", Mock(settings=settings))
    headers = {"Host": "cc.example.com"} | ({"X-Forwarded-Proto": proto} if proto else {})
    transport = Mock()
    transport.get_extra_info = lambda name, default=None: (peer, 1) if name == "peername" else default
    request = make_mocked_request("GET", "/", headers=headers, app=app, transport=transport)
    assert external_origin(request) == origin
