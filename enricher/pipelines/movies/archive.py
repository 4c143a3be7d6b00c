"""A ZIP becomes its lists, as far as it can be trusted.

Rule 1: nothing is written to disk. A member whose name leads out of the archive is not read, and named.
Rule 2: sizes are measured while reading; what the ZIP says of itself is not believed.
Rule 3: stored and deflated members only: those are read in bounded pieces, while one piece of bzip2 or LZMA can be any
size once it is unpacked.
Rule 4: what Letterboxd keeps of deleted and orphaned entries is passed over, and so is what holds no films: profile,
comments, the likes of reviews and of lists.
Rule 5: a member is opened anew each time, because JSON is read more than once; what it unpacks to counts each time.
"""

from __future__ import annotations

import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from ...errors import InputError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAGIC = (b"PK\x03\x04", b"PK\x05\x06")

# The largest export that we know of unpacks to 3 MB in 300 members; these leave room for a life's diary.
MAX_MEMBERS = 5_000
MAX_MEMBER_BYTES = 64 * 1024 * 1024
MAX_TOTAL_BYTES = 256 * 1024 * 1024
# Exports shrink to a third or a fifth, a list of one film 10,000 times to a 200th; deflate can't do better than 1:1032.
MAX_RATIO = 300
RATIO_COUNTS_FROM_BYTES = 1024 * 1024

# The order in which a film is looked for: files that know the film's own address first, its rating as it is today next.
_ORDER = (
    *("watched.csv", "ratings.csv", "diary.csv", "reviews.csv", "watchlist.csv", "likes/films.csv"),
    *("watched-movies.json", "ratings-movies.json", "watched-history.json", "history.json"),
)
_PASSED_OVER = {"deleted", "orphaned", "__macosx"}
_NO_FILMS = {"profile.csv", "comments.csv", "likes/reviews.csv", "likes/lists.csv"}
_OUTSIDE = re.compile(r"^(?:/|[A-Za-z]:)|(?:^|/)\.\.(?:/|$)")
PART = re.compile(r"[-_ ]?\d+(?=\.json$)")  # Trakt's history comes in several files
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,  # NotImplementedError among them
    ValueError,
    LookupError,
    OverflowError,
)


@dataclass(frozen=True, slots=True)
class Member:
    """One list of an archive. `open` is None where it is not read, and `refusal` says why."""

    name: str
    open: Callable[[], io.RawIOBase] | None
    refusal: str = ""


def members(file: IO[bytes], source: str, only: Sequence[str] = ()) -> Iterator[Member]:
    """The lists in an archive, to be read before the next is asked for. `source` is the name to be used in errors.

    `only` names the lists that are wanted, such as "watched" or "lists/favourites"; none: all.
    Raises InputError (also while a member is read) if the archive is broken, encrypted, or a bomb, or has no such list.
    """
    try:
        archive = zipfile.ZipFile(file)
    except _BROKEN:
        raise InputError(f"{source}: the ZIP archive is broken or cut short; download the export again") from None
    with archive:
        infos = archive.infolist()
        if len(infos) > MAX_MEMBERS:
            raise InputError(
                f"{source}: {len(infos)} files in one ZIP archive ({MAX_MEMBERS} at most); give the CSV files"
            )
        names = {info.filename for info in infos}
        if names & {"[Content_Types].xml", "mimetype"}:
            raise InputError(f"{source}: this is no list but an Excel or office document; save it as CSV")
        meter = _Meter(source)
        for info in sorted(_chosen(infos, source, only), key=lambda info: _rank(_path(info))):
            yield _member(archive, info, meter)


def _chosen(infos: Sequence[zipfile.ZipInfo], source: str, only: Sequence[str]) -> list[zipfile.ZipInfo]:
    """The members to be read or named. Raises InputError if a list that is wanted is not there."""
    lists = [info for info in infos if _is_list(info) or _is_zip(info)]
    if not only:
        return lists
    chosen = [info for info in lists if any(_is_named(_path(info), word) for word in only)]
    for word in only:
        if not any(_is_named(_path(info), word) for info in chosen):
            names = ", ".join(dict.fromkeys(_path(info).rpartition(".")[0] for info in lists)) or "none"
            raise InputError(f"{source}: --only {word}: the export has no such list; it has {names[:300]}")
    return chosen


def _is_named(name: str, word: str) -> bool:
    """Whether a person means this member by a word: its name, a folder, or words of its name ("history").

    A watchlist is meant only by a word of its own, because it is no list of films that were seen.
    """
    stem, wanted = name.casefold().rpartition(".")[0], word.casefold()
    *folders, last = stem.split("/")
    words = set(re.split(r"[-_ ]", last))
    if "watchlist" in words and wanted != stem and wanted not in (last, "watchlist"):
        return False
    return wanted in (stem, last, name.casefold(), *folders) or set(re.split(r"[-_ ]", wanted)) <= words


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, meter: _Meter) -> Member:
    name = _path(info)
    if _OUTSIDE.search(name):
        return Member(name, None, "its name leads out of the archive")
    if _is_zip(info):
        return Member(name, None, "a ZIP archive inside the ZIP archive; unpack it and give it by itself")
    if info.flag_bits & 1:
        raise InputError(f"{meter.source}: the ZIP archive is encrypted; unpack it and give the CSV files")
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        return Member(name, None, "its kind of compression is not supported; unpack the archive")
    if info.file_size > MAX_MEMBER_BYTES:  # it may lie about being small, hardly about being huge
        raise meter.bomb(name)

    def opened() -> io.RawIOBase:
        try:
            return _Measured(archive.open(info), name, info.compress_size, meter)
        except _BROKEN:
            raise meter.broken(name) from None

    return Member(name, opened)


def _path(info: zipfile.ZipInfo) -> str:
    return info.filename.replace("\\", "/")


def _is_list(info: zipfile.ZipInfo) -> bool:
    """Whether a member may hold films. The folder that an export may have been packed with makes no difference."""
    *folders, file = _path(info).casefold().split("/")
    if file.startswith(".") or not file.endswith((".csv", ".tsv", ".json")) or _PASSED_OVER & set(folders):
        return False
    return "lists" in folders or not {file, "/".join((*folders[-1:], file))} & _NO_FILMS


def _is_zip(info: zipfile.ZipInfo) -> bool:
    *folders, file = _path(info).casefold().split("/")
    return file.endswith(".zip") and not file.startswith(".") and not _PASSED_OVER & set(folders)


def _rank(name: str) -> tuple[int, str]:
    *folders, file = PART.sub("", name.casefold()).split("/")
    if "lists" in folders:
        return len(_ORDER), name
    tails = (file, "/".join((*folders[-1:], file)))
    return min((_ORDER.index(tail) for tail in tails if tail in _ORDER), default=len(_ORDER) + 1), name


class _Meter:
    """What has come out of an archive so far."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.total = 0

    def broken(self, name: str) -> InputError:
        return InputError(f"{self.source}: {name!r} in the ZIP archive is broken; download the export again")

    def bomb(self, name: str) -> InputError:
        return InputError(
            f"{self.source}: {name!r} in the ZIP archive unpacks to more than any list "
            f"({MAX_MEMBER_BYTES >> 20} MB a file, {MAX_TOTAL_BYTES >> 20} MB in all, 1:{MAX_RATIO}); "
            "unpack it and give the CSV files that you need"
        )


class _Measured(io.RawIOBase):
    """A member that counts what it unpacks to, and stops a bomb."""

    def __init__(self, member: IO[bytes], name: str, packed: int, meter: _Meter) -> None:
        self._member = member
        self._name = name
        self._packed = packed  # as the archive says: zipfile reads no more than that of it
        self._meter = meter
        self._bytes = 0

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._member.close()
        super().close()

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        try:
            data = self._member.read(len(view))
        except _BROKEN:
            raise self._meter.broken(self._name) from None
        self._bytes += len(data)
        self._meter.total += len(data)
        allowed = max(RATIO_COUNTS_FROM_BYTES, MAX_RATIO * self._packed)
        if self._bytes > min(MAX_MEMBER_BYTES, allowed) or self._meter.total > MAX_TOTAL_BYTES:
            raise self._meter.bomb(self._name)
        view[: len(data)] = data
        return len(data)
