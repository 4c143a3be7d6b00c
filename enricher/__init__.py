"""A list goes in, a table comes out, as fast as the API's quota allows and no faster, and no row is ever lost.

The names below are the whole promise of the library; what is not here may change. Each is imported when it is first used,
so that `import enricher` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .engine import Engine, Tally, plan
    from .errors import (
        BudgetSpent,
        EnricherError,
        ExchangeError,
        GaveUp,
        InputError,
        Interrupted,
        JobBusy,
        KeyRefused,
        MissingExtra,
        ProcessingError,
        Refused,
        ServiceDown,
        SettingError,
        StoreError,
        Undecided,
    )
    from .export import write_export
    from .library import TMDBClient, enrich
    from .model import (
        Accept,
        Answer,
        Candidate,
        Compute,
        Failed,
        Found,
        Item,
        KeyPlace,
        Lifetime,
        NotFound,
        Outcome,
        Pipeline,
        Refuse,
        RefuseKey,
        Request,
        Response,
        Retry,
        Row,
        Service,
        Skipped,
        Source,
        Table,
        Unsure,
        Window,
    )
    from .modes.performer import Stop
    from .pipelines.movies.pipeline import movies
    from .processor import ArticleProcessor
    from .store import Store

_HOMES = {
    "Accept": "model",
    "Answer": "model",
    "ArticleProcessor": "processor",
    "BudgetSpent": "errors",
    "Candidate": "model",
    "Compute": "model",
    "Engine": "engine",
    "EnricherError": "errors",
    "ExchangeError": "errors",
    "Failed": "model",
    "Found": "model",
    "GaveUp": "errors",
    "InputError": "errors",
    "Interrupted": "errors",
    "Item": "model",
    "JobBusy": "errors",
    "KeyPlace": "model",
    "KeyRefused": "errors",
    "Lifetime": "model",
    "MissingExtra": "errors",
    "NotFound": "model",
    "Outcome": "model",
    "Pipeline": "model",
    "ProcessingError": "errors",
    "Refuse": "model",
    "RefuseKey": "model",
    "Refused": "errors",
    "Request": "model",
    "Response": "model",
    "Retry": "model",
    "Row": "model",
    "Service": "model",
    "ServiceDown": "errors",
    "SettingError": "errors",
    "Skipped": "model",
    "Source": "model",
    "Stop": "modes.performer",
    "Store": "store",
    "StoreError": "errors",
    "TMDBClient": "library",
    "Table": "model",
    "Tally": "engine",
    "Undecided": "errors",
    "Unsure": "model",
    "Window": "model",
    "enrich": "library",
    "movies": "pipelines.movies.pipeline",
    "plan": "engine",
    "write_export": "export",
}

__all__ = [
    "Accept",
    "Answer",
    "ArticleProcessor",
    "BudgetSpent",
    "Candidate",
    "Compute",
    "Engine",
    "EnricherError",
    "ExchangeError",
    "Failed",
    "Found",
    "GaveUp",
    "InputError",
    "Interrupted",
    "Item",
    "JobBusy",
    "KeyPlace",
    "KeyRefused",
    "Lifetime",
    "MissingExtra",
    "NotFound",
    "Outcome",
    "Pipeline",
    "ProcessingError",
    "Refuse",
    "RefuseKey",
    "Refused",
    "Request",
    "Response",
    "Retry",
    "Row",
    "Service",
    "ServiceDown",
    "SettingError",
    "Skipped",
    "Source",
    "Stop",
    "Store",
    "StoreError",
    "TMDBClient",
    "Table",
    "Tally",
    "Undecided",
    "Unsure",
    "Window",
    "enrich",
    "movies",
    "plan",
    "write_export",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return __all__
