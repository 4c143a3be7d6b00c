"""Where a request may lead: to the public internet, and to what a person names beside it.

Links come from strangers, so a link may name the router, a cloud's metadata or a database of this machine.

Rule 1: what is judged is the address that is connected to. A name is looked up once, and the connection goes to an address
that was judged: a name that tells something else the next time (rebinding) changes nothing, nor does a redirect.
Rule 2: an address is read in one way only. What two libraries could read differently (`http://a@b`, `http://1.1`, a
backslash, a blank) is not read at all.
Rule 3: a refusal is final. It is a ValueError, which the transports tell as "not allowed".

Nothing here looks anything up: what a name stands for arrives as an argument.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from ..model import Reach

_WHOLE = re.compile(
    r"(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?([/?][!-~]*)?", re.IGNORECASE | re.ASCII
)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORTS = {"http": 80, "https": 443}

_GIVEN_OUT = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is given out for public use: so NAT64, site-local, unique local and multicast lie outside of it."""

_DETOURS = (
    ipaddress.IPv6Network("2001::/32"),  # Teredo: an IPv4 address of anybody's choice within
    ipaddress.IPv6Network("2002::/16"),  # 6to4: likewise
)

_WIRE_SERVER = IPv4Address("168.63.129.16")
"""Azure's, which tells a machine about itself: public by its number, private by its meaning."""


class NotAllowed(ValueError):
    """A request leads where it may not, or its address can't be read. Nothing was sent, and asking again will not help."""


@dataclass(frozen=True, slots=True)
class Place:
    """An address, read: `host` in lower case and without brackets, `rest` is path and query as they were written."""

    scheme: str
    host: str
    port: int
    rest: str

    @property
    def origin(self) -> str:
        """Scheme, host and port, spelled in one way."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" if self.port == _PORTS[self.scheme] else f"{self.scheme}://{host}:{self.port}"


def place_of(url: str) -> Place:
    """Read an absolute address; its fragment is nobody's business but the reader's.

    :raises NotAllowed: if it is none of http or https, holds credentials, blanks or more than ASCII, or has no host.
    """
    found = _WHOLE.fullmatch(url.partition("#")[0])
    if found is None:
        raise NotAllowed("an address is http(s), a host, and printable ASCII")
    scheme, host, port, rest = found.groups()
    scheme = scheme.lower()
    return Place(scheme, host.lower().strip("[]"), int(port) if port else _PORTS[scheme], rest or "")


def number_of(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host is; None: it is a name.

    :raises NotAllowed: if it is a number in any other spelling than the usual one (2130706433, 0x7f.1, 0177.0.0.1, 127.1).
    """
    if ":" not in host and not _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        return None
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        raise NotAllowed("an address in numbers is written in the usual way") from None


def is_public(address: str) -> bool:
    """Whether an address, as a resolver spells it, belongs to the public internet."""
    if "%" in address:  # of one link, which the scope names
        return False
    ip = ipaddress.ip_address(address)
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif int(ip) < 2**32:  # IPv4-compatible; the loopback address is one of these numbers
            ip = IPv4Address(int(ip))
        else:
            return ip in _GIVEN_OUT and ip.is_global and not any(ip in detour for detour in _DETOURS)
    return ip.is_global and not ip.is_multicast and ip != _WIRE_SERVER


def _is_named(host: str, port: int, reach: Reach) -> bool:
    """Whether a person named this host, or this host at this port."""
    if not reach.allowed:
        return False
    ip = number_of(host)
    spellings = {host.rstrip(".")} if ip is None else {host, str(ip)}
    bare = set() if isinstance(ip, IPv6Address) else spellings  # "::1:80" is an address of its own
    bracketed = {f"[{one}]" for one in spellings}
    return not reach.allowed.isdisjoint({*spellings, *bracketed, *(f"{one}:{port}" for one in bare | bracketed)})


def admit(url: str, reach: Reach) -> None:
    """Judge all of an address that can be judged before its name is looked up.

    :raises NotAllowed: if it can't be read, or its port or the number that is its host is out of reach.
    """
    place = place_of(url)
    ip = number_of(place.host)
    if _is_named(place.host, place.port, reach):
        return
    if place.port not in reach.ports:
        raise NotAllowed("the port is out of reach")
    if ip is not None and not is_public(str(ip)):
        raise NotAllowed("the address is out of reach")


def judged(host: str, port: int, addresses: Iterable[str], reach: Reach) -> list[str]:
    """Those of a host's addresses that may be connected to, in their order, each once.

    :raises NotAllowed: if there is none.
    """
    every = list(dict.fromkeys(addresses))
    within = every if _is_named(host, port, reach) else [address for address in every if is_public(address)]
    if not within:
        raise NotAllowed("no address of this name is within reach")
    return within
