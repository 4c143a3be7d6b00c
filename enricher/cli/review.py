"""The file in which a person decides what the program would not guess: written by `--review`, read by `--decisions`.

One line a candidate, the items in input order; an item without candidates has one line. The person writes into `choice`:

    x            this line's candidate is the one
    603          the one with this id (as in a link of the service); tt0133093 an IMDb id; a link that ends in either
    none         there is no such thing: not found, and not asked for again

and leaves the rest alone. `key` tells which item a line is about; the other columns are for the eye: `error` says why the
item is open, `reason` why a candidate scores as it does.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from ..errors import InputError, SettingError
from ..export import spreadsheet_cell, write_whole
from ..model import Unresolved

COLUMNS = (
    "choice",
    "item",
    "year",
    "status",
    "error",
    "rows",
    "id",
    "candidate",
    "candidate_year",
    "score",
    "reason",
    "link",
    "key",
)
NONE = "none"

_ID = re.compile(r"(?:[^?#]*/)?(tt\d{5,12}|\d{1,9})(?:-[^/?#]*)?/?(?:[?#].*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's choice: an id of the service, or `NONE`."""

    key: str
    choice: str


def write_review(path: Path, unresolved: Iterable[Unresolved]) -> int:
    """Write the items with their candidates; how many were there?

    :raises SettingError: if the file can't be written; what stood there before is still there then.
    """
    count = 0

    def put(stream: TextIO) -> None:
        nonlocal count
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for one in unresolved:
            count += 1
            writer.writerows(_lines(one))

    write_whole(path, put, "--review")
    return count


def check_choices(path: Path, given: Collection[Decision]) -> None:
    """Refuse to write over a file that holds choices which nobody has taken over, or that is no review file at all.

    :raises SettingError: one line that says what to do.
    """
    if not path.is_file() or not path.stat().st_size:
        return
    try:
        lost = set(read_decisions(path)) - set(given)
    except InputError:
        raise SettingError(f"--review {path}: this file is there, and not one to write over; name another") from None
    if lost:
        raise SettingError(
            f"--review {path}: it holds choices of yours; hand it over with --decisions, and name another for --review"
        )


def _lines(one: Unresolved) -> Iterator[list[str]]:
    fields = one.item.fields
    named, year = str(fields.get("title") or one.item.key), str(fields.get("year") or "")
    about = [named, year, one.status, one.error or "", str(one.rows)]
    for each in one.candidates:
        found = [each.id, each.title, each.year, f"{each.score:.1f}", each.reason, each.link]
        yield ["", *map(spreadsheet_cell, [*about, *found, one.item.key])]
    if not one.candidates:
        yield ["", *map(spreadsheet_cell, [*about, "", "", "", "", "", "", one.item.key])]


def read_decisions(path: Path) -> list[Decision]:
    """The choices that a person has made in a review file; lines without a choice are left out.

    :raises InputError: if it is no review file, or a choice can't be understood, or contradicts another; one line that
        names the file and the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            start = file.read(4096)
            file.seek(0)
            delimiter = max(",;\t", key=start.partition("\n")[0].count)  # what a spreadsheet has made of it
            reader = csv.DictReader(file, delimiter=delimiter)
            if not {"choice", "key", "id"} <= set(reader.fieldnames or ()):
                raise InputError(f"--decisions {path}: not a review file; it has no columns choice, id and key")
            decisions: dict[str, Decision] = {}
            for row in reader:
                choice = (row["choice"] or "").strip()
                if not choice:
                    continue
                decision = Decision((row["key"] or "").removeprefix("'"), _chosen(choice, row["id"] or ""))
                if decisions.setdefault(decision.key, decision) != decision:
                    raise InputError(f"--decisions {path}, line {reader.line_num}: a second choice for the same item")
                if not decision.choice:
                    what = "x (this line's candidate), an id, a link, or none"
                    raise InputError(f"--decisions {path}, line {reader.line_num}: {choice[:40]!r}; allowed: {what}")
    except OSError as error:
        raise InputError(f"--decisions {path}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"--decisions {path}: not a CSV file in UTF-8; save it as CSV") from None
    return list(decisions.values())


def _chosen(choice: str, candidate_id: str) -> str:
    """The id that was chosen, `NONE`, or "" where the words can't be understood."""
    if choice.lower() in ("x", "yes", "y"):
        return candidate_id
    if choice.lower() in (NONE, "no", "-"):
        return NONE
    found = _ID.fullmatch(choice)
    return found[1] if found else ""
