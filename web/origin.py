"""Where people outside open the pages: the beginning of an address that is shown or sent whole."""

from ipaddress import ip_address

from aiohttp import web

from web.deps import DEPS, WebSettings


def external_origin(request: web.Request) -> str:
    """Return scheme and host as people outside see them, such as ``https://cc.example.com``.

    What the settings say comes first. Behind a proxy that ends TLS the request itself came in plain: then it
    is what the settings or a trusted proxy say of the scheme.
    """
    settings = request.app[DEPS].settings
    if settings.page_url:
        return settings.page_url
    scheme = request.scheme
    if settings.secure or (
        is_trusted(request.remote or "", settings)
        and request.headers.get("X-Forwarded-Proto", "").split(",")[-1].strip().lower() == "https"
    ):
        scheme = "https"
    return f"{scheme}://{request.host}"


def is_trusted(address: str, settings: WebSettings) -> bool:
    """Tell whether an address is one of the proxies whose headers are believed."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in settings.trusted_proxies)
