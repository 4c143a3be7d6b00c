"""Server-sent events out of a whole body (https://html.spec.whatwg.org/multipage/server-sent-events.html, checked 2026-11).

Lines end with CRLF, LF or CR; a blank line ends an event; a line that begins with a colon is a comment. An event without
data is none, and an event that its blank line does not end was cut off: it is dropped, as the specification has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# Not str.splitlines: that ends lines at U+2028 and others as well, which JSON may hold as they are.
_LINE_END = re.compile(r"\r\n|\n|\r")


class Event(NamedTuple):
    """One event. `name` is "message" where the server names none."""

    name: str
    data: str


def events(body: bytes) -> Iterator[Event]:
    """The events of a stream, in their order. What is no UTF-8 is read as U+FFFD."""
    name, data = "", list[str]()
    *lines, _unended = _LINE_END.split(body.decode("utf-8", "replace").removeprefix("\ufeff"))
    for line in lines:
        if not line:
            if data:
                yield Event(name or "message", "\n".join(data))
            name, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
