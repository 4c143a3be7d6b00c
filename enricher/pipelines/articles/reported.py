"""Which articles a report has told of, so that the next one can tell what is new (`--only-new`).

Rule 1: an article is known by its item's key, a row that is no article by its list and its cells. It is new where no
earlier report told of it, and once more where its status is another since: what failed, and is analysed now.
Rule 2: what waits is told of each time, and counts as told of never.
Rule 3: a report counts when it has been written, whether it told all or only what is new. A process that is killed before
that tells the same once more, and loses nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from ...model import ExportRow, Table

REPORTED_TABLE = Table("reported", {"article": "TEXT PRIMARY KEY", "status": "TEXT NOT NULL"})
"""Each article that a report told of, whichever job it was of, and its status then."""

_WAITING = frozenset(("pending", "deferred"))


class Reported:
    """What earlier reports have told, and what the next one tells."""

    def __init__(self, earlier: Iterable[tuple[str, str]]) -> None:
        self._earlier: Mapping[str, str] = dict(earlier)
        self._told: dict[str, str] = {}

    def is_new(self, row: ExportRow) -> bool:
        """Whether no earlier report told this of the row."""
        return row.status in _WAITING or self._earlier.get(_known_by(row)) != row.status

    def noting(self, rows: Iterable[ExportRow]) -> Iterator[ExportRow]:
        """The same rows; each is noted as told of."""
        for row in rows:
            if row.status not in _WAITING:
                self._told[_known_by(row)] = row.status
            yield row

    @property
    def changes(self) -> list[tuple[str, str]]:
        """What is to be remembered once the report has been written."""
        return [told for told in self._told.items() if self._earlier.get(told[0]) != told[1]]


def _known_by(row: ExportRow) -> str:
    return row.key if row.key is not None else json.dumps([row.source, *row.cells.values()], ensure_ascii=False)
