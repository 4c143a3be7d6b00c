"""Where a request points, spelled out: what a transport sends and what an answer is remembered by are the same words."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote, quote_plus

from .model import Request
from .sendable import check_path

# What needs no quoting: most words of most requests.
_PLAIN = re.compile(r"[\w.~-]*", re.ASCII)
_PLAIN_PATH = re.compile(r"[\w.~/-]*", re.ASCII)


@lru_cache(maxsize=2048)  # a request is spelled out twice, and most of its words are those of the request before
def _quoted(word: str) -> str:
    return word if _PLAIN.fullmatch(word) else quote_plus(word)


def target(request: Request) -> str:
    """The request's address below the service's, query included: what the transport sends before it adds the key.

    A parameter with several values (a tuple) is repeated.

    :raises Unsendable: if the path does not begin with "/": it would extend the service's host.
    """
    path = request.path
    if not request.service.base_url:  # the open web: the whole address, spelled as it is
        return path
    check_path(path)
    if not _PLAIN_PATH.fullmatch(path):
        path = quote(path, safe="/%:@!$&'()*+,;=~")
    if not request.params:
        return path
    query = "&".join(
        [
            f"{_quoted(name)}={_quoted(each)}"
            for name, value in request.params.items()
            for each in ((value,) if type(value) is str else value)
        ]
    )
    return f"{path}?{query}" if query else path
