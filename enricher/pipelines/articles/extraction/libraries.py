"""How the extraction libraries are kept quiet, and their caches small."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LIBRARIES = ("trafilatura", "htmldate", "courlan", "justext", "charset_normalizer")


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress log lines and warnings of the libraries: they would quote what a stranger wrote."""
    import trafilatura  # noqa: F401  # it sets the level of a logger when it is imported

    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def release_caches() -> None:
    """Empty the caches of strings that trafilatura keeps. Takes about 50 ms."""
    from trafilatura.meta import reset_caches

    reset_caches()
