"""A text file becomes a table: one title or id a line, as people type, paste and list folders.

    The Matrix (1999)          1. Heat, 1995 ★★★★       - [x] Ran - 1985        tt0133093
    Heat (1995) {tmdb-949}     [Ran](https://letterboxd.com/film/ran/)          603

Rule 1: what stands around a title on most lines (numbers, years without brackets) is no part of it; on a single line it
may be one: "12 Angry Men", "Blade Runner 2049".
Rule 2: the line travels as it stands; how it was read stands beside it.
Rule 3: prose and tables are no such lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from ..delimited import Record, Table
from .cells import INVISIBLE, imdb_id_of, tagged_ids, tidy, tmdb_id_of, year_of

SAMPLE_LINES = 200
LONG_LINE_CHARS = 150
LONGEST_LINE_CHARS = 500
"""No longer line is taken apart: it is no title."""
HEADER = ["Line", "Title", "Year", "IMDb ID", "TMDB ID"]

_RULE = re.compile(r"[\s\-=_*~#.+|•]+")
_HEADING = re.compile(r"#{1,6}\s+\S|[^:]+:$")
_SYMBOL = "[\u2190-\u2604\u2607-\u2b4f\U0001f300-\U0001faff]\ufe0f?"  # arrows, ticks and emoji, but no stars
_BULLET = re.compile(rf"・\s*(?=\S)|(?:[-*+•–—·]|\[[ xX✓✔]?\])\s+|{_SYMBOL}\s*(?=\S)")
_MARKED_NUMBER = re.compile(
    r"(?:[(\[]\d{1,4}[)\]]|(?:no\.?\s*|nr\.?\s*|#)?\d{1,4}\s*[.):\]、．]|#\d{1,4})(?:\s+|[-–—]\s*|(?<=、))",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d+")
_BARE_NUMBER = re.compile(r"(\d{1,4})(?:\s*[-–—]\s+|\s+)")
_MARKDOWN_LINK = re.compile(r"\[([^\]]+)\]\((\S+?)\)")
_LINK = re.compile(r"<?\b(?:\w+://|(?:www\.|m\.)?(?:imdb\.com|themoviedb\.org|letterboxd\.com)/)\S+", re.IGNORECASE)
_WORD_ID = re.compile(r"\b(tmdb|imdb)(?:id)?\s*[:=/-]\s*((?:tt)?\d+)\b", re.IGNORECASE)
_BARE_IMDB = re.compile(r"[(\[{]?\btt\d{6,10}\b[)\]}]?", re.IGNORECASE)
_STARS = r"[★☆⭐✩✭✮\ufe0f½]*[★☆⭐✩✭✮][★☆⭐✩✭✮\ufe0f½\s]*"
_SCORE = r"\d{1,2}(?:[.,]\d{1,2})?\s*/\s*(?:5|10|20|100)\b\s*(?:stars?)?|\d{1,3}\s*%|\d(?:[.,]5)?\s*stars?|\*{1,5}½?"
_RATING_BEHIND = re.compile(rf"(?:[\s\-–—:|,;]+|(?<=\)))[(\[]?(?:{_STARS}|{_SCORE})[)\]]?\s*$")
_RATING_BEFORE = re.compile(
    rf"^(?:{_STARS}|\*{{2,5}}½?\s|\d(?:[.,]5)?/(?:5|10)\s|[(\[]\s*(?:{_SCORE})\s*[)\]])[\s\-–—:|]*(?=\S)"
)
_SYMBOLS_BEHIND = re.compile(rf"(?:\s*{_SYMBOL})+$")
_FILE = re.compile(r"\.(?:mkv|mp4|avi|m4v|mov|wmv|iso|ts|webm|nfo|strm)$", re.IGNORECASE)
_RELEASE_NAME = re.compile(r"([^\s/]+?)[._]\(?((?:19|20)\d\d)\)?(?![._]\(?(?:19|20)\d\d\b)(?:[._-]\S*)?")
_RIP = re.compile(
    r"(\S.*?)\s\(?((?:19|20)\d\d)\)?\s(?!\(?(?:19|20)\d\d\b).*\b(?:\d{3,4}p|blu-?ray|web-?(?:dl|rip)|hdtv|dvd(?:rip)?|x26\d|remux)\b.*",
    re.IGNORECASE,
)
_PATH = re.compile(r"(?:[A-Za-z]:)?[\\/].*[\\/]|\.{1,2}[\\/].*[\\/]|[\\/]|.*[\\/](?=[^\\/]*\.\w{2,4}$)")
_DATE = re.compile(
    r"[\[(]?(?:\d{4}([-./])\d{1,2}\1\d{1,2}|\d{1,2}([-./])\d{1,2}\2\d{4})(?:,?[ T]\d{1,2}:\d\d(?::\d\d)?)?[\])]?"
    r"(?:\s*[-–—:|,;]\s*|\s+)(?=\S)"
)
_YEAR = r"(1[89]\d\d|20\d\d)"
_BRACKETED_YEAR = re.compile(
    rf"(.*?\S)\s*[(\[（［【](?:[^()\[\]]*,\s*|film,?\s*)?{_YEAR}[年년]?(?:\s*,[^()\[\]]*|\s+(?:tv\s+)?film)?"
    r"[)\]）］】]\s*(.*)",
    re.IGNORECASE,
)
_YEAR_IN_FRONT = re.compile(rf"[(\[]{_YEAR}[)\]]\s*[-–—:]?\s*(\S.*)")
_MARKED_YEAR = re.compile(rf"(.*\S)(?:\s*,\s*|\s+[-–—:|/]\s*|\s*;\s*|\t+|(?<=[\"”“»』」》])\s*){_YEAR}")
_BARE_YEAR = re.compile(rf"(.*\S)\s+{_YEAR}")
_BARE_YEAR_IN_FRONT = re.compile(rf"{_YEAR}(?:\s*[-–—:,;|]\s*|\s+)(\S.*)")
_QUOTES = {
    '"': '"',
    "“": "”",
    "„": "“",
    "«": "»",
    "»": "«",
    "‚": "‘",
    "*": "*",
    "_": "_",
    "「": "」",
    "『": "』",
    "《": "》",
}


def plain_table(head: Sequence[str], lines: Iterator[str]) -> Table | None:
    """The table of a text whose first lines are `head`, and `lines` all of it; None if they are no titles."""
    sample = [line.strip(INVISIBLE) for line in islice(head, SAMPLE_LINES)]
    sample = [line for line in sample if line and not _RULE.fullmatch(line) and not _HEADING.match(line)]
    style = _Style.of(sample)
    if not sample or _is_prose(sample) or _is_tabular([style.unnumbered(line) for line in sample]):
        return None
    return Table(HEADER, [], _records(lines, style), headings=True)


def adorned_table(name: str, head: Sequence[str], lines: Iterator[str]) -> Table | None:
    """As `plain_table`, of the lines below the only column's `name`; None unless most are more than a title and a year."""
    sample = [line.strip(INVISIBLE) for line in head[:SAMPLE_LINES] if line.strip(INVISIBLE)]
    style = _Style.of(sample)
    if sum(_is_adorned(line, style) for line in sample) <= len(sample) // 2:
        return None
    own = "Line" if name.casefold() == "title" else name
    table = plain_table(head, lines)
    return table and Table([own, *HEADER[1:]], table.preamble, table.records, headings=True)


def _is_adorned(line: str, style: _Style) -> bool:
    title, year, imdb_id, tmdb_id = style.read(line)
    return bool(imdb_id or tmdb_id) or line not in (title, f"{title} ({year})", f'"{title}"', f"{title} [{year}]")


def _is_prose(lines: Sequence[str]) -> bool:
    if any(ord(letter) < 32 and letter != "\t" for line in lines for letter in line):
        return True
    return lines[0].startswith("<") or sum(len(line) > LONG_LINE_CHARS for line in lines) * 5 > len(lines)


def _is_tabular(lines: Sequence[str]) -> bool:
    """Whether the lines look like rows of cells; commas in titles have a blank behind them."""
    for mark in (r"\t", r"[^\s];[^\s]", r"\|", r",\S"):
        count = sum(1 for line in lines if re.search(mark, line))
        if count > 0.8 * len(lines) and not all(map(_MARKED_YEAR.fullmatch, lines)):
            return True
    return False


def _records(lines: Iterator[str], style: _Style) -> Iterator[Record]:
    for number, line in enumerate(lines, 1):
        text = line.strip(INVISIBLE)
        if not text or _RULE.fullmatch(text):
            continue
        if _HEADING.match(text):
            yield Record(number, [text])
        else:
            yield Record(number, [line.rstrip("\r\n"), *style.read(text)])


# ── one line ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Style:
    """What stands around the titles on most lines of a text."""

    marked_numbers: bool = False
    bare_numbers: bool = False
    year_behind: bool = False
    year_in_front: bool = False
    tmdb_ids: bool = False
    dated: bool = False

    @classmethod
    def of(cls, lines: Sequence[str]) -> _Style:
        texts = [_unbulleted(line) for line in lines]
        most = 0.75 * len(texts)
        if len(texts) > 1 and all(text.isdecimal() and text.isascii() for text in texts):
            return cls(tmdb_ids=True)
        numbers = [int(_DIGITS.findall(match[0])[0]) for match in map(_MARKED_NUMBER.match, texts) if match]
        marked = len(numbers) > most or _counts_up(numbers)
        numbers = [int(match[1]) for match in map(_BARE_NUMBER.match, texts) if match]
        bare = not marked and len(numbers) > most and _counts_up(numbers)
        found = cls(marked_numbers=marked, bare_numbers=bare)
        texts = [found.unnumbered(text) for text in texts]
        if dated := len(texts) > 1 and sum(1 for text in texts if _DATE.match(text)) > most:  # when each was seen
            texts = [_DATE.sub("", text, count=1) for text in texts]
        several = len(texts) > 2
        behind = several and sum(1 for text in texts if _BARE_YEAR.fullmatch(text)) > most
        in_front = several and sum(1 for text in texts if _BARE_YEAR_IN_FRONT.fullmatch(text)) > most
        return cls(marked, bare, behind and not in_front, in_front, dated=dated)

    def unnumbered(self, line: str) -> str:
        """A line without bullets, numbers and the day on which it was seen."""
        text = _unbulleted(line)
        if self.marked_numbers:
            text = _MARKED_NUMBER.sub("", text, count=1)
        elif self.bare_numbers:
            text = _BARE_NUMBER.sub("", text, count=1)
        if self.dated:
            text = _DATE.sub("", text, count=1)
        return text if self is _PLAIN else _unbulleted(text)

    def read(self, line: str) -> list[str]:
        """Title, year, IMDb id and TMDB id of a line; "" for what it does not say."""
        if self.tmdb_ids:
            return ["", "", "", line]
        if len(line) > LONGEST_LINE_CHARS:
            return [line, "", "", ""]
        text, imdb_id, tmdb_id = _without_ids(self.unnumbered(line))
        text = text.rstrip("/\\")
        text = _FILE.sub("", _PATH.sub("", text, count=1) if _PATH.match(text) else text)
        title, year = self._title_and_year(_unrated(text))
        return [title, year, imdb_id or "", str(tmdb_id or "")]

    def _title_and_year(self, text: str) -> tuple[str, str]:
        if (match := _BRACKETED_YEAR.fullmatch(text)) and not _BRACKETED_YEAR.fullmatch(f"x {match[3]}"):
            return _unquoted(match[1]), match[2]
        if match := _YEAR_IN_FRONT.fullmatch(text):
            return _unquoted(match[2]), match[1]
        if match := _RIP.fullmatch(text):
            return _unquoted(match[1]), match[2]
        if (match := _RELEASE_NAME.fullmatch(text)) and year_of(match[2]):
            return re.sub(r"[._]+", " ", match[1]), match[2]
        if match := _MARKED_YEAR.fullmatch(text) or (_BARE_YEAR.fullmatch(text) if self.year_behind else None):
            return _unquoted(match[1]), match[2]
        if self.year_in_front and (match := _BARE_YEAR_IN_FRONT.fullmatch(text)):
            return _unquoted(match[2]), match[1]
        return _unquoted(text), ""


_PLAIN = _Style()


def _unbulleted(line: str) -> str:
    text = line
    for _ in range(3):
        text = _BULLET.sub("", text, count=1) if _BULLET.match(text) else text
    return text


def _counts_up(numbers: Sequence[int]) -> bool:
    """Whether there are some numbers, and nearly each is the next to, or the one before, the last."""
    steps = [after - before for before, after in pairwise(numbers)]
    return len(steps) > 1 and sum(abs(step) == 1 for step in steps) >= 0.9 * len(steps)


def _without_ids(text: str) -> tuple[str, str | None, int | None]:
    """A line without links and ids, the IMDb id and the TMDB id."""
    imdb_id = tmdb_id = None
    for link in _LINK.findall(text):
        imdb_id = imdb_id or (imdb_id_of(link, bare=False) if "imdb" in link.casefold() else None)
        tmdb_id = tmdb_id or tmdb_id_of(link.strip("<>()"))
    text = _LINK.sub("", _MARKDOWN_LINK.sub(r"\1", text))
    text, tagged_imdb, tagged_tmdb = tagged_ids(text)
    for kind, number in _WORD_ID.findall(text):
        if kind.casefold() == "imdb" or number.casefold().startswith("tt"):
            tagged_imdb = tagged_imdb or imdb_id_of(number)
        else:
            tagged_tmdb = tagged_tmdb or tmdb_id_of(number)
    text = _WORD_ID.sub("", text)
    if match := _BARE_IMDB.search(text):
        tagged_imdb = tagged_imdb or imdb_id_of(match[0])
        text = _BARE_IMDB.sub("", text)
    return text.strip(" \t-–—:,;|"), imdb_id or tagged_imdb, tmdb_id or tagged_tmdb


def _unrated(text: str) -> str:
    """A line without stars and scores around it."""
    before = _RATING_BEFORE.sub("", text)
    behind = _RATING_BEHIND.sub("", _SYMBOLS_BEHIND.sub("", before))
    return behind.strip() or text


def _unquoted(title: str) -> str:
    title = title.strip(" \t-–—|;,:") or title
    while len(title) > 2 and _QUOTES.get(title[0]) == title[-1]:
        title = title[1:-1].strip()
    return tidy(title)
