"""What pages put between and around the paragraphs of an article does not come out with it, and paragraphs always do."""

import pytest

from enricher.pipelines.articles.extraction import extract
from enricher.pipelines.articles.extraction.furniture import MAX_BLOCK_CHARS
from enricher.pipelines.articles.extraction.lines import without_furniture

TITLE = "The last ferryman of the strait retires"
TEXT = (
    "For thirty-one years Ole Brandt took people, sheep and once a grand piano across the strait in all weathers.",
    "On Friday he tied up the ferry for the last time, wiped his hands on a cloth and gave the keys to his niece.",
    "She has a licence, a sense of humour and a plan: from May on, a second boat is to run on Sundays as well.",
    "The council pays half of it, because otherwise the school on the island would lose a third of its pupils.",
    "Brandt himself says that he will stay away from the quay for a year, so that nobody asks him how it is done.",
)
NOISE = "Seven islands that you should see this summer"


def read(inside, *, title=f"<h1>{TITLE}</h1>", text=None, around="<article>{}</article>"):
    """The text of a page with these paragraphs, and `inside` it after the second of them."""
    paragraphs = [f"<p>{each}</p>" for each in TEXT] if text is None else list(text)
    paragraphs.insert(2, inside)
    head = f"<head><title>{TITLE} | Strait Courier</title><meta property=og:title content='{TITLE}'></head>"
    body = around.format(title + "".join(paragraphs))
    return extract(f"<html>{head}<body>{body}</body></html>".encode(), "https://example.org/ferry", "text/html").text


LINK = f"<a href=/x>{NOISE}</a>"


@pytest.mark.parametrize(
    "block",
    [
        f"<p>{LINK}</p>",
        f"<p><strong>Read on: {LINK}</strong></p>",
        f"<div><em>Mehr dazu:</em> {LINK}</div>",
        f"<blockquote>{LINK}</blockquote>",
        f"<ul><li>{LINK}</li></ul>",
        f"<ul><li>Travel: {LINK}</li><li>{LINK}</li><li>News</li></ul>",
        f"<h4>{LINK}</h4>",
        f'<div class="c-newsletter__box"><p>{NOISE}</p></div>',
        f'<div id="relatedStories"><h3>Other</h3><p>{NOISE}</p></div>',
        f'<section class="ReadMore"><p>{NOISE}</p></section>',
        f'<div class="image-caption"><p>{NOISE}</p></div>',
        f"<figure><img src=x><figcaption>{NOISE}</figcaption></figure>",
        f'<div role="complementary"><p>{NOISE}</p></div>',
        f'<p class="sr-only">{NOISE}</p>',
        f"<p>Read more: {NOISE}</p>",
        f"<p>Photo: {NOISE}</p>",
        f"<p>Lire aussi : {NOISE}</p>",
        f"<p>Sign up for “{NOISE}” by mail</p>",
    ],
)
def test_a_block_that_is_no_part_of_the_article_is_left_out_and_every_paragraph_stays(block):
    found = read(block)
    assert NOISE not in found
    assert found.split("\n") == [*TEXT]


@pytest.mark.parametrize(
    "block",
    [
        f"<p>The guide {LINK} says more about it than we can.</p>",
        f"<h2>{NOISE}</h2>",
        f"<ul><li>{NOISE}</li><li>Bring a coat, says the guide</li></ul>",
        f'<p class="biology updates">{NOISE}, and more of them.</p>',
        f"<p>Loading docks and cranes are on it, too: {NOISE}.</p>",
        f"<p>Copyright law was what they argued about: {NOISE}.</p>",
    ],
)
def test_a_block_of_the_article_stays(block):
    assert NOISE in read(block)


def test_a_name_that_much_of_the_text_bears_is_no_sign():
    found = read(
        "", text=[*(f'<p class="premium">{each}</p>' for each in TEXT[:2]), *(f"<p>{each}</p>" for each in TEXT[2:])]
    )
    assert all(each in found for each in TEXT)


def test_a_long_block_is_text_whatever_its_name():
    long = " ".join(f"{each} And then, on day {number}, it began again." for number, each in enumerate(TEXT * 4))
    assert len(long) > MAX_BLOCK_CHARS
    assert long in read(f'<div class="infobox"><p>{long}</p></div>')


def test_a_page_of_nothing_but_links_is_read():
    links = "".join(f"<p><a href=/{number}>{each}</a></p>" for number, each in enumerate(TEXT))
    assert TEXT[0] in read("", text=[links])


@pytest.mark.parametrize(
    "title", [f"<h1>{TITLE}</h1>", f"<header><h1><span>{TITLE}</span></h1></header>", f"<h2>{TITLE}</h2>"]
)
def test_the_title_is_not_repeated_in_the_text(title):
    assert TITLE not in read("", title=title)


def test_a_title_is_left_out_at_the_beginning_only_and_never_if_nothing_else_is_there():
    text = "\n".join((TITLE, *TEXT, *TEXT, TITLE))
    assert without_furniture(text, [TITLE]) == "\n".join((*TEXT, *TEXT, TITLE))
    assert without_furniture(TITLE, [TITLE, ""]) == TITLE


def test_an_article_that_is_cut_up_by_adverts_is_read_to_its_end():
    part = '<div class="article-body">{}</div>'
    halves = [part.format("".join(f"<p>{each} ({half})</p>" for each in TEXT)) for half in ("one", "two")]
    found = read("", text=[halves[0], '<div class="ad">Buy this</div>', halves[1]])
    assert all(f"{each} ({half})" in found for each in TEXT for half in ("one", "two"))
    assert found.index("(one)") < found.index("(two)")
