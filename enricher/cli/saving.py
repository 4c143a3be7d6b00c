"""What a job of articles has saved, computed and not claimed.

Held against each other are the ledger (what this job's calls have cost, whatever has no answer at its worst) and the same
articles asked anew, one by one, with the whole page: every analysis in the job at its full price, its prompt as long as
the page's HTML. What a page would take beyond its text is estimated, at `BYTES_A_TOKEN`; all else is as it was counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..model import Job
    from ..store import Store

BYTES_A_TOKEN = 4
"""What a token of English and of markup takes, about: https://platform.openai.com/tokenizer says four characters."""


@dataclass(frozen=True, slots=True)
class Saving:
    """`calls` of `articles` were made, for `cost` of `anew` (nano-dollars)."""

    calls: int
    articles: int
    cost: int
    anew: int

    @property
    def calls_saved(self) -> float:
        """The share of calls that were not made."""
        return max(0.0, 1 - self.calls / self.articles)

    @property
    def cost_saved(self) -> float:
        """The share of the cost that was not spent."""
        return max(0.0, 1 - self.cost / self.anew) if self.anew else 0.0

    def __str__(self) -> str:
        from ..purse import money

        return (
            f"against every article asked anew, one by one, with its whole page: {self.calls:,} of {self.articles:,} calls "
            f"({self.calls_saved:.0%} saved), {money(self.cost)} of about {money(self.anew)} ({self.cost_saved:.0%} saved)"
        )


def saving_of(store: Store, job: Job) -> Saving | None:
    """What a job has saved; None where no model with a known price has analysed anything."""
    if job.pipeline != "articles":
        return None
    from ..model import Usage
    from ..pipelines.articles.prices import load_prices, price_of

    prices, today = load_prices(), datetime.now(UTC).date()
    articles = anew = 0
    seen: set[object] = set()
    for row in store.export_rows(job.id):
        record = row.record
        price = None if record is None else price_of(prices, record["provider"], record["model"], today)
        if record is None or price is None:
            continue
        known_by = record["url"] or (record["feed"], record["title"], record["text"])
        if known_by in seen:
            continue
        seen.add(known_by)  # what stands in a list twice would be asked once
        beyond = max(0, record.get("page_bytes", 0) - len(record["text"].encode())) // BYTES_A_TOKEN
        articles += 1
        anew += price.of(Usage((record["tokens_in"] or 0) + beyond, record["tokens_out"] or 0))
    if not articles:
        return None
    totals = store.ledger.totals(job.id)
    calls = sum(one.calls + one.unknown_calls for one in totals)
    return Saving(calls, articles, sum(one.cost_nano + one.unknown_nano for one in totals), anew)
