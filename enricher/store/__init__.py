"""Where a job lives: SQLite in WAL mode, frozen dataclasses in and out, no model instance leaves.

What holds, and has a test:

1. Done is what is committed. A batch of outcomes (their states, records, answers and the pipeline's rows) is one
   transaction, and so is the loading of a list: kill -9 at any moment loses nothing that was committed and leaves
   nothing half-written.
2. One writer at a time; readers never wait for it, and no reader keeps a transaction open.
3. Memory does not grow with the list: rows go in and come out in pages.
4. A file that is not ours, or newer than we are, is not touched.
5. What costs money is written down before it leaves, and its answer together with what it cost: nothing is paid twice.

`schema` is the tables and their history, `database` the file and its connections, `text` the columns' encoding, `store`
what can be asked and told, `answers`, `ledger` and `batches` its parts, `writer` the thread that commits.
"""

from .answers import AnswerStats, StoredAnswer
from .batches import Batch, BatchEntry, Collected
from .ledger import Ledger, Spent, Total
from .sent import SentLog, SentRow
from .store import Store
from .writer import Writer

__all__ = [
    "AnswerStats",
    "Batch",
    "BatchEntry",
    "Collected",
    "Ledger",
    "SentLog",
    "SentRow",
    "Spent",
    "Store",
    "StoredAnswer",
    "Total",
    "Writer",
]
