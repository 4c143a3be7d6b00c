"""One `httpx.AsyncClient`, `asyncio.gather` over all rows, a semaphore around each: the same with the other library.

Written by who likes an interface as that of requests, and may want HTTP/2 one day.

It lacks what gather-all lacks (a task for every line, a commit stops the loop, a strict window sees up to twice its limit),
and each request costs more of the processor.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext

import httpx
from aiolimiter import AsyncLimiter

from ..task import KEY, TIMEOUT_S, Clock, Task, read_list
from .patience import check, quota_of, retried_async, row_facts
from .table import Table

ABOUT = "asyncio.gather on all rows, one httpx client, a semaphore"


def work(task: Task, clock: Clock) -> None:
    """All rows at once, as many at a time as there are slots."""
    asyncio.run(_work(task, clock))


async def _work(task: Task, clock: Clock) -> None:
    quota, slots = quota_of(task), asyncio.Semaphore(task.slots)
    limiter = AsyncLimiter(quota.limit, quota.period_s) if quota else nullcontext()
    limits = httpx.Limits(max_connections=task.slots)
    async with httpx.AsyncClient(base_url=task.base_url, limits=limits, timeout=TIMEOUT_S) as client:

        @retried_async(httpx.HTTPError)
        async def get(path: str, params: dict[str, str]) -> bytes:
            ready_at = clock.now()
            async with limiter:
                sent_at = clock.now()
                try:
                    response = await client.get(path, params={**params, "api_key": KEY})
                finally:
                    clock.add(ready_at, sent_at, sent_at, clock.now())
            check(response.status_code, response.headers)
            return response.content

        async def one(row: dict[str, str]) -> None:
            async with slots:
                facts = await row_facts(task, row, get)
            if facts:
                table.save(facts)

        with Table(task) as table:
            await asyncio.gather(*map(one, read_list(task.list_path)))
