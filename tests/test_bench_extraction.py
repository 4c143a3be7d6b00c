"""`python -m benchmarks.extraction`: pages and expected texts in, F1 and the worst pages out."""

import gzip
import json

import pytest
from click.testing import CliRunner

from benchmarks.extraction import main, shares

SENTENCES = [f"The tower number {each} stands where the old road meets the river and the sea." for each in range(8)]
HTML = f"<html><body><article>{''.join(f'<p>{each}</p>' for each in SENTENCES)}</article></body></html>"


def ask(folder, *options):
    return CliRunner().invoke(main, [str(folder), *options])


@pytest.mark.parametrize(
    "wrap", [lambda text: text, lambda text: {"articleBody": text, "url": "https://example.org/a"}]
)
def test_a_folder_of_pages_is_measured_and_its_worst_pages_are_named(tmp_path, wrap):
    (tmp_path / "html").mkdir()
    (tmp_path / "html" / "good.html.gz").write_bytes(gzip.compress(HTML.encode()))
    (tmp_path / "html" / "bad.html").write_text("%PDF-1.7")
    texts = {"good": wrap("\n".join(SENTENCES)), "bad": wrap("a text that nobody finds"), "absent": wrap("x")}
    (tmp_path / "ground-truth.json").write_text(json.dumps(texts))
    done = ask(tmp_path, "--worst", "1")
    assert done.output.startswith("2 pages: F1 0.5000, precision 0.5000, recall 0.5000\n")
    assert "1 pages without text" in done.output
    assert done.output.rstrip().endswith("bad  a PDF document, not a web page")
    assert "good" not in done.output


def test_a_folder_without_expected_texts_or_without_pages_is_told_as_such(tmp_path):
    assert "no JSON file of expected texts" in ask(tmp_path).output
    (tmp_path / "texts.json").write_text('{"a": "b"}')
    assert "no page" in ask(tmp_path).output


def test_what_is_too_much_costs_precision_and_what_is_missing_recall():
    assert shares("a b c d", "a b c d e") == (0.5, 1.0)
    assert shares("a b c d e", "a b c d") == (1.0, 0.5)
    assert shares("a b", "") == (0.0, 0.0)
