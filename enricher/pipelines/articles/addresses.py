"""Addresses of articles: one spelling for each, and the site that a host belongs to. Pure.

Rule 1: two spellings that every server must take for the same are one (RFC 3986, section 6.2): the host in lower case and
in ASCII, no default port, no fragment, no dot segments, percent-encoding only where it is needed and in capitals.
Rule 2: `canonical` names an article, so what only counts clicks is left out of it; `absolute` is what is asked for, and
keeps it. A path's capitals, its last slash, http or https and the order of parameters may all mean something: they stay.
Rule 3: what is no public http address is refused here, with a reason. Where a host leads to is judged where it is
connected to, never by its name.
Reasons are our own words and hold no part of the address.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address
from urllib.parse import quote, urljoin, urlsplit

import idna
from tld import get_fld

# Servers need not take more (RFC 9110, section 4.1, asks for 8,000 octets), and what is longer is no article.
MOST_CHARS = 8_000

_DEFAULT_PORTS = {"http": 80, "https": 443}

# Blanks, controls and halves of surrogate pairs: a browser would encode some of them, but whoever writes one in an
# address mostly means two things, or means harm.
_FORBIDDEN = re.compile("[\x00-\x20\x7f-\xa0\u1680\u2000-\u200b\u2028-\u202f\u205f\u2060\u3000\ufeff\ud800-\udfff]")
_LINE_ENDS = re.compile(r"[\t\r\n]")
_BLANK = re.compile("[ \xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,62})"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_ESCAPE_OR_STRANGE = {
    "path": re.compile(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9._~!$&'()*+,;=:@/-]"),
    "query": re.compile(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9._~!$&'()*+,;=:@/?\[\]-]"),
}
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")

# Parameters that tell who brought a reader, and never which article: those of the large networks, mailers and counters.
_TRACKING_STARTS = ("utm_", "mtm_", "_hs", "__hs", "guce_", "fb_action_")
_TRACKING = frozenset(
    (
        *("fbclid", "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "msclkid", "twclid", "ttclid", "yclid", "ysclid"),
        *("fb_source", "fb_ref", "igsh", "igshid", "li_fat_id", "epik", "srsltid", "_openstat", "rb_clickid"),
        *("mc_cid", "mc_eid", "mc_tc", "mkt_tok", "hsctatracking", "vero_id", "vero_conv", "oly_anon_id", "oly_enc_id"),
        *("ml_subscriber", "ml_subscriber_hash", "wickedid", "guccounter", "_branch_match_id", "_branch_referrer"),
        *("pk_campaign", "pk_kwd", "pk_keyword", "pk_source", "pk_medium", "pk_content", "pk_cid", "piwik_campaign"),
    )
)


def canonical(url: str, base: str = "") -> str:
    """What an article is known by: `absolute`, and `untracked`. Raises what `absolute` raises."""
    return untracked(absolute(url, base))


def untracked(url: str) -> str:
    """An absolute address without the parameters that only track."""
    address, _, query = url.partition("?")
    kept = "&".join(each for each in query.split("&") if each and not _tracks(each))
    return f"{address}?{kept}" if kept else address


def absolute(url: str, base: str = "") -> str:
    """The address to ask for: whole, ASCII, percent-encoded; `url` may be relative to `base`.

    Raises ValueError, with a reason in our own words, if it is no http or https address, if it holds a user name or a
    password, blanks inside or control characters, or if its host or port is none.
    """
    url = url.strip()
    if not url:
        raise ValueError("there is no address")
    if len(url) > MOST_CHARS:
        raise ValueError(f"the address is longer than {MOST_CHARS:,} characters")
    if _FORBIDDEN.search(url):
        raise ValueError("the address holds blanks or control characters")
    try:
        parts = urlsplit(urljoin(base, url))
        port = parts.port
    except ValueError:
        raise ValueError("the address is not valid") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError("not an http or https address")
    if "@" in parts.netloc:
        raise ValueError("the address holds a user name or a password")
    host = _host(parts.hostname or "")
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        host = f"{host}:{port}"
    path = _without_dots(_encoded(parts.path, "path"))
    query = _encoded(parts.query, "query")
    return f"{parts.scheme}://{host}{path}?{query}" if query else f"{parts.scheme}://{host}{path}"


def linked(text: str, base: str = "") -> str:
    """The address that a link or a redirect means, as browsers take it: tabs and line ends are dropped, blanks encoded.

    Raises what `absolute` raises.
    """
    return absolute(_BLANK.sub(lambda blank: quote(blank[0]), _LINE_ENDS.sub("", text.strip())), base)


@lru_cache(maxsize=4096)
def site_of(host: str) -> str:
    """The registrable domain of "host" or "host:port": "news.example.co.uk:8080" is of "example.co.uk".

    A host that has none (an IP address, one word) stays as it is, with its port.
    """
    host = host.lower()
    # The list of public suffixes comes with the library; nothing is fetched.
    return get_fld(host, fail_silently=True, fix_protocol=True) or host


def _host(name: str) -> str:
    if not name:
        raise ValueError("the address names no host")
    try:
        if ":" in name and "%" not in name:  # a zone (fe80::1%eth0) makes sense on one machine only
            return f"[{IPv6Address(name)}]"
        # Measured before it is encoded, which takes long for long names.
        if len(name) <= 253 and not name.isascii():
            name = idna.encode(name, uts46=True).decode("ascii")
    except ValueError:
        raise ValueError("the address's host is not valid") from None
    name = name.removesuffix(".")
    if not _HOST.fullmatch(name):
        raise ValueError("the address's host is not valid")
    return name


def _encoded(text: str, place: str) -> str:
    return _ESCAPE_OR_STRANGE[place].sub(_spelt, text)


def _spelt(match: re.Match[str]) -> str:
    found = match[0]
    if len(found) < 3:  # no escape: a character, or a percent sign that begins none
        return quote(found, safe="")
    meant = chr(int(found[1:], 16))
    return meant if _UNRESERVED.fullmatch(meant) else found.upper()


def _without_dots(path: str) -> str:
    """RFC 3986, section 5.2.4; a path never leads above its root."""
    if "/." not in path:
        return path or "/"
    kept: list[str] = []
    for segment in path.split("/")[1:]:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if path.endswith(("/.", "/..")):
        kept.append("")
    return "/" + "/".join(kept)


def _tracks(parameter: str) -> bool:
    name = parameter.partition("=")[0].lower()
    return name in _TRACKING or name.startswith(_TRACKING_STARTS)
