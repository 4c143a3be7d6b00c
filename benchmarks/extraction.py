"""How well is the main text of real pages found? `python -m benchmarks.extraction FOLDER`.

FOLDER, or a folder in it, holds pages as NAME.html or NAME.html.gz, and beside them or above is a JSON file, an object of
NAME → the expected text; the text may also be in an object under `articleBody`, `expected_text` or `text`, with the page's
`url`. The article-extraction-benchmark of scrapinghub and the test pages of mozilla/readability have this form.

F1 is that of the first: 4-grams of words, precision and recall as means over the pages, F1 of the two means; a page without
text counts as 0 in both. Milliseconds are processor time of this process. Tune nothing on pages that judge a result.
"""

from __future__ import annotations

import gzip
import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import click

from enricher.pipelines.articles.extraction import extract

N = 4
_WORD = re.compile(r"\w+")
_KEYS = ("articleBody", "expected_text", "text")


class Page(NamedTuple):
    """A page and the text that is expected of it."""

    name: str
    url: str
    body: bytes
    expected: str


class Score(NamedTuple):
    """Of one page: the shares of 4-grams, what its extraction took, and the reason if it has no text."""

    name: str
    precision: float
    recall: float
    seconds: float
    reason: str | None

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return f1(self.precision, self.recall)


def f1(precision: float, recall: float) -> float:
    """The harmonic mean; 0 if both are.

    >>> f1(1.0, 0.5)
    0.6666666666666666
    """
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def shares(expected: str, found: str) -> tuple[float, float]:
    """Precision and recall of a text by its 4-grams. Nothing is a right answer only where nothing is expected.

    >>> shares("one two three four five", "zero one two three four")
    (0.5, 0.5)
    >>> shares("", "")
    (1.0, 1.0)
    """
    true, guess = _grams(expected), _grams(found)
    both = (true & guess).total()
    if not true or not guess:
        same = float(not true and not guess)
        return same, same
    return both / guess.total(), both / true.total()


def _grams(text: str) -> Counter[tuple[str, ...]]:
    words = _WORD.findall(text)
    grams = (tuple(words[at : at + N]) for at in range(max(1, len(words) - N + 1)))
    return Counter(gram for gram in grams if gram)


def pages(folder: Path) -> Iterator[Page]:
    """The pages of a folder of which a text is expected.

    :raises click.ClickException: if the folder has no JSON file of expected texts.
    """
    texts = _expected(folder)
    for path in sorted((*folder.rglob("*.html"), *folder.rglob("*.html.gz"))):
        name = path.name.removesuffix(".gz").removesuffix(".html")
        if name in texts:
            body = path.read_bytes()
            url, text = texts[name]
            yield Page(name, url, gzip.decompress(body) if path.suffix == ".gz" else body, text)


def _expected(folder: Path) -> dict[str, tuple[str, str]]:
    """Name of a page → its address and expected text, from the first JSON file that holds such texts."""
    for path in sorted((*folder.rglob("*.json"), *folder.rglob("*.json.gz"))):
        body = path.read_bytes()
        data = json.loads(gzip.decompress(body) if path.suffix == ".gz" else body)
        if isinstance(data, dict) and (texts := {name: one for name, each in data.items() if (one := _text_of(each))}):
            return texts
    raise click.ClickException(f"{folder} has no JSON file of expected texts: an object of page name and text")


def _text_of(value: Any) -> tuple[str, str] | None:
    if isinstance(value, str):
        return "https://example.org/", value
    if not isinstance(value, dict):
        return None
    text = next((value[key] for key in _KEYS if isinstance(value.get(key), str)), None)
    return None if text is None else (str(value.get("url") or "https://example.org/"), text)


def score(page: Page) -> Score:
    """Extract a page's text and compare it with what is expected."""
    start = time.process_time()
    extracted = extract(page.body, page.url, "text/html")
    seconds = time.process_time() - start
    return Score(page.name, *shares(page.expected, extracted.text), seconds, extracted.reason)


def report(scores: Sequence[Score], worst: int) -> Iterator[str]:
    """The lines of a report: the means, and the worst pages with the reason of each refusal."""
    precision, recall = fmean(one.precision for one in scores), fmean(one.recall for one in scores)
    yield f"{len(scores)} pages: F1 {f1(precision, recall):.4f}, precision {precision:.4f}, recall {recall:.4f}"
    milliseconds = fmean(one.seconds for one in scores) * 1000
    yield f"{milliseconds:.1f} ms a page, {sum(one.reason is not None for one in scores)} pages without text"
    for one in sorted(scores, key=lambda one: one.f1)[:worst]:
        shares_of = f"precision {one.precision:.3f}  recall {one.recall:.3f}"
        yield f"  {one.f1:.3f}  {shares_of}  {one.name}  {one.reason or ''}".rstrip()


@click.command(help=__doc__.partition("\n")[0] if __doc__ else None)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--worst", default=10, show_default=True, help="How many of the worst pages are listed.")
def main(folder: Path, worst: int) -> None:
    """Print F1, time and the worst pages of a folder."""
    scores = [score(page) for page in pages(folder)]
    if not scores:
        raise click.ClickException(f"{folder} has no page (.html, .html.gz) of which a text is expected")
    for line in report(scores, worst):
        click.echo(line)


if __name__ == "__main__":
    main()
