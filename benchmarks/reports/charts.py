"""The charts of a report in their order: those for which there is data.

Each is a `scene.Chart`: pictures as SVG without any script, a sentence on how to read them, and the same figures as a
table. Two of about the same height follow each other, because a wide page has two columns.
"""

from __future__ import annotations

from ..runs import Run
from ..summary import Summary
from . import panels, plots, rows
from .scene import Chart, Scene


def charts(run: Run, summary: Summary) -> list[Chart]:
    """Whatever can be shown of a run's headline, and of its points as a sweep."""
    scene = Scene.of(run, summary)
    found = [
        rows.wall_over_bound(scene),
        rows.paired_ratios(scene),
        panels.flights(scene),
        *panels.windows(scene),
        plots.slots_sweep(scene),
        plots.items_sweep(scene),
        plots.waits(scene),
        plots.services(scene),
        rows.cpu(scene),
        rows.memory(scene),
    ]
    return [chart for chart in found if chart is not None]
