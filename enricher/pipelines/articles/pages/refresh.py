"""Where a page sends its reader by itself: `<meta http-equiv="refresh">` and the header of that name. Pure.

https://html.spec.whatwg.org/multipage/semantics.html#attr-meta-http-equiv-refresh (checked 2026-11).

Rule 1: only a refresh that comes at once (`MOST_S`) stands for a redirect. A page that reloads itself every few minutes
is a page.
Rule 2: tags in comments, scripts, styles and templates are none. Those in `<noscript>` count in a page of `STUB_BYTES` at
most, as shorteners send: in a larger one, most lead to a page that tells readers to switch scripts on.
Rule 3: only the page's head is looked at, in linear time.
"""

from __future__ import annotations

import html
import re

from ..addresses import linked
from ..feeds import root_of

MOST_S = 10
STUB_BYTES = 4096
_HEAD_BYTES = 512 * 1024
_NO_PAGE = frozenset(("rss", "rdf", "feed", "opml"))  # a feed may hold whole pages

_META, _META_IN_STUB = (
    re.compile(
        rf"<!--.*?(?:-->|\Z)|<(script|style|template|title|textarea{also})\b.*?(?:</\1\b|\Z)|(<meta\b[^<>]{{0,9000}}>)",
        re.DOTALL | re.IGNORECASE,
    )
    for also in ("|noscript", "")
)
# A name begins where none goes on: else one of 9,000 letters is tried from each of them.
_ATTRIBUTE = re.compile(r"""(?<![^\s"'>/=])([^\s"'>/=]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_REFRESH = re.compile(
    r"""\s*(?=[\d.])(\d{0,6})[\d.]*\s*(?:[;,]\s*|(?<=\s)|\Z)(?:url\s*=\s*)?(?:"([^"]*)|'([^']*)|(.*))""",
    re.IGNORECASE | re.DOTALL,
)


def refresh_of(body: bytes, url: str, header: str = "") -> str | None:
    """The address that a page at `url` leads on to at once: `url` if it reloads itself, None if it does neither.

    `header` is its `Refresh` header.
    """
    for content in (header, *_contents(body)):
        found = _REFRESH.match(content)
        if found is None or int(found[1] or 0) > MOST_S:
            continue
        try:
            return linked(found[2] or found[3] or found[4] or url, url)
        except ValueError:
            continue  # a script or a mailbox: no redirect for us, and the page may have a text
    return None


def _contents(body: bytes) -> list[str]:
    head = body[:_HEAD_BYTES]
    if b"refresh" not in head.lower() or body.lstrip()[:1] != b"<" or root_of(body) in _NO_PAGE:
        return []
    contents = []
    tags = _META_IN_STUB if len(body) <= STUB_BYTES else _META
    for tag in tags.finditer(head.decode("utf-8", "replace")):
        attributes: dict[str, str] = {}
        for each in _ATTRIBUTE.finditer(tag[2] or ""):
            attributes.setdefault(each[1].lower(), html.unescape(each[2] or each[3] or each[4] or ""))
        if attributes.get("http-equiv", "").strip().lower() == "refresh":
            contents.append(attributes.get("content", ""))
    return contents
