"""The main text of a page, and what the page says of itself. Pure, and meant for a process that can be killed.

Rule 1: only what a reader sees. What is hidden is taken out before anything looks for the main text, so that an order to
a language model that no reader would notice never gets there: comments, scripts, `<template>`, `<noscript>`, the
attributes `hidden` and `aria-hidden`, and what an inline style hides (`_gone`, `_Look`). Style sheets are not read: what a
class hides stays. From the text, every character that shows nothing is taken (`_UNSEEN`). What a page states for machines
(JSON-LD, descriptions) is the page's word all the same, and is used where it shows no text.
Rule 2: the work is bounded before it begins, by the page's size and the number and depth of its tags: 50 MB at most, and
some seconds for the worst of it. What is slow all the same, the caller kills.
Rule 3: no page is empty without a reason, in our own words.
Rule 4: no clock; and nothing outlives a call but the libraries' caches, which are bounded.

trafilatura finds the text: in its fast mode first, then in its full one where that found little and the full one finds much
more, and in its recall mode, which reads JSON-LD too, where nearly nothing was found. At last the page's description
stands in. Measured on the 115 pages of a public test collection (mozilla/readability, 2026-11), words in common, mean F1:
this 0.947; trafilatura 2.3.1 alone 0.940 (recall), 0.939 (default), 0.932 (precision), 0.928 (fast). Most of the gain is
text that is hidden. About 25 ms a page.
"""

from __future__ import annotations

import codecs
import logging
import math
import re
import unicodedata
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

MAX_BYTES = 3 * 1024 * 1024
# Each tag and attribute takes memory, several times over. Of 115 real pages none had more than 4,300 of either.
MAX_TAGS = 20_000
MAX_ATTRIBUTES = 60_000
MAX_ATTRIBUTES_OF_A_TAG = 5_000  # the parser needs minutes for a tag of 100,000
MAX_TEXT_CHARS = 1_000_000  # a thick novel
# Tags in tags: the work grows with the product of their number and depth. Of 115 real pages none went deeper than 34.
MAX_DEPTH = 150
MAX_TAGS_TIMES_DEPTH = 600_000
# A longer block of JSON-LD is not read: looking for authors in it may take minutes. The longest of 115 pages had 18,000.
MAX_DATA_CHARS = 50_000

# Where the fast mode misses an article, it finds a teaser or a caption; where it finds one, the full mode finds the same,
# or adds what does not belong to it.
LITTLE_CHARS = 1_500
MUCH_MORE = 2.0
ALMOST_NOTHING_CHARS = 200

# After a page of this size, the libraries' caches of strings are emptied. It takes 50 ms, so not after every page.
LARGE_BYTES = 500_000

NO_TEXT = "no main text"
TOO_LONG = "more text than an article can have"
TOO_MUCH = "more tags or attributes than a page can need"
TOO_DEEP = "tags nested deeper than a page can need"

Kind = Literal["html", "text", "pdf", "image", "media", "other"]

REFUSED: Mapping[Kind, str] = {
    "pdf": "a PDF document, not a web page",
    "image": "an image, not a web page",
    "media": "sound or video, not a web page",
    "other": "neither HTML nor plain text",
}
"""Kind → why it has no text here. "html" and "text" are not refused."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """What a page holds. `text` has a paragraph a line; where it is empty, `reason` says why, in our own words.

    `published` is an ISO 8601 date, `language` two small letters; None: the page does not say.
    """

    text: str = ""
    title: str | None = None
    author: str | None = None
    published: str | None = None
    language: str | None = None
    site: str | None = None
    description: str | None = None
    word_count: int = 0
    reason: str | None = None


def extract(body: bytes, url: str, content_type: str = "") -> Extracted:
    """The main text of a page that came from `url`, `content_type` as the server named it. Plain text is taken as it is.

    Raises nothing for what a page holds: `reason` says why there is no text.
    """
    reason = refusal(content_type, body)
    if reason is not None:
        return Extracted(reason=reason)
    with _quiet():
        try:
            source = decode(body, content_type)
            if kind_of(content_type, body) == "text":
                text = seen(source)
                return Extracted(reason=TOO_LONG) if len(text) > MAX_TEXT_CHARS else _with_text(Extracted(), text)
            root = _tree(source)
            del source  # it would be held while the tree is copied
            return Extracted(reason=root) if isinstance(root, str) else _from_tree(root, url)
        except Exception:  # noqa: BLE001  # libraries meet whatever people write; what they stumble over is this page's fault
            return Extracted(reason="its HTML could not be read")
        finally:
            if len(body) > LARGE_BYTES:
                _forget()


def _with_text(page: Extracted, text: str) -> Extracted:
    return replace(page, text=text, word_count=words(text), reason=None if text else NO_TEXT)


# ── what it is ──────────────────────────────────────────────────────────────────────────────────────────────────────

_START_BYTES = 1_024
_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"%PDF-", "pdf"),
    (b"\x89PNG", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"GIF8", "image"),
    (b"ID3", "media"),
    (b"OggS", "media"),
    (b"\x1aE\xdf\xa3", "media"),
    (b"PK\x03\x04", "other"),
    (b"\x1f\x8b", "other"),
)
_PROLOG = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?(?:\s+|<\?xml[^>]*>|<!--.*?-->)*", re.DOTALL)
_HTML = re.compile(rb"<(?:!doctype\s+html|html|head|body|title|meta|article|main|section|div|h1|p)\b", re.IGNORECASE)
_OTHER_XML = re.compile(rb"<(?:!doctype\s+(?!html)[a-z]+|rss|feed|rdf:rdf)\b", re.IGNORECASE)
_DOCUMENT = re.compile(rb"<(?:!doctype\s+html|html)\b", re.IGNORECASE)


def refusal(content_type: str, body: bytes) -> str | None:
    """Why there is no use in looking for text in it; None: there is. Cheap: it looks at the first bytes only."""
    if len(body) > MAX_BYTES:
        return f"larger than {MAX_BYTES // 1024**2} MB"
    return REFUSED.get(kind_of(content_type, body))


def kind_of(content_type: str, body: bytes) -> Kind:
    """What a body is, by its first bytes where they say so, else by what the server calls it."""
    start = body[:_START_BYTES]
    for magic, kind in _MAGIC:
        if start.startswith(magic):
            return kind
    start = start.replace(b"\0", b"")  # UTF-16
    beginning = start[_end(_PROLOG.match(start)) :]
    mime = content_type.partition(";")[0].strip().lower()
    match mime.partition("/")[0], mime:
        case _, "text/html" | "application/xhtml+xml":
            return "other" if _OTHER_XML.match(beginning) else "html"
        case _, "application/pdf":
            return "pdf"
        case "image", _:
            return "image"
        case "audio" | "video", _:
            return "media"
        case _, "text/plain" | "text/markdown":
            # Some servers call everything plain text. Tags would be no text, and hide what they like.
            return "html" if _DOCUMENT.match(beginning) else "text"
        case _, "":
            return "html" if beginning.startswith(b"<") else "text"
        case _:
            return "html" if _HTML.match(beginning) else "other"


def _end(match: re.Match[bytes] | None) -> int:
    return 0 if match is None else match.end()


# ── which encoding ──────────────────────────────────────────────────────────────────────────────────────────────────

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_IN_HEADER = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_IN_PAGE = re.compile(
    rb"<meta[^>]{0,300}?charset\s*=\s*[\"']?\s*([\w.:-]+)|^\s*<\?xml[^>]{0,300}?encoding\s*=\s*[\"']([\w.:-]+)",
    re.IGNORECASE,
)
_META_WITHIN_BYTES = 4_096
_NO_UTF_8 = (b"\0", b"\x1b$", b"\x1b(")  # UTF-16, and the shifts of ISO-2022: bytes that would pass for UTF-8
# What browsers read under a name (encoding.spec.whatwg.org, 4.2): the larger set that pages are really written in.
_READ_AS = {
    **dict.fromkeys(("ascii", "iso8859-1", "us-ascii"), "cp1252"),
    **dict.fromkeys(("gb2312", "gbk"), "gb18030"),
    "iso8859-9": "cp1254",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "tis-620": "cp874",
    "utf-16": "utf-16-le",
}
# Text encodings to Python, and to no browser: they would make tags out of what has none.
_NO_CHARSETS = {"idna", "punycode", "raw-unicode-escape", "unicode-escape", "utf-7", "undefined", "mbcs", "oem"}
_GUESSES = ["cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256", "cp874"]
_GUESSES += ["cp932", "euc_jp", "gb18030", "big5", "cp949"]
_GUESS_FROM_BYTES = 16_000
_MOST_BROKEN = 0.002
"""As much of a text may be broken in the encoding that it is said to have: a stray byte is no reason to doubt a page."""


def decode(body: bytes, content_type: str = "") -> str:
    """A body as text: by its byte-order mark, else as UTF-8 if it is that throughout, else by the header's charset, the
    page's own, and at last by guess.

    Nothing else is UTF-8 by chance, so it goes before what a server's defaults say. A name that does not fit the bytes is
    passed over; where nothing fits, the likeliest is taken, with U+FFFD in place of what is broken.
    """
    for mark, unicode in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(unicode, "replace")
    if not any(sign in body[:_META_WITHIN_BYTES] for sign in _NO_UTF_8):
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError:
            pass
    texts = []
    for name in _names(body, content_type):
        codec = _codec(name)
        if codec is None:
            continue
        text = body.decode(codec, "replace")
        if text.count("\ufffd") <= len(text) * _MOST_BROKEN:
            return text
        texts.append(text)
    texts.append(body.decode(_guessed(body), "replace"))
    return min(texts, key=lambda text: text.count("\ufffd"))


def _names(body: bytes, content_type: str) -> Iterator[str]:
    """What the header and the page call their encoding."""
    if (in_header := _IN_HEADER.search(content_type)) is not None:
        yield in_header[1]
    if (in_page := _IN_PAGE.search(body[:_META_WITHIN_BYTES])) is not None:
        yield (in_page[1] or in_page[2]).decode("ascii", "replace")


def _codec(name: str) -> str | None:
    """The encoding that browsers read under a name; None: they know none."""
    try:
        known = codecs.lookup(name).name
        b"".decode(known)  # "hex" is known too, and makes no text
    except (LookupError, ValueError):
        return None
    return None if known in _NO_CHARSETS else _READ_AS.get(known, known)


def _guessed(body: bytes) -> str:
    """The likeliest encoding of a body that is no UTF-8, from where its first letter beyond ASCII stands."""
    from charset_normalizer import from_bytes

    first = re.search(rb"[\x80-\xff]", body)
    start = max(0, (0 if first is None else first.start()) - 500)
    best = from_bytes(body[start : start + _GUESS_FROM_BYTES], cp_isolation=_GUESSES).best()
    return "cp1252" if best is None else best.encoding


# ── what is hidden ──────────────────────────────────────────────────────────────────────────────────────────────────

# What a browser does not show, or does not show as text. JSON-LD is kept: dates and authors are read from it.
_DROPPED = (
    *("script", "style", "template", "noscript", "iframe", "noframes", "noembed", "object", "embed"),
    *("svg", "canvas", "audio", "video", "datalist"),
)
_DATA = frozenset({"application/ld+json", "application/settings+json"})
_FRAME = frozenset({"html", "head", "body"})  # a page that hides itself shows itself by script: it is no trick

# Nothing that is meant to be seen is moved so far beyond an edge; ±9999px is what people write.
_FAR_PX = 500.0
_FAR_ASIDE_PX = 5_000.0
_PX = {"pt": 1.33, "em": 16.0, "rem": 16.0, "ch": 8.0, "vw": 10.0, "vh": 10.0}
_TINY_PX = 2.0
_FAINT = 0.1

_NUMBER = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))([a-z%]*)")
_CLIPPED = re.compile(r"rect\((?:[01](?:px)?[\s,]*){4}\)|inset\((?:50|100)%|circle\(0")
_SHRUNK = re.compile(r"scale(?:3d|x|y)?\(0*\.?0*[,)]")
_SHARE = re.compile(r"%|[0-9.]em|inherit|smaller|larger")
_IMPORTANT = re.compile(r"!\s*important")
_ESCAPE = re.compile(r"\\([0-9a-f]{1,6})\s?")
_EDGES = ("left", "right", "top", "bottom", "text-indent", "margin-left", "margin-top")
_ALONG_THE_LINE = ("left", "text-indent", "margin-left")
_SIZES = ("width", "height", "max-width", "max-height")
_PROPERTIES = (
    *("display", "visibility", "content-visibility", "opacity", "font-size", "overflow", *_SIZES),
    *("transform", "clip", "clip-path", *_EDGES),
    *("color", "-webkit-text-fill-color", "background", "background-color", "background-image"),
    *("background-clip", "-webkit-background-clip"),
)
_DECLARED = re.compile(rf"(?:^|;)\s*({'|'.join(_PROPERTIES)})\s*:([^;]*)")

Style = Mapping[str, str]
Colour = tuple[float, float, float]
_INVISIBLE: Colour = (-1, -1, -1)
_NAMED: Mapping[str, Colour] = {"white": (255, 255, 255), "black": (0, 0, 0), "transparent": _INVISIBLE}
_HEX = re.compile(r"#([0-9a-f]{3,8})\b")
_RGB = re.compile(r"rgba?\(([^)]*)\)")
_ALIKE = 24  # of 255: colours whose parts differ by no more can't be read on each other


class _Look(NamedTuple):
    """How text looks at a place, as far as the inline styles around it say. None: they do not say."""

    unseen: bool = False
    tiny: bool = False
    faint: bool = False
    ink: Colour | None = None
    paper: Colour | None = None

    @property
    def hidden(self) -> bool:
        """Invisible, of no size, or of the colour of what it is written on."""
        return self.unseen or self.tiny or self.ink == _INVISIBLE or _alike(self.ink, self.paper)

    @property
    def doubtful(self) -> bool:
        """Faded out, or white on what may be the white that a page is by default."""
        return self.faint or (self.paper is None and _alike(self.ink, _NAMED["white"]))


def _conceal(root: Any) -> None:
    """Take out of a tree what a reader of the page would not see.

    What is doubtful goes too, unless it is most of the page: that is written in white on a style sheet's black, or faded in.
    """
    for element in list(root.iter(*_DROPPED)):
        data = element.tag == "script" and str(element.get("type")).strip().lower() in _DATA
        if not data or len(element.text or "") > MAX_DATA_CHARS:
            element.drop_tree()
    looks: dict[Any, _Look] = {}
    for element in root.xpath("//*[@style or @hidden or @aria-hidden or @color or @bgcolor or self::dialog]"):
        style = _style(element.get("style"))
        if element.tag not in _FRAME and _gone(element, style):
            element.drop_tree()
            continue
        around = next((looks[above] for above in element.iterancestors() if above in looks), _Look())
        looks[element] = _look(element, style, around)
        element.attrib.pop("style", None)  # trafilatura would leave out what only has `overflow: hidden`
    hidden = [element for element, look in looks.items() if look.hidden]
    doubtful = [element for element, look in looks.items() if look.doubtful and not look.hidden]
    if doubtful:
        chars = sum(
            len(one.text or "") + sum(len(child.tail or "") for child in one) for one in _parts(doubtful, looks)
        )
        if chars < sum(map(len, root.xpath("//body//text()[not(parent::script)]"))) / 2:
            hidden += doubtful
    for one in list(_parts(hidden, looks)):
        one.text = None
        for child in one:
            child.tail = None


def _parts(elements: list[Any], looks: Mapping[Any, _Look]) -> Iterator[Any]:
    """Elements, and all in them that look the same for saying nothing of their own."""
    todo = list(elements)
    while todo:
        one = todo.pop()
        yield one
        todo += [child for child in one if child not in looks]


def _gone(element: Any, style: Style) -> bool:
    """Nothing of an element is shown, whatever stands in it."""
    if element.get("hidden") is not None or str(element.get("aria-hidden")).strip().lower() == "true":
        return True
    if element.tag == "dialog" and element.get("open") is None:
        return True
    if not style:
        return False
    if style.get("display") == "none" or style.get("content-visibility") == "hidden":
        return True
    if any(_px(style.get(edge)) <= -_FAR_PX for edge in _EDGES):
        return True
    if any(_px(style.get(edge)) >= _FAR_ASIDE_PX for edge in _ALONG_THE_LINE):
        return True
    transform = style.get("transform", "")
    if any(_px(moved[0]) <= -_FAR_PX for moved in _NUMBER.finditer(transform)) or _SHRUNK.search(transform):
        return True
    if _CLIPPED.search(style.get("clip", "")) or _CLIPPED.search(style.get("clip-path", "")):
        return True
    closed = any(word in style.get("overflow", "") for word in ("hidden", "clip"))
    return closed and any(_px(style.get(size), math.inf) <= 1 for size in _SIZES)


def _look(element: Any, style: Style, around: _Look) -> _Look:
    """How text of an element looks, given how it looks around it."""
    if not style and element.get("color") is None and element.get("bgcolor") is None:
        return around
    seen = style.get("visibility")
    size = style.get("font-size", "")
    faint = _px(style.get("opacity"), 1.0) < _FAINT and element.tag not in _FRAME
    ink = _colour(style.get("-webkit-text-fill-color") or style.get("color") or element.get("color"))
    if ink == _INVISIBLE and "text" in style.get("background-clip", style.get("-webkit-background-clip", "")):
        ink = None  # letters cut out of a background
    return _Look(
        unseen=around.unseen if seen in (None, "inherit") or element.tag in _FRAME else seen in ("hidden", "collapse"),
        # A share of nothing is nothing: only a size of its own makes text within text of no size seen again.
        tiny=around.tiny if not size or (around.tiny and _SHARE.search(size)) else _px(size, 16.0) < _TINY_PX,
        faint=around.faint or faint,
        ink=around.ink if ink is None else ink,
        paper=_paper(element, style, around),
    )


def _paper(element: Any, style: Style, around: _Look) -> Colour | None:
    """What text is written on. Pictures have whatever colour, and so has what we can't read: no ink is like it."""
    value = style.get("background-color") or style.get("background") or str(element.get("bgcolor") or "").lower()
    if "background-image" in style or "url(" in value or "gradient(" in value:
        return _INVISIBLE
    if not value or value in ("none", "inherit", "initial", "unset"):
        return around.paper
    colour = _colour(value)
    return _INVISIBLE if colour is None else around.paper if colour == _INVISIBLE else colour


def _style(text: str | None) -> Style:
    """What a style attribute declares, of what can hide: in lower case, without comments and escapes."""
    if not text:
        return {}
    plain = re.sub(r"/\*.*?(?:\*/|$)", "", text.lower(), flags=re.DOTALL)
    plain = _ESCAPE.sub(lambda match: chr(min(int(match[1], 16), 0x10FFFF)).lower(), plain).replace("\\", "")
    declared = sorted(_DECLARED.finditer(plain), key=lambda match: _IMPORTANT.search(match[2]) is not None)
    return {match[1]: _IMPORTANT.sub("", match[2]).strip() for match in declared}


def _px(value: str | None, otherwise: float = 0.0) -> float:
    """A length, roughly in pixels; a bare number as it is."""
    match = _NUMBER.match(value or "")
    return otherwise if match is None else float(match[1]) * _PX.get(match[2], 1.0)


def _alike(one: Colour | None, other: Colour | None) -> bool:
    if one is None or other is None or _INVISIBLE in (one, other):
        return False
    return all(abs(part - counterpart) <= _ALIKE for part, counterpart in zip(one, other, strict=True))


def _colour(value: str | None) -> Colour | None:
    """The colour that a value names first, if it is one that we know."""
    if not value:
        return None
    value = value.strip().lower()
    if (match := _HEX.search(value)) is not None:
        digits = match[1]
        pairs = [digit * 2 for digit in digits] if len(digits) < 6 else [digits[at : at + 2] for at in range(0, 8, 2)]
        return _INVISIBLE if pairs[3:4] == ["00"] else (int(pairs[0], 16), int(pairs[1], 16), int(pairs[2], 16))
    if (match := _RGB.search(value)) is not None:
        parts = [float(part[1]) for part in _NUMBER.finditer(match[1])]
        if len(parts) > 3 and parts[3] < _FAINT:
            return _INVISIBLE
        return (parts[0], parts[1], parts[2]) if len(parts) >= 3 else None
    return next((_NAMED[word] for word in value.split() if word in _NAMED), None)


# ── the text ────────────────────────────────────────────────────────────────────────────────────────────────────────

# Possessive: whatever stands there is looked at once. </p> and </br> on their own are tags too.
_TAG = re.compile(r"""<(?:[a-zA-Z]|/(?:p|br)\b)(?:[^"'>]++|"[^"]*+"|'[^']*+')*+""", re.IGNORECASE)
_PIECE_CHARS = 64 * 1024
_QUOTED = re.compile(r""""[^"]*+"|'[^']*+'""")
_NAME = re.compile(r"""[^\s"'/=<]+""")
# All that trafilatura looks at when it looks for the text. The others only cost memory, in each of its copies of the tree.
_NEEDED = frozenset(
    {
        *("class", "id", "role", "itemprop", "type"),
        *("data-preloaded", "data-lp-replacement-content", "data-component"),
    }
)
_NO_XML = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\ufffe\uffff]")
# The parser believes it, and ends the page there; no browser does.
_SHUT_AT_ONCE = re.compile(r"<((?:html|body)\b[^<>]*)/>", re.IGNORECASE)
_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# Characters that show nothing, or turn around what follows: controls, surrogates, private use, and what Unicode lets any
# program ignore (Default_Ignorable_Code_Point: soft hyphens, joiners, marks of direction, tags, variation selectors), with
# Braille's and Hangul's blanks. Joiners go too, although Persian and Indic scripts and emoji are finer with them: such texts
# can be read without, trafilatura drops them anyway, and a message can be written in them alone.
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u2800\u3164\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)
# Scripts that are written without blanks between words: Thai to Burmese, Khmer, kana, Chinese.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_WORD = re.compile(r"\w[\w'’.-]*")


def seen(text: str) -> str:
    """A text without what can't be seen: in NFC, every line trimmed, no empty line more than one after another."""
    lines = _UNSEEN.sub("", _LINE_ENDS.sub("\n", text)).split("\n")
    trimmed = "\n".join(line.strip() for line in lines)
    return unicodedata.normalize("NFC", re.sub(r"\n{3,}", "\n\n", trimmed)).strip()


def words(text: str) -> int:
    """How many words a text has. Where a script has no blanks, two characters count as a word, as Chinese has it."""
    spaced, unspaced = _UNSPACED.subn(" ", text)
    return sum(1 for _ in _WORD.finditer(spaced)) + (unspaced + 1) // 2


def _tree(source: str) -> Any:
    """The page's tree without what is hidden; or the reason (a `str`) why there is none."""
    from lxml import etree, html

    if not source or source.isspace():
        return NO_TEXT
    source = _SHUT_AT_ONCE.sub(r"<\1>", _NO_XML.sub("", source))
    if _too_much(source):
        return TOO_MUCH
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, collect_ids=False)
    try:
        root = html.document_fromstring(source.encode("utf-8", "replace"), parser=parser)
    except etree.ParserError:  # it has no element at all
        return NO_TEXT
    depth = min(MAX_DEPTH, int(MAX_TAGS_TIMES_DEPTH / root.xpath("count(//*)")))
    if root.xpath(f"boolean(//*[count(ancestor::*) >= {depth}])"):
        return TOO_DEEP
    _conceal(root)
    return TOO_LONG if root.xpath("string-length(string(/))") > MAX_TEXT_CHARS else root


def _too_much(source: str) -> bool:
    """More tags or attributes than there may be. First counted roughly, scripts and all, which takes a millisecond."""
    rough = 0
    for tag in _TAG.finditer(source):
        parts = sum(1 for _ in _NAME.finditer(_QUOTED.sub(" ", tag[0])))
        if parts > MAX_ATTRIBUTES_OF_A_TAG:
            return True
        rough += parts
    return rough > MAX_TAGS and _counts_too_much(source)


def _counts_too_much(source: str) -> bool:
    """As the parser counts, which builds no tree meanwhile, and is broken off where it is enough."""
    from lxml import html

    parser = html.HTMLParser(encoding="utf-8", target=_Counter())
    try:
        for start in range(0, len(source), _PIECE_CHARS):
            parser.feed(source[start : start + _PIECE_CHARS].encode("utf-8", "replace"))
    except _Enough:
        return True
    return False


class _Enough(Exception):
    """More than there may be."""


class _Counter:
    """What the parser tells as it goes."""

    def __init__(self) -> None:
        self._tags = self._attributes = 0

    def start(self, _tag: str, attributes: Mapping[str, str]) -> None:
        self._tags += 1
        self._attributes += len(attributes)
        if self._tags > MAX_TAGS or self._attributes > MAX_ATTRIBUTES:
            raise _Enough

    def close(self) -> None:
        pass


def _from_tree(root: Any, url: str) -> Extracted:
    page = _stated(root, url)
    for element in root.iter():
        for name in set(element.attrib) - _NEEDED:
            del element.attrib[name]
    return _with_text(page, _main_text(root, url) or page.description or "")


def _main_text(root: Any, url: str) -> str:
    """The quick way first; where it finds little, by comparison with other algorithms; where nearly nothing, all it can."""
    text = _found(root, url, "fast")
    if len(text) < LITTLE_CHARS:
        compared = _found(root, url, "balanced")
        text = compared if len(compared) > MUCH_MORE * len(text) else text
    if len(text) < ALMOST_NOTHING_CHARS:
        text = max(text, _found(root, url, "recall"), key=len)
    return text


def _found(root: Any, url: str, mode: Literal["fast", "balanced", "recall"]) -> str:
    from trafilatura import bare_extraction

    document = bare_extraction(
        root, url=url, include_comments=False, fast=mode == "fast", favor_recall=mode == "recall"
    )
    return seen(getattr(document, "text", None) or "")


# ── what it says of itself ──────────────────────────────────────────────────────────────────────────────────────────

_LANGUAGE = re.compile(r"([a-z]{2})(?:[-_].*)?", re.IGNORECASE)
# htmldate looks at the clock for the latest possible date, unless one is named; and what a page states may lie ahead.
_DATES = {"original_date": True, "extensive_search": False, "max_date": "2100-01-01"}


def _stated(root: Any, url: str) -> Extracted:
    """What a page says of itself, each on one line and not longer than such things are."""
    from trafilatura import extract_metadata

    stated = extract_metadata(root, default_url=url, date_config=_DATES)
    return Extracted(
        title=_line(stated.title, 300),
        author=_line(stated.author, 200),
        published=_line(stated.date, 30),
        language=_language(root),
        site=_line(stated.sitename, 100),
        description=_line(stated.description, 1_000),
    )


def _line(value: Any, most: int) -> str | None:
    if not isinstance(value, str):
        return None
    line = " ".join(seen(value).split())
    return (line if len(line) <= most else f"{line[: most - 1].rstrip()}…") or None


def _language(root: Any) -> str | None:
    """By the attribute of the whole page, else by its `content-language`."""
    metas = (meta for meta in root.iter("meta") if str(meta.get("http-equiv")).strip().lower() == "content-language")
    for name in (root.get("lang"), root.get("xml:lang"), *(meta.get("content") for meta in metas)):
        if (match := _LANGUAGE.fullmatch(str(name or "").strip())) is not None:
            return match[1].lower()
    return None


# ── the libraries' manners ──────────────────────────────────────────────────────────────────────────────────────────

_LIBRARIES = ("trafilatura", "htmldate", "courlan", "justext", "charset_normalizer")


@contextmanager
def _quiet() -> Iterator[None]:
    """No log line and no warning of a library: they would quote what a stranger wrote."""
    import trafilatura  # noqa: F401  # it sets the level of a logger when it is imported

    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _forget() -> None:
    from trafilatura.meta import reset_caches

    reset_caches()
