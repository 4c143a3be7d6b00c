"""Our own modes over articles: the pipeline as `enricher articles` puts it together, and its processes, warm.

No rate, as `--rate none`; no memory of before. The processes that extract are begun before the clock and ended after it:
to start an interpreter and to import a parser takes a second, once, however many articles there are. So their start is no
part of any figure here, nor is their memory: it is the same in every mode. The list of public suffixes, which the first
address needs, is read before, too, like an import.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from enricher import Pipeline, Row
from enricher.model import Compute
from enricher.pipelines.articles.addresses import site_of
from enricher.pipelines.articles.extraction import extract
from enricher.pipelines.articles.inputs import read_inputs
from enricher.pipelines.articles.pipeline import Choices, articles
from enricher.pipelines.articles.reading import rows_of
from enricher.processes import WORKERS, Processes
from enricher.simulator.pages import Addresses, page
from enricher.simulator.press import PAPERS, Press

from .task import TIMEOUT_S, Task, read_list

PROVIDER = "anthropic"
BEGIN_WITHIN_S = 60.0


def pipeline_of(task: Task, *, stream: bool) -> Pipeline:
    """The pipeline, its analyses in pieces or whole."""
    hosts = frozenset(urlsplit(row["url"]).netloc for row in read_list(task.list_path))
    chosen = articles(
        Choices(
            today=datetime.now(UTC).date(),
            provider=PROVIDER,
            base_url=task.base_url,
            stream=stream,
            windows=(),
            timeout_s=TIMEOUT_S,
            api_timeout_s=TIMEOUT_S,
            allowed=hosts,
        )
    )
    return replace(chosen.pipeline, read=_read)


def _read(paths: Sequence[Path]) -> Iterator[Row]:
    yield from rows_of(read_inputs([str(path) for path in paths]), []).rows


class _Kept(Processes):
    """Processes that outlive the engine that uses them."""

    def close(self) -> None:
        """Not yet."""

    def end(self) -> None:
        """Now."""
        super().close()


@contextmanager
def warm_processes() -> Iterator[Processes]:
    """The processes, each of which has extracted something."""
    site_of("example.org")
    processes = _Kept()
    try:
        begun: set[int] = set()
        while len(begun) < WORKERS:
            works = [processes.submit(Compute(begin, timeout_s=BEGIN_WITHIN_S)) for _ in range(WORKERS)]
            begun |= {work.result() for work in works}
        yield processes
    finally:
        processes.end()


def begin() -> int:
    """Extract a page of each paper, of another seed than the measured ones; the process that did.

    The first page takes a tenth of a second longer: parsers are imported and the list of public suffixes is read when
    they are needed. A moment of sleep lets another process have the next of these.
    """
    press, here = Press(seed=1), Addresses(("127.0.0.1",), 8080)
    for paper in PAPERS:
        for article in press.shown_of(paper):
            extract(page(article, press, here), here.article(article), f"text/html; charset={paper.encoding}")
            break
    time.sleep(0.05)
    return os.getpid()
