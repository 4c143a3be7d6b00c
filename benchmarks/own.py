"""Our own modes as a client runs them: through the library's public names alone, whatever the mode.

What `enricher movies` does, without its screen: read the list into a job, run it, close the database. The table is
written after the clock has stopped, for no baseline writes one: the work must be the same. Nothing in this file is
particular to a mode.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from enricher import (
    Engine,
    Item,
    KeyPlace,
    Lifetime,
    Pipeline,
    Request,
    Row,
    Service,
    Source,
    Stop,
    Store,
    Table,
    Tally,
    Window,
    movies,
    plan,
    write_export,
)
from enricher.processes import Processes
from enricher.simulator.behaviour import Quota

from .task import KEY, LANGUAGE, LIST, TIMEOUT_S, Clock, Facts, Task, read_list, thing_params

OUT = "out.csv"
DB = "enricher.db"
MONTH_S = 30 * 86_400.0


def processes_of(task: Task) -> AbstractContextManager[Processes | None]:
    """The processes that a task needs, warm for the length of the block; None where it needs none."""
    if task.kind != "articles":
        return contextlib.nullcontext()
    from . import articles  # what it imports is no part of a run over films

    return articles.warm_processes()


def work(
    mode: Any,
    task: Task,
    clock: Clock,
    *,
    stop_after: int | None = None,
    stream: bool = True,
    processes: Processes | None = None,
) -> None:
    """Do the task. `stop_after`: stop when so many items are done, as a person who presses Ctrl-C would.

    `stream` and `processes` are for articles: analyses come in pieces, and what extracts is there already.
    """
    folder, pipeline, stop = Path(task.folder), pipeline_of(task, stream=stream), Stop()
    read = pipeline.read
    assert read is not None
    with Store(folder / DB) as store:
        digest = hashlib.sha256(task.list_path.read_bytes()).hexdigest()
        job = plan(store, pipeline, LIST, digest, read([task.list_path]))
        with Engine(
            keys={service.name: KEY for service in pipeline.services},
            mode=mode,
            slots=task.slots,
            store=store,
            chance=lambda: 0.5,  # a back-off that is drawn would be noise between a mode and its control
            observe=lambda one: clock.add(one.ready_at, one.granted_at, one.sent_at, one.done_at),
            processes=processes,
        ) as engine:
            tally = Tally()
            if stop_after is not None:
                _stop_when(tally, stop_after, stop)
            engine.run(pipeline, job, stop, tally)


def _stop_when(tally: Tally, done: int, stop: Stop) -> None:
    def watch() -> None:
        while tally.done < done and not stop.wait(0.001):
            pass
        stop.set()

    threading.Thread(target=watch, daemon=True).start()


def read(task: Task) -> Iterator[Facts]:
    """What the table says of each row; writes it."""
    folder, pipeline = Path(task.folder), pipeline_of(task)
    with Store(folder / DB) as store:
        job = store.jobs()[-1]
        write_export(
            store.export_rows(job.id),
            folder / OUT,
            input_columns=store.columns(job.id),
            record_columns=pipeline.columns,
        )
    with (folder / OUT).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["status"] != "enriched":
                continue
            if task.kind == "films":
                yield Facts(row["tmdb_id"], row["title"], row["imdb_id"], row["runtime_min"])
            elif task.kind == "things":
                yield Facts(row["thing"])
            elif row["text"] and row["summary"]:
                yield Facts(row["url"], row["title"])


# ── pipelines ───────────────────────────────────────────────────────────────────────────────────────────────────────


def pipeline_of(task: Task, *, stream: bool = True) -> Pipeline:
    """Films and articles as they ship; things as a user would write them."""
    if task.kind == "articles":
        from . import articles

        return articles.pipeline_of(task, stream=stream)
    windows = windows_of(task.quota)
    if task.kind == "films":
        return movies(task.base_url, language=LANGUAGE, windows=windows, timeout_s=TIMEOUT_S)
    return things(task.base_url, windows, task.item_bytes)


def windows_of(quota: str) -> tuple[Window, ...]:
    """A quota's text as windows."""
    if quota == "none":
        return ()
    parsed = Quota.parse(quota)
    return (Window(parsed.limit, parsed.period_s),)


def things(base_url: str, windows: tuple[Window, ...], item_bytes: int) -> Pipeline:
    """One request a row, remembered for a month, kept in a table of its own."""
    service = Service(
        "things",
        base_url,
        windows=windows,
        place_key=lambda key: KeyPlace(params={"api_key": key}),
        timeout_s=TIMEOUT_S,
        lifetimes={"thing": Lifetime(found_s=MONTH_S, missing_s=MONTH_S)},
    )

    def recipe(item: Item) -> Generator[Request, Any, dict[str, str]]:
        answer = yield Request(service, "/echo", thing_params(item.key, item_bytes), kind="thing")
        return {"thing": answer.data["id"]}

    return Pipeline(
        name="things",
        recipe=recipe,
        columns=("thing",),
        services=(service,),
        read=read_things,
        tables=(Table("thing", {"thing": "TEXT PRIMARY KEY"}),),
        tables_of=lambda record: {"thing": [(record["thing"],)]},
        options={"base_url": base_url},
    )


def read_things(paths: Sequence[Path]) -> Iterator[Source | Row]:
    """A list with a column `id`."""
    for path in paths:
        yield Source(path.name, ("id",))
        for line, row in enumerate(read_list(path), start=2):
            yield Row(path.name, line, row, Item(row["id"], {}))
