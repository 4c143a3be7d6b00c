"""From a run and its summary to a report: pure functions, each gives the text of a whole file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ..runs import Run, to_json
from ..summary import Summary, as_json
from .html import as_html
from .markdown import as_markdown
from .pytest_benchmark import as_pytest_benchmark
from .text import file_name

__all__ = ["FORMATS", "file_name"]


def _json(run: Run, summary: Summary) -> str:
    return to_json(run, as_json(run, summary))


FORMATS: Mapping[str, Callable[[Run, Summary], str]] = MappingProxyType(
    {"md": as_markdown, "html": as_html, "json": _json, "pytest-benchmark": as_pytest_benchmark}
)
"""Each format's name, and what makes a file of it."""
