"""One aiohttp session, one `asyncio.gather` over all rows, a semaphore around each: what one writes after some reading.

Written by who knows that a session is to be shared, and that a semaphore lets the next row in as soon as one is done.

It lacks: a task and its row for every line of the list are in memory from the start; a commit stops the loop; the leaky
bucket lets a full quota go at once and more while it lasts, so that a strict window sees up to twice its limit.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext

import aiohttp
from aiolimiter import AsyncLimiter

from ..task import KEY, TIMEOUT_S, Clock, Task, read_list
from .patience import check, quota_of, retried_async, row_facts
from .table import Table

ABOUT = "asyncio.gather on all rows, one aiohttp session, a semaphore"


def work(task: Task, clock: Clock) -> None:
    """All rows at once, as many at a time as there are slots."""
    asyncio.run(_work(task, clock))


async def _work(task: Task, clock: Clock) -> None:
    quota, slots = quota_of(task), asyncio.Semaphore(task.slots)
    limiter = AsyncLimiter(quota.limit, quota.period_s) if quota else nullcontext()
    connector, timeout = aiohttp.TCPConnector(limit=task.slots), aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        @retried_async(aiohttp.ClientError, TimeoutError)
        async def get(path: str, params: dict[str, str]) -> bytes:
            ready_at = clock.now()
            async with limiter:
                sent_at = clock.now()
                try:
                    async with session.get(task.base_url + path, params={**params, "api_key": KEY}) as response:
                        body = await response.read()
                finally:
                    clock.add(ready_at, sent_at, sent_at, clock.now())
            check(response.status, response.headers)
            return body

        async def one(row: dict[str, str]) -> None:
            async with slots:
                facts = await row_facts(task, row, get)
            if facts:
                table.save(facts)

        with Table(task) as table:
            await asyncio.gather(*map(one, read_list(task.list_path)))
