"""How an answer is cut out of the bytes of a connection (RFC 9112): in one way, for both libraries.

Rule 1: both transports show their library a head that is written out anew, so what one reads, the other reads. What the two
libraries take differently is decided here: mended if its meaning is plain, else refused as `Unreadable`.
Rule 2: where a body ends is decided here as well. What follows it belongs to no answer.
Rule 3: nothing here touches a wire: lines and bytes go in, what they mean comes out.

Mended: bare line ends, folded lines, blanks before a colon, control characters in a value (RFC 9110, 5.5), a line without
a colon or with no name (left out), equal lengths said twice, a version in lower case or of a later minor number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import Cause

LONGEST_LINE_BYTES = 65_536
"""As http.client has it; aiohttp's own 8,190 are less than some servers' policies need."""

MOST_HEADERS = 99
"""As http.client has it, which counts the empty line as well; aiohttp would take 128."""

MOST_BLANK_LINES = 8
"""Empty lines before an answer that are passed over: what a server sent too much after the answer before it."""

LONGEST_SIZE_LINE_BYTES = 8_192
"""The line that says how long a chunk is, its extensions included."""


class Unreadable(OSError):
    """An answer that can't be read; `cause` says what of it."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause)
        self.cause: Cause = cause


_STATUS = re.compile(rb"HTTP/(\d+)(?:\.(\d+))?[ \t]+([1-9]\d\d)(?:[ \t][^\n]*)?\r?\n", re.IGNORECASE)
_PLAIN = re.compile(
    rb"HTTP/1\.[01] ([2-9]\d\d)(?: [^\x00-\x1f\x7f]*+)?\r\n"
    rb"(?:[\w!#$%&'*+.^`|~-]++: ?(?! )[^\x00-\x1f\x7f]*+(?<! )\r\n)*+\r\n"
)
"""A head that every library reads alike, but for where its body ends."""

_NAME = re.compile(rb"[\w!#$%&'*+.^`|~-]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_FRAMING = re.compile(rb"(?<=\n)(content-length|transfer-encoding):([^\r\n]*)\r\n", re.IGNORECASE)
_LENGTH = re.compile(rb"\d{1,18}")


@dataclass(frozen=True, slots=True)
class Head:
    """The head of an answer, written out anew. `length` is that of its body, None where its end is told otherwise."""

    raw: bytes
    status: int
    length: int | None
    chunked: bool


def plain_head(data: bytes, method: str) -> Head | None:
    """The head that these bytes begin with, if all of it has come and nothing in it is odd: most are read by this alone."""
    found = _PLAIN.match(data)
    if found is None:
        return None
    raw = found[0]
    if len(raw) > LONGEST_LINE_BYTES or raw.count(b"\n") > MOST_HEADERS + 2:
        return None
    try:
        head = _framed(raw, int(found[1]), method)
    except Unreadable:
        return None  # as `HeadLines` will say
    return head if head.raw is raw else None


class HeadLines:
    """The lines of a head as they come, early hints and other heads of 1xx before it passed over."""

    def __init__(self, method: str) -> None:
        self.method = method
        self._lines: list[bytes] = []
        self._blanks = 0
        self.answered = False
        """Whether a status line has come."""

    @property
    def begun(self) -> bool:
        """Whether lines of a head have come that is not whole yet."""
        return bool(self._lines)

    def add(self, line: bytes) -> Head | None:
        """Take one line, its end included, or as much of it as is longer than `LONGEST_LINE_BYTES`.

        :raises Unreadable: if no head can be read from what has come.
        """
        if len(line) > LONGEST_LINE_BYTES:
            raise Unreadable(
                "the answer can't be read: a header is too long" if self._lines else "the answer is not HTTP"
            )
        lines = self._lines
        if line in (b"\r\n", b"\n"):
            if lines:
                return self._whole()
            self._blanks += 1
            if self._blanks > MOST_BLANK_LINES:
                raise Unreadable("the answer is not HTTP")
            return None
        if not lines:
            found = _STATUS.fullmatch(line)
            if found is None:
                raise Unreadable("the answer is not HTTP")
            self.answered = True
            if int(found[1]) != 1:
                raise Unreadable("the answer can't be read: it is of another version of HTTP")
        elif len(lines) > MOST_HEADERS:
            raise Unreadable("the answer can't be read: more headers than are taken")
        lines.append(line)
        return None

    def _whole(self) -> Head | None:
        lines, self._lines = self._lines, []
        found = _STATUS.fullmatch(lines[0])
        assert found is not None  # noqa: S101  # checked when it came
        status = int(found[3])
        if status < 200:
            if status == 101:
                raise Unreadable("the answer can't be read: it changes the protocol")
            return None
        raw = b"".join(lines) + b"\r\n"
        if not _PLAIN.fullmatch(raw):
            raw = _mended(found, lines[1:])
        return _framed(raw, status, self.method)


def _mended(status: re.Match[bytes], lines: Sequence[bytes]) -> bytes:
    """A head of which something is odd, without it."""
    headers: list[tuple[bytes, list[bytes]]] = []
    kept = False  # the line before, which a folded one goes on
    for line in lines:
        value = _CONTROL.sub(b" ", line.rstrip(b"\r\n"))
        if value[:1] not in (b" ", b"\t"):
            name, colon, value = value.partition(b":")
            name = name.rstrip()
            kept = bool(colon) and _NAME.fullmatch(name) is not None
            if kept:
                headers.append((name, []))
        if kept and (value := value.strip()):
            headers[-1][1].append(value)
    version = b"1.0" if status[2] is None or not int(status[2]) else b"1.1"
    told = [b"HTTP/" + version + b" " + status[3]]
    told += [name + b": " + b" ".join(values) for name, values in headers]
    return b"\r\n".join([*told, b"\r\n"])


def _framed(raw: bytes, status: int, method: str) -> Head:
    """A head that says once where its body ends, or not at all."""
    has_body = status not in (204, 304) and method != "HEAD"
    low = raw.lower()
    at = low.find(b"\ncontent-length: ")
    if has_body and at > 0 and low.count(b"\ncontent-length") == 1 and b"\ntransfer-encoding" not in low:
        length = low[at + 17 : low.find(b"\r", at)]
        if _LENGTH.fullmatch(length):
            return Head(raw, status, int(length), chunked=False)
    found = _FRAMING.findall(raw)
    lengths = [each.strip() for name, values in found if len(name) == 14 for each in values.split(b",")]
    encodings = [each.strip().lower() for name, values in found if len(name) == 17 for each in values.split(b",")]
    encodings = [each for each in encodings if each not in (b"", b"identity")]
    if not has_body:  # what it says of one is for who reads it, unless it confuses a library
        plain = not found or (not encodings and len(lengths) == 1 and _LENGTH.fullmatch(lengths[0]) is not None)
        return Head(raw if plain else _without_framing(raw), status, 0, chunked=False)
    if encodings:
        if encodings != [b"chunked"]:
            raise Unreadable("the answer can't be read: an encoding that was not asked for")
        if lengths:
            raise Unreadable("the answer can't be read: its length is unclear")
        return Head(_reframed(raw, b"Transfer-Encoding: chunked"), status, None, chunked=True)
    if not lengths:
        return Head(_without_framing(raw) if found else raw, status, None, chunked=False)
    if not all(_LENGTH.fullmatch(each) for each in lengths) or len({int(each) for each in lengths}) > 1:
        raise Unreadable("the answer can't be read: its length is unclear")
    if len(found) > 1 or len(lengths) > 1:
        raw = _reframed(raw, b"Content-Length: " + lengths[0])
    return Head(raw, status, int(lengths[0]), chunked=False)


def _reframed(raw: bytes, line: bytes) -> bytes:
    """A head with this line in the place of all that says where its body ends."""
    return _without_framing(raw)[:-2] + line + b"\r\n\r\n"


def _without_framing(raw: bytes) -> bytes:
    return _FRAMING.sub(b"", raw)


_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?\r?\n")


class Chunks:
    """A body in chunks, unwrapped as it comes. Its trailers are passed over."""

    def __init__(self) -> None:
        self._line = b""  # as much as has come of one
        self._left = 0  # of a chunk, bytes
        self._within = False  # a chunk, or between its last byte and its line end
        self._trailing = 0  # lines after the last chunk
        self.done = False
        self.stray = False
        """Whether something has followed the end."""

    def feed(self, data: bytes) -> bytes:
        """What these bytes hold of the body. Those that follow its end are left out.

        :raises Unreadable: if they are no chunks.
        """
        pieces = []
        at = 0
        while at < len(data) and not self.done:
            if self._left:
                piece = data[at : at + self._left]
                self._left -= len(piece)
                at += len(piece)
                pieces.append(piece)
                continue
            end = data.find(b"\n", at) + 1
            self._line += data[at : end or len(data)]
            at = end or len(data)
            if len(self._line) > LONGEST_SIZE_LINE_BYTES:
                raise Unreadable("the answer can't be read: a chunk is broken")
            if end:
                line, self._line = self._line, b""
                self._take(line)
        self.stray = at < len(data)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _take(self, line: bytes) -> None:
        """Take a line between two chunks, or after the last."""
        empty = line in (b"\r\n", b"\n")
        if self._trailing:
            self._trailing += 1
            self.done = empty
            if self._trailing > MOST_HEADERS:
                raise Unreadable("the answer can't be read: more headers than are taken")
        elif self._within:
            if not empty:
                raise Unreadable("the answer can't be read: a chunk is broken")
            self._within = False
        else:
            found = _SIZE.fullmatch(line)
            if found is None:
                raise Unreadable("the answer can't be read: a chunk is broken")
            self._left = int(found[1], 16)
            self._within = self._left > 0
            self._trailing = int(not self._within)
