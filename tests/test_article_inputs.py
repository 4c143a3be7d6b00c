"""What a person names on the command line: each line is asked for or told of, and no file is taken for another."""

import os

import pytest

from enricher.errors import InputError
from enricher.pipelines.articles import inputs
from enricher.pipelines.articles.feeds import parse_feed
from enricher.pipelines.articles.inputs import Local, Wanted, Wrong, read_inputs
from enricher.pipelines.articles.sources.bookmarks import read_bookmarks
from enricher.pipelines.articles.sources.listing import RUNS_A_PROGRAM

RSS = b'\n<rss version="2.0"><channel><title>t</title><item><title>x</title></item></channel></rss>'
OPML = b"""<opml version="2.0"><body><outline xmlUrl="https://a.example/feed"/><outline text="folder"/>
<outline xmlUrl="feed://b.example/feed"/><outline xmlUrl="ftp://c.example"/></body></opml>"""


@pytest.fixture
def written(tmp_path):
    def write(content, name="list.txt"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def given(*names):
    return list(read_inputs(names).given)


# ── addresses ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_address_may_be_a_feed_a_page_or_an_article():
    assert given("https://Example.org/a?utm_source=x#part", "HTTP://b.example") == [
        Wanted("either", "https://example.org/a?utm_source=x", "command line", 1),
        Wanted("either", "http://b.example/", "command line", 2),
    ]


@pytest.mark.parametrize("name", ["feed:https://a.example/x", "feed:http://a.example/x", "feed://a.example/x"])
def test_an_address_for_readers_of_feeds_is_understood(name):
    (wanted,) = given(name)
    assert wanted.url == ("https" if "https" in name else "http") + "://a.example/x"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("https://", "https://: the address names no host"),
        ("https://a.example/a b\n", "https://a.example/a b?: the address holds blanks or control characters"),
        ("https://me:secret@a.example/", "https://…@a.example/: the address holds a user name or a password"),
    ],
)
def test_a_wrong_address_is_one_clear_line_without_its_password(name, message):
    with pytest.raises(InputError) as caught:
        given(name)
    assert str(caught.value) == message


# ── lists ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_plain_list_has_one_address_a_line(written):
    path = written("# mine\n\nhttps://a.example/1#x\n  https://b.example/2  # second\r\n\nhttps://c.example/3")
    assert given(path) == [
        Wanted("either", "https://a.example/1", "list.txt", 3),
        Wanted("either", "https://b.example/2", "list.txt", 4),
        Wanted("either", "https://c.example/3", "list.txt", 6),
    ]


def test_a_line_that_names_nothing_is_told_of_with_its_place(written):
    path = written("https://a.example/1\nexample.org\nhttps://me:secret@b.example/\nhttps://c.example/3\n")
    assert given(path)[1:3] == [
        Wrong("list.txt", 2, "example.org", "not an http or https address"),
        Wrong("list.txt", 3, "https://…@b.example/", "the address holds a user name or a password"),
    ]
    assert [each.line for each in given(path)] == [1, 2, 3, 4]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_list_may_be_in_any_encoding(written, encoding):
    assert given(written("https://a.example/caf\u00e9\n".encode(encoding))) == [
        Wanted("either", "https://a.example/caf%C3%A9", "list.txt", 1)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "title,url,tags\nOne,https://a.example/1,x\nTwo,https://a.example/2,\n",
        "URL;Title\nhttps://a.example/1;One\nhttps://a.example/2;Two\n",
        '# exported\n\n"Title"\t"Link"\n"One"\t"https://a.example/1"\n"Two"\t"https://a.example/2"\n',
        "Address\nhttps://a.example/1\nhttps://a.example/2\n",
        "\ufeffArticle URL,Folder\nhttps://a.example/1,x\nhttps://a.example/2,y\n",
    ],
    ids=["pocket", "semicolons", "tabs and quotes", "one column", "with a mark"],
)
def test_a_csv_names_articles(written, text):
    found = given(written(text))
    assert [(each.kind, each.url) for each in found] == [
        ("article", "https://a.example/1"),
        ("article", "https://a.example/2"),
    ]
    assert found[1].line == found[0].line + 1 == len(text.splitlines())


def test_a_row_without_an_address_is_told_of(written):
    path = written('title,url\n"One, and\nmore",\nTwo,https://a.example/2\nThree\n')
    assert given(path) == [
        Wrong("list.txt", 2, "", "there is no address"),
        Wanted("article", "https://a.example/2", "list.txt", 4),
        Wrong("list.txt", 5, "", "there is no address"),
    ]


def test_the_first_of_several_columns_that_is_filled_counts(written):
    path = written("link,url\nhttps://a.example/link,https://a.example/url\nhttps://b.example/link,\n")
    assert [each.url for each in given(path)] == ["https://a.example/url", "https://b.example/link"]


@pytest.mark.parametrize(
    "text",
    [
        "Name;Webadresse;Datum\nOne;https://a.example/1;2026\nTwo;https://a.example/2;2026\n",
        "One post,https://a.example/1\nTwo,https://a.example/2\n",
        "https://a.example/1\tOne post\nhttps://a.example/2\tTwo\n",
        '"https://a.example/1","One, and more"\n"https://a.example/2","Two"\n',
    ],
    ids=["another name", "no header", "tabs", "quotes"],
)
def test_a_column_of_addresses_is_known_by_its_cells(written, text):
    assert [(each.kind, each.url) for each in given(written(text))] == [
        ("article", "https://a.example/1"),
        ("article", "https://a.example/2"),
    ]


@pytest.mark.parametrize("above", ["mine\n", ""])
def test_a_comma_within_an_address_parts_no_columns(written, above):
    path = written(f"{above}https://a.example/1,2.html\nhttps://a.example/3,4.html # two, three\n")
    assert [each.url for each in given(path) if isinstance(each, Wanted)] == [
        "https://a.example/1,2.html",
        "https://a.example/3,4.html",
    ]


def test_the_urls_file_of_newsboat_names_feeds(written):
    path = written(
        '# news\nhttps://a.example/feed news "two words" "~A Feed"\nhttps://b.example/rss !\n'
        '"query:Unread:unread = \\"yes\\""\n"https://c.example/feed"\nhttps://d.example/feed tech\n'
        "exec:~/bin/feed.sh\nfilter:~/bin/x:https://e.example/feed\nhttps://f.example/a b.html\n"
    )
    assert given(path) == [
        Wanted("feed", "https://a.example/feed", "list.txt", 2),
        Wanted("feed", "https://b.example/rss", "list.txt", 3),
        Wanted("either", "https://c.example/feed", "list.txt", 5),
        Wanted("either", "https://d.example/feed", "list.txt", 6),
        Wrong("list.txt", 7, "exec:~/bin/feed.sh", RUNS_A_PROGRAM),
        Wrong("list.txt", 8, "filter:~/bin/x:https://e.example/feed", RUNS_A_PROGRAM),
        Wrong("list.txt", 9, "https://f.example/a b.html", "the address holds blanks or control characters"),
    ]


# ── documents ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["feeds.opml", "feeds.txt", "feeds"])
def test_a_file_of_opml_names_feeds_whatever_it_is_called(written, name):
    assert given(written(OPML, name)) == [
        Wanted("feed", "https://a.example/feed", name, 1),
        Wanted("feed", "http://b.example/feed", name, 2),
        Wrong(name, 3, "ftp://c.example", "not an http or https address"),
    ]


@pytest.mark.parametrize(
    "body", [RSS, b'{"version": "https://jsonfeed.org/version/1", "items": []}', RSS.decode().encode("utf-16")]
)
def test_a_feed_in_a_file_is_handed_on(written, body):
    assert given(written(body, "feed.xml")) == [Local("feed.xml", parse_feed(body, ""))]


BOOKMARKS = """{}<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=UTF-8">
<TITLE>Bookmarks</TITLE><H1>Bookmarks</H1>
<DL><p>
  <DT><H3 ADD_DATE="1">Folder</H3>
  <DL><p>
    <DT><A HREF="https://a.example/?x=1&amp;y=2" ADD_DATE="1" ICON="data:image/png;base64,AA==">A > <b>title</A>
    <DD>With notes, and a link: https://nowhere.example/
    <DT><A FEEDURL="https://b.example/feed" HREF="https://b.example/">Live</A>
  </DL><p>
  <dt><a add_date='1' href='https://c.example/'>C</a> <DT><A HREF="javascript:alert('x')">Let</A>
</DL><p>
"""


@pytest.mark.parametrize("doctype", ["<!DOCTYPE NETSCAPE-Bookmark-file-1>\n<!-- read by no one -->\n", "\n\n"])
def test_bookmarks_of_a_browser_are_pages_and_feeds(written, doctype):
    assert given(written(BOOKMARKS.format(doctype), "bookmarks.html")) == [
        Wanted("either", "https://a.example/?x=1&y=2", "bookmarks.html", 8),
        Wanted("feed", "https://b.example/feed", "bookmarks.html", 10),
        Wanted("either", "https://c.example/", "bookmarks.html", 12),
        Wrong("bookmarks.html", 12, "javascript:alert('x')", "not an http or https address"),
    ]


def test_megabytes_of_unfinished_bookmarks_are_read_at_once():
    assert read_bookmarks(b"<dl><dt>" + b"<a href='" * 300_000 + b"<a " * 300_000) == []


def test_everything_stays_in_the_order_in_which_it_is_named(written):
    names = (written(OPML, "b.opml"), "https://z.example/", written(RSS, "a.xml"), written("https://y.example/"))
    kinds = [each.kind if isinstance(each, Wanted) else type(each).__name__ for each in given(*names)]
    assert kinds == ["feed", "feed", "Wrong", "either", "Local", "either"]


# ── what can't be read ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "list.txt: the file is empty"),
        (b"# nothing\n\n", "list.txt: there is no address in the file"),
        (b"%PDF-1.7 \x00\x01", "list.txt: this is no text but a PDF document"),
        (b'"url\nhttps://a.example/', "list.txt: the names of its columns can't be read"),
        (
            b"title,date,notes\nOne,2026-01-01,x\nTwo,2026-01-02,y\n",
            "list.txt: no column of addresses among 'title', 'date', 'notes'; name the one that holds them url",
        ),
        (
            b"page,image\nhttps://a.example/1,https://a.example/1.png\nhttps://a.example/2,https://a.example/2.png\n",
            "list.txt: no column of addresses among 'page', 'image'; name the one that holds them url",
        ),
        (b"Dear all,\nthis is no list, no address,\nand says nothing.\n", "list.txt: none of its lines is an address"),
        (b"example.org\nb.example/x\n", "list.txt: none of its lines is an address; each begins with https://"),
        (
            b'[\n"https://a.example/1",\n"https://a.example/2"\n]',
            "list.txt: it is JSON, and no JSON Feed; write one address a line",
        ),
        (b"<!DOCTYPE NETSCAPE-Bookmark-file-1><DL></DL>", "list.txt: there is no bookmark in the file"),
        (b"<html><body>x</body></html>", "list.txt: it is a web page and no feed; name"),
        (b'{"a": 1}', "list.txt: it is JSON, and no JSON Feed; name"),
        (b"<opml><body/></opml>", "list.txt: the OPML names no feed"),
        (b"<opml><body>", "list.txt: the XML is damaged in line 1"),
        (b"<rss>" + b" " * 10 * 1024 * 1024, "list.txt: the file is larger than 10 MB"),
    ],
    ids=[
        "empty",
        "comments",
        "pdf",
        "open quote",
        "no column",
        "two columns",
        "prose",
        "no address",
        "json list",
        "no bookmark",
        "page",
        "json",
        "no feeds",
        "cut off",
        "large",
    ],
)
def test_a_file_that_names_nothing_is_one_clear_line(written, content, message):
    with pytest.raises(InputError) as caught:
        given("https://a.example/", written(content))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_one_clear_line(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, reason in (
        ("nowhere\n.txt", "there is no such file; an address begins with https://"),
        ("example.org/feed", "there is no such file; an address begins with https://"),
        (".", "this is a folder"),
        ("pipe", "this is no ordinary file"),
        ("x" * 300, "the file can't be opened"),
        ("nul\0", "the file can't be opened"),
    ):
        with pytest.raises(InputError, match=reason) as caught:
            given(str(tmp_path / name))
        assert "\n" not in str(caught.value)


def test_a_file_that_ceases_to_be_readable_is_one_clear_line():
    """This one can be opened, and not read at its start."""
    with pytest.raises(InputError, match="can't be read to its end; check its disk"):
        given("/proc/self/mem")


def test_a_file_that_may_not_be_read_is_one_clear_line(written, monkeypatch):
    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(inputs.io, "FileIO", refused)
    with pytest.raises(InputError, match=r"^list\.txt: no permission to read the file; change its permissions$"):
        given(written("https://a.example/"))
