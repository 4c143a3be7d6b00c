"""`--dry-run`: the plan of a job, rehearsed. Sends nothing, and leaves the person's database as it is."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine import Forecast, fingerprint, forecast, plan
from ..model import Counts, Job, Pipeline, Remembered
from ..store import Store

if TYPE_CHECKING:
    from ..settings import Settings


def look_ahead(
    pipeline: Pipeline, settings: Settings, inputs: tuple[Path, ...], digest: str, limit: int | None, *, refresh: bool
) -> tuple[Counts, Forecast]:
    """Counts of the list, and the forecast for what of it is still to be asked: all of it, if `refresh`."""
    if refresh or not settings.db.exists():
        with tempfile.TemporaryDirectory(prefix="enricher-plan-") as folder, Store(Path(folder, "plan.db")) as store:
            return _look(pipeline, settings, store, _loaded(store, pipeline, inputs, digest, limit), lambda _key: None)
    with Store(settings.db) as known:
        wanted = fingerprint(pipeline, digest, limit)
        for job in known.jobs():
            if job.fingerprint == wanted:
                return _look(pipeline, settings, known, job, _recall(known))
        with tempfile.TemporaryDirectory(prefix="enricher-plan-") as folder, Store(Path(folder, "plan.db")) as store:
            return _look(pipeline, settings, store, _loaded(store, pipeline, inputs, digest, limit), _recall(known))


def _loaded(store: Store, pipeline: Pipeline, inputs: tuple[Path, ...], digest: str, limit: int | None) -> Job:
    assert pipeline.read is not None  # noqa: S101  # a pipeline of the command line reads lists
    return plan(store, pipeline, "plan", digest, pipeline.read(inputs), limit)


def _look(
    pipeline: Pipeline,
    settings: Settings,
    store: Store,
    job: Job,
    known: Callable[[str], tuple[Remembered, float] | None],
) -> tuple[Counts, Forecast]:
    counts = store.counts(job.id)
    states = counts.items_by_status
    todo = sum(states.get(state, 0) for state in ("pending", "failed", "deferred"))
    slots = 1 if settings.mode == "sequential" else settings.concurrency
    return counts, forecast(pipeline, store.todo(job.id), todo, known, slots)


def _recall(store: Store) -> Callable[[str], tuple[Remembered, float] | None]:
    def recall(key: str) -> tuple[Remembered, float] | None:
        stored = store.recall(key)
        return None if stored is None else (stored.remembered, time.time() - stored.stored_at)

    return recall
