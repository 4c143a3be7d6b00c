"""OPML, in which readers of feeds exchange their lists: https://opml.org/spec2.opml (checked 2026-11).

Rule 1: an outline with an `xmlUrl` is a feed, wherever it is nested; one without is a folder. Names of elements and
attributes are read in any case, as programs write them.
Rule 2: the file may come from anybody. It declares no entities, or it is refused before one is expanded; nothing
outside of it is ever fetched.
Rule 3: what is written holds no date: the same feeds give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NoReturn
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class NotOpml(ValueError):
    """A file can't be read as OPML. `str()` is the reason, without the file's name."""


def read_opml(body: bytes) -> list[tuple[str, str]]:
    """The feeds of an OPML file, in its order: (title, address), each as it is written there; a title may be "".

    Raises NotOpml if it is no OPML, if its XML is damaged (with the line), or if it declares entities.
    """
    feeds: list[tuple[str, str]] = []
    inside = False

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal inside
        if not inside and name.lower() != "opml":
            raise NotOpml("this is no OPML")
        inside = True
        if name.lower() == "outline":
            found = {each.lower(): " ".join(value.split()) for each, value in attributes.items()}
            if address := found.get("xmlurl"):
                feeds.append((found.get("title") or found.get("text", ""), address))

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EntityDeclHandler = _refuse_entities
    try:
        parser.Parse(body.lstrip(), True)
    except NotOpml:
        raise
    except expat.ExpatError as error:
        raise NotOpml(f"the XML is damaged in line {error.lineno}") from None
    except (LookupError, ValueError):  # an encoding that Python does not know, or expat can't use
        raise NotOpml("the XML is in an encoding that can't be read; save it as UTF-8") from None
    return feeds


def write_opml(feeds: Iterable[tuple[str, str]]) -> str:
    """An OPML 2.0 document of these feeds: (title, address)."""
    outlines = []
    for title, address in feeds:
        text = quoteattr(_line(title) or _line(address))
        outlines.append(f'    <outline type="rss" text={text} title={text} xmlUrl={quoteattr(_line(address))}/>\n')
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<opml version="2.0">\n'
        "  <head>\n    <title>Feeds</title>\n  </head>\n"
        f"  <body>\n{''.join(outlines)}  </body>\n"
        "</opml>\n"
    )


def _line(text: str) -> str:
    return " ".join(_NO_XML.sub("", text).split())


def _refuse_entities(*_: object) -> NoReturn:
    raise NotOpml("the file declares XML entities, as no OPML needs to")
