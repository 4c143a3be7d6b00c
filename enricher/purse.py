"""Who pays for a job: its ledger, and a budget that is never passed.

Every attempt is written down at its worst price before it leaves, in one transaction with the look at the budget: what is
settled, what is under way and what may have been spent for nothing all count. So however many workers ask at once, and
whenever the process dies, the sum of what was and may have been paid stays within it.

Where the budget has no room but attempts are under way, they may cost less than was booked: then one asks again. Where
nothing is under way any more, it is spent.
"""

from __future__ import annotations

import threading

from .core.effects import Bill
from .errors import BudgetSpent
from .model import Charge
from .store import Ledger

NANO = 1_000_000_000
"""So many nano-units make one unit of a currency."""


def money(nano: int, currency: str = "USD") -> str:
    """An amount for a person.

    >>> money(2_500_000_000), money(1_234_567)
    ('$2.50', '$0.001235')
    """
    amount = nano / NANO
    text = (
        f"{amount:,.2f}"
        if amount >= 1 or not nano
        else f"{amount:.4g}"
        if amount >= 1e-4
        else f"{amount:.9f}".rstrip("0")
    )
    return f"${text}" if currency == "USD" else f"{text} {currency}"


class JobPurse:
    """A job's purse. `budget` in nano-units; None: whatever it costs. Usable from any thread."""

    def __init__(self, ledger: Ledger, job_id: int, budget: int | None) -> None:
        self._ledger = ledger
        self._job_id = job_id
        self._budget = budget
        self._under_way = 0
        self._lock = threading.Lock()

    def book(self, charge: Charge, key: str) -> int | None:
        """The number of the entry; None: ask again soon.

        :raises BudgetSpent: if there is no room, and nothing is under way that might make some.
        """
        with self._lock:
            entry = self._ledger.reserve(charge, key, self._job_id, self._budget)
            if entry is not None:
                self._under_way += 1
                return entry
            if self._under_way:
                return None
        assert self._budget is not None  # noqa: S101  # without a budget there is always room
        spent = self._ledger.spent(self._job_id)
        raise BudgetSpent(money(self._budget, charge.price.currency), f"{money(spent.all_nano)} spent or booked")

    def bill(self, bill: Bill) -> None:
        """Settle an entry, and keep the answer that was paid for."""
        self._ledger.settle(bill.entry, bill.state, bill.usage, bill.cost, bill.learnt)
        with self._lock:
            self._under_way -= 1
