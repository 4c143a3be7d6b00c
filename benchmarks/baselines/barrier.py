"""`asyncio.gather` on batches, and a new aiohttp session for each request: the first asynchronous script of many people.

Written by who takes `async with aiohttp.ClientSession() as session` from the first example of a tutorial into the function
that asks, and slices the list because gather on everything would be too much at once.

It lacks: a slot that becomes free waits until the slowest row of its batch has ended; each request opens a connection of
its own, which costs a handshake, and over TLS several; a batch in which one row pauses for a retry stands still.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext

import aiohttp
from aiolimiter import AsyncLimiter

from ..task import KEY, TIMEOUT_S, Clock, Task, read_list
from .patience import check, quota_of, retried_async, row_facts
from .table import Table

ABOUT = "asyncio.gather on batches, a new aiohttp session for each request"


def work(task: Task, clock: Clock) -> None:
    """Batch after batch."""
    asyncio.run(_work(task, clock))


async def _work(task: Task, clock: Clock) -> None:
    quota, timeout = quota_of(task), aiohttp.ClientTimeout(total=TIMEOUT_S)
    limiter = AsyncLimiter(quota.limit, quota.period_s) if quota else nullcontext()

    @retried_async(aiohttp.ClientError, TimeoutError)
    async def get(path: str, params: dict[str, str]) -> bytes:
        ready_at = clock.now()
        async with limiter, aiohttp.ClientSession(timeout=timeout) as session:
            sent_at = clock.now()
            try:
                async with session.get(task.base_url + path, params={**params, "api_key": KEY}) as response:
                    body = await response.read()
            finally:
                clock.add(ready_at, sent_at, sent_at, clock.now())
        check(response.status, response.headers)
        return body

    rows = list(read_list(task.list_path))
    with Table(task) as table:
        for first in range(0, len(rows), task.slots):
            batch = rows[first : first + task.slots]
            for facts in await asyncio.gather(*(row_facts(task, row, get) for row in batch)):
                if facts:
                    table.save(facts)
