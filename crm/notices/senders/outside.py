"""Which machines may be asked: the public internet over TLS, and what the settings allow besides.

Whoever may enter an address could otherwise have our server read pages of the inner network. An address is
judged where the connection is made, by the resolver, so that a name that means another machine a moment
later gains nothing.
"""

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from crm.notices.ports import Permanent

Network = IPv4Network | IPv6Network
_NAT64 = ip_network("64:ff9b::/96")


class Outside:
    """Judges addresses.

    Args:
        allowed: networks that may be asked although they are not public (a gateway in the house).
    """

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self._allowed: tuple[Network, ...] = tuple(ip_network(item, strict=False) for item in allowed)

    def allows(self, raw: str) -> bool:
        """Tell whether a numeric address may be asked."""
        try:
            address = _inner(ip_address(raw.partition("%")[0]))
        except ValueError:
            return False
        if any(address.version == network.version and address in network for network in self._allowed):
            return True
        return address.is_global and not address.is_multicast and not address.is_reserved

    def check(self, raw: str) -> URL:
        """Return the URL if it may be asked as far as can be told without asking.

        Raises:
            Permanent: it is none, is not https (http only to this very machine), carries a login, or names
                a machine that is not public.
        """
        try:
            url = URL(raw)
            host, port = url.host, url.port
        except ValueError as error:
            raise Permanent("the address is not a URL") from error
        if not host or port is None or url.scheme not in {"https", "http"}:
            raise Permanent("the address is not a web address")
        if url.user is not None or url.password is not None:
            raise Permanent("the address carries a login")
        numeric = _numeric(host)
        if numeric is not None and not self.allows(host):
            raise Permanent("the address is not a public one")
        loopback = host == "localhost" if numeric is None else numeric.is_loopback
        if url.scheme != "https" and not loopback:
            raise Permanent("the address is not https")
        return url


def _numeric(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 one leads to."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        return inner or address
    return address


class GuardedResolver(AbstractResolver):
    """Resolves names to the addresses that may be asked; a name without any is refused."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name.

        Raises:
            Refused: it has some, and none may be asked.
            OSError: there is no such name.
        """
        found = await self._resolver.resolve(host, port, family)
        allowed = [one for one in found if self._outside.allows(one["host"])]
        if found and not allowed:
            raise Refused
        return allowed

    async def close(self) -> None:
        """Nothing is held."""
        await self._resolver.close()


class Refused(aiohttp.ClientError):
    """The name leads to a machine that is not public."""
