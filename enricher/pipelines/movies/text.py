"""Bytes become text: which encoding a list is in, told from its first 64 KB.

Rule 1: a byte-order mark is believed. Without one, NULs at every other place mean UTF-16.
Rule 2: else it is UTF-8 unless more of it is broken than whole; then its encoding is guessed (lists/encodings.py), and the
guess is reported. A byte that does not fit is read as cp1252 (Latin-1 with Windows' quotes and dashes), so that one bad
byte, or two lists glued together, spoil nothing around it.
Rule 3: an encoding that the caller names is taken, unless a mark says otherwise. UTF-16 without a mark is little-endian,
as Windows writes it, where its NULs do not say otherwise.
Rule 4: what is no text at all says what it looks like.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterator

from .lists.encodings import LENIENT, guessed_encoding

HEAD_BYTES = 64 * 1024
START_BYTES = 4096

# A longer line is handed on in pieces: it bounds the memory for a file that has no line ends. The longest thing that
# people write is a review, and Letterboxd's longest are some tens of kilobytes.
LONGEST_LINE_CHARS = 16_000_000

_MARKS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ENDIAN = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}  # Python wants a mark for these names
_BINARIES = (
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x1f\x8b", "gzip-compressed data"),
    (b"BZh", "bzip2-compressed data"),
    (b"\xfd7zXZ", "xz-compressed data"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word document"),
    (b"\x7fELF", "a program"),
)
_CONTROLS = bytes(set(range(32)) - set(b"\0\t\n\r\x1a"))  # NUL is counted apart; 1A ends old DOS texts


class NotAList(Exception):
    """A file, or a member of an archive, can't be read as a list. `str()` is the reason, without the name."""


def _ignore(_encoding: str) -> None:
    pass


def open_text(
    raw: io.RawIOBase, encoding: str | None = None, on_guess: Callable[[str], None] = _ignore
) -> Iterator[str]:
    """The lines of a stream, each with its line end (LF, CR or CRLF) as it was, NULs dropped. Reads lazily.

    `encoding` None: told from the beginning; `on_guess` is called with its name where that is a guess.
    Raises NotAList if the stream is empty or is no text.
    """
    return text_lines(open_characters(raw, encoding, on_guess)[0])


def open_characters(
    raw: io.RawIOBase, encoding: str | None = None, on_guess: Callable[[str], None] = _ignore
) -> tuple[io.TextIOWrapper, str]:
    """The characters of a stream, as `open_text`, and what they begin with; a mark at its start is passed over."""
    buffered = io.BufferedReader(raw, HEAD_BYTES)
    head = buffered.peek(HEAD_BYTES)
    if not head:
        raise NotAList("the file is empty; export the list again")
    found, mark = _marked(head)
    if not mark and encoding is not None:
        found = _ENDIAN.get(encoding, encoding)
        if found != encoding and (told := _utf16_by_nuls(head)) and told.startswith(encoding):
            found = told
    elif not mark:
        found, guess = _encoding(head)
        if guess:
            on_guess(found)
    buffered.read(len(mark))
    errors = LENIENT if found in {"utf-8", "cp1252"} else "replace"
    start = head[len(mark) : START_BYTES].decode(found, "ignore")
    return io.TextIOWrapper(buffered, encoding=found, errors=errors, newline=""), start


def text_lines(text: io.TextIOWrapper) -> Iterator[str]:
    """The lines of a text, as `open_text`; one that is longer than can be held comes in pieces."""
    with text:
        while line := text.readline(LONGEST_LINE_CHARS):
            # Before 3.11.4 the csv module refuses a line with a NUL, and no title has one.
            if "\0" not in line or (line := line.replace("\0", "")):
                yield line


def _marked(head: bytes) -> tuple[str, bytes]:
    """The encoding that a mark at the start of a text says, and the mark; ("", b"") if there is none.

    Raises NotAList if the start is that of another kind of file.
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, mark
    for magic, looks in _BINARIES:
        if head.startswith(magic):
            raise NotAList(f"this is no text but {looks}; export the list as CSV")
    return "", b""


def _utf16_by_nuls(head: bytes) -> str | None:
    """Which UTF-16 a text without a mark is, None for none: told by the NULs in its first line."""
    start = head[:200]  # the column names: ASCII in every list that we can read, whatever the titles are written in
    before, after = start[::2].count(0), start[1::2].count(0)
    if max(before, after) > 0.4 * len(start) / 2 and min(before, after) < 0.1 * len(start) / 2:
        return "utf-16-be" if before > after else "utf-16-le"
    return None


def _encoding(head: bytes) -> tuple[str, bool]:
    """The encoding of a text without a mark, and whether it is a guess. Raises NotAList if it is no text."""
    if told := _utf16_by_nuls(head):
        return told, False
    odd = len(head) - len(head.translate(None, _CONTROLS))
    if odd > 4 + 0.02 * len(head) or head.count(0) > 0.3 * len(head):
        raise NotAList("this is no text but binary data; export the list as CSV, or name its --encoding")
    decoder = codecs.getincrementaldecoder("utf-8")("replace")  # incremental: the head may end inside a letter
    text = decoder.decode(head)
    broken = text.count("\N{REPLACEMENT CHARACTER}")
    whole = sum(1 for letter in text if letter > "\x7f") - broken
    return ("utf-8", False) if whole >= broken else (guessed_encoding(head), True)
