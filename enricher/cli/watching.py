"""What a person sees while a job runs, and when it is done.

On a terminal: one live line. Elsewhere: a plain line every few seconds, so that a log stays readable. Either says *why* it
waits when it waits.
"""

from __future__ import annotations

import itertools
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Self

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..core.gate import Hold
from ..engine import Tally
from ..model import Counts

PLAIN_EVERY_S = 5.0
WORTH_SAYING_S = 1.0
"""A wait shorter than this is the quota at work, seconds."""

MOST_REASONS = 10
"""Kinds of reasons that a summary lists; the table has them all."""

_DETAILS = re.compile(r"[;:] | \(")
_DIGITS = re.compile(r"\d+")


def console() -> Console:
    """Where talk goes."""
    return Console(stderr=True, highlight=False)


def duration(seconds: float) -> str:
    """`0:07`, `12:30`, `3:05:00`."""
    whole = round(seconds)
    minutes, hours = whole // 60, whole // 3600
    return f"{hours}:{minutes % 60:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def progress_line(tally: Tally, holds: Sequence[Hold], noun: str) -> str:
    """How the run is getting on, in one line."""
    elapsed_s = tally.elapsed_s
    pace = tally.done / elapsed_s if elapsed_s > 0 else 0.0
    parts = [f"{tally.done:,}/{tally.total:,} {noun}", f"{pace:.1f}/s"]
    if 0 < tally.done < tally.total and pace > 0:
        parts.append(f"ETA {duration((tally.total - tally.done) / pace)}")
    parts.append(f"{tally.hits:,} hits")
    parts.append(f"{tally.retries:,} retries")
    if failed := tally.by_status.get("failed", 0):
        parts.append(f"{failed:,} failed")
    worst = max(holds, key=lambda hold: hold.left_s, default=None)
    if worst is not None:
        parts.append(f"waiting: {worst.service} {worst.reason}, {worst.left_s:.0f} s left")
    return " · ".join(parts)


STATUSES = ("enriched", "unsure", "not_found", "failed", "deferred", "pending")


class Watch:
    """Shows a run's progress until the block ends. `tick` is to be called every so often."""

    def __init__(
        self,
        tally: Tally,
        holds: Callable[[], Sequence[Hold]],
        noun: str,
        *,
        show: bool,
        more: Callable[[], str] = lambda: "",
    ) -> None:
        self._more = more
        self._tally = tally
        self._holds = holds
        self._noun = noun
        self._show = show
        self._said_at = time.monotonic()
        self._said_hold = ""
        out = console()
        self._live = (
            Live(Text(""), console=out, transient=True, auto_refresh=False) if show and out.is_terminal else None
        )

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def say(self, line: str) -> None:
        """Tell in a sentence of its own, above the live line. From any thread."""
        if self._show:
            (console() if self._live is None else self._live.console).print(line, markup=False)

    def tick(self) -> None:
        """Show how things stand now."""
        if not self._show:
            return
        holds = [hold for hold in self._holds() if hold.left_s >= WORTH_SAYING_S]
        if self._live is not None:
            line = Text(self._line(holds), no_wrap=True, overflow="ellipsis")
            self._live.update(line, refresh=True)
            return
        hold = f"{holds[0].service} {holds[0].reason}" if holds else ""
        now = time.monotonic()
        if now - self._said_at >= PLAIN_EVERY_S or (hold and hold != self._said_hold):
            self._said_at, self._said_hold = now, hold
            sys.stderr.write(self._line(holds) + "\n")
            sys.stderr.flush()

    def _line(self, holds: Sequence[Hold]) -> str:
        more = self._more()
        return progress_line(self._tally, holds, self._noun) + (f" · {more}" if more else "")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()


def counted_reasons(reasons: Iterable[tuple[str, str, int]]) -> list[dict[str, Any]]:
    """Why rows are not enriched, by the kind of reason, the most frequent first; at most `MOST_REASONS`.

    A reason's kind is what comes before its details, with its numbers left out.

    >>> counted_reasons([("unsure", "2 films of this name near 1988", 1), ("unsure", "3 films of this name near 1999", 1)])
    [{'status': 'unsure', 'reason': '… films of this name near …', 'rows': 2}]
    """
    counted: Counter[tuple[str, str]] = Counter()
    for status, reason, rows in reasons:
        counted[status, _DIGITS.sub("…", _DETAILS.split(reason, maxsplit=1)[0].strip())] += rows
    return [
        {"status": status, "reason": reason, "rows": rows}
        for (status, reason), rows in counted.most_common(MOST_REASONS)
    ]


def summary(tally: Tally, counts: Counts, windows: str, reasons: Iterable[tuple[str, str, int]] = ()) -> dict[str, Any]:
    """What `--json` prints: counts of rows and items, and what this run cost (seconds; requests a second)."""
    elapsed_s = tally.elapsed_s
    return {
        "rows": counts.rows,
        "rows_by_status": dict(sorted(counts.rows_by_status.items())),
        "items": counts.items,
        "items_by_status": dict(sorted(counts.items_by_status.items())),
        "reasons": counted_reasons(reasons),
        "skipped_lines": counts.skipped,
        "asked": tally.done,
        "requests": tally.requests,
        "cache_hits": tally.hits,
        "retries": tally.retries,
        "wait_s": round(tally.wait_s, 3),
        "service_s": round(tally.service_s, 3),
        "seconds": round(elapsed_s, 3),
        "rate_used_per_s": round(tally.requests / elapsed_s, 2) if elapsed_s > 0 else 0.0,
        "rate_allowed": windows,
    }


def summary_table(facts: dict[str, Any], noun: str) -> Table:
    """The closing summary, for a terminal."""
    by_status = facts["rows_by_status"]
    became = {
        "rows": f"{facts['rows']:,}",
        noun: f"{facts['items']:,}",
        **{name.replace("_", " "): f"{by_status[name]:,}" for name in STATUSES if by_status.get(name)},
    }
    cost = {
        "requests": f"{facts['requests']:,}",
        "answers known": f"{facts['cache_hits']:,}",
        "retries": f"{facts['retries']:,}",
        "seconds": f"{facts['seconds']:.1f}",
        "requests/s": f"{facts['rate_used_per_s']:.1f}",
    }
    if "cost" in facts:
        cost["paid calls"] = f"{facts['paid_calls']:,}"
        cost["cost"] = facts["cost"]
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    for number in range(4):
        table.add_column(justify="right" if number % 2 else "left", min_width=6 * (number % 2))
    nothing = ("", "")
    for left, right in itertools.zip_longest(became.items(), cost.items(), fillvalue=nothing):
        table.add_row(*left, *right)
    return table


def print_summary(facts: dict[str, Any], noun: str) -> None:
    """Print the closing summary, and under it why rows are not enriched."""
    screen = console()
    screen.print(summary_table(facts, noun))
    for one in facts["reasons"]:
        screen.print(f" {one['rows']:,} {one['status'].replace('_', ' ')}: {one['reason']}", markup=False)
