"""Where a request may lead: how an address is read, and which are public. The wire is tested in transport_world.py."""

import pytest

from enricher.model import Reach
from enricher.transports.guard import NotAllowed, Place, admit, is_public, judged, number_of, place_of

PUBLIC = [
    *(
        "8.8.8.8",
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.0",
    ),
    *("223.255.255.255", "2606:4700:4700::1111", "2a00:1450::8a", "::ffff:8.8.8.8", "::8.8.8.8"),
]
NOT_PUBLIC = [
    *("127.0.0.1", "127.255.255.255", "10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.1"),
    *("169.254.169.254", "100.64.0.0", "100.100.100.200", "100.127.255.255", "0.0.0.0", "0.255.255.255"),
    *("192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255"),
    *("240.0.0.1", "255.255.255.255", "168.63.129.16"),
    *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "::ffff:0:0", "::10.0.0.1", "::ffff:100.64.0.1"),
    *(
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "2002:808:808::",
        "2001::1",
        "2001:db8::1",
        "100::1",
        "fe80::1",
        "fe80::1%eth0",
    ),
    *("2606:4700::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "ff0e::1"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_public_internet_is_public(address):
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_of_anything_else_is_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    ("url", "place", "origin"),
    [
        ("http://films.test", Place("http", "films.test", 80, ""), "http://films.test"),
        ("HTTPS://Films.TEST:443/A?b#c", Place("https", "films.test", 443, "/A?b"), "https://films.test"),
        ("http://films.test:443/", Place("http", "films.test", 443, "/"), "http://films.test:443"),
        ("https://films.test?x=/y", Place("https", "films.test", 443, "?x=/y"), "https://films.test"),
        ("http://[2606:4700::1]:8080/", Place("http", "2606:4700::1", 8080, "/"), "http://[2606:4700::1]:8080"),
        ("http://xn--mller-kva.test/#@x", Place("http", "xn--mller-kva.test", 80, "/"), "http://xn--mller-kva.test"),
    ],
)
def test_an_address_is_read_in_one_way(url, place, origin):
    assert place_of(url) == place
    assert place.origin == origin


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "films.test",
            "//films.test/",
            "http:films.test",
            "http:/films.test",
            "http://",
            "http:///x",
            "http://?x",
        ),
        *(
            "http://a@films.test/",
            "http://a:b@films.test/",
            "http://@films.test/",
            "http://films.test:/",
            "http://:80/",
        ),
        *("http://films.test:80:80/", "http://films.test:123456/", "http://films.test:٣/", "http://films.test\\@b/"),
        *("http://films test/", "http://films.test/a b", "http://films.test/\t", "http://films.test/\n", "\nhttp://a/"),
        *(
            "http://films.test/é",
            "http://fılms.test/",
            "http://ﬁlms.test/",
            "http://a%2eb/",
            "http://[::1]x/",
            "http://[/",
        ),
        *("http://[fe80::1%25eth0]/", "ftp://films.test/", "file:///etc/passwd", "javascript:alert(1)", "data:,x"),
        *("httpſ://films.test/", "ws://films.test/", "http://films.test;x/"),
    ],
)
def test_what_could_be_read_in_two_ways_is_not_read(url):
    with pytest.raises(NotAllowed):
        place_of(url)


@pytest.mark.parametrize(
    "host", ["films.test", "films.test.", "0x7f.test", "1.2.3.4.test", "7-up", "face", "0xyz", "x0x1"]
)
def test_a_name_is_no_number(host):
    assert number_of(host) is None


@pytest.mark.parametrize(
    "host",
    [
        *("2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "127.0.0.1.", "127.0.0.01", "0", "0x", "1.2.3"),
        *("256.1.1.1", "1.2.3.4.5", "a.1", "::g", "1:2", "127.0.0.1:80", "4294967296"),
    ],
)
def test_a_number_in_another_spelling_is_refused(host):
    with pytest.raises(NotAllowed):
        number_of(host)


@pytest.mark.parametrize(
    ("url", "allowed", "within"),
    [
        ("http://films.test/", "", True),
        ("https://films.test:80/", "", True),
        ("http://films.test:8080/", "", False),
        ("http://films.test:8080/", "films.test", True),
        ("http://films.test:8080/", "films.test:8080", True),
        ("http://films.test:8081/", "films.test:8080", False),
        ("http://sub.films.test:8080/", "films.test", False),
        ("http://127.0.0.1/", "", False),
        ("http://127.0.0.1/", "127.0.0.1", True),
        ("http://127.0.0.1/", "localhost", False),
        ("http://127.0.0.2/", "127.0.0.1", False),
        ("http://127.1/", "127.1", False),
        ("http://8.8.8.8/", "", True),
        ("http://[::1]/", "::1", True),
        ("http://[0::1]/", "::1", True),
        ("http://[::1]:8080/", "[::1]:8080", True),
        ("http://[::1]:80/", "::1:80", False),
        ("http://[::1:80]/", "::1:80", True),
        ("http://[::ffff:127.0.0.1]/", "127.0.0.1", False),
    ],
)
def test_an_address_is_admitted_by_its_port_its_number_and_its_name(url, allowed, within):
    reach = Reach(allowed=frozenset({allowed} - {""}))
    if within:
        admit(url, reach)
    else:
        with pytest.raises(NotAllowed):
            admit(url, reach)


def test_of_a_names_addresses_the_public_ones_stay_in_their_order_and_once():
    told = ["10.0.0.1", "8.8.8.8", "::1", "1.1.1.1", "8.8.8.8"]
    assert judged("films.test", 80, told, Reach()) == ["8.8.8.8", "1.1.1.1"]


def test_a_name_without_a_public_address_is_refused():
    with pytest.raises(NotAllowed):
        judged("films.test", 80, ["10.0.0.1", "::1"], Reach(allowed=frozenset({"films.test:81", "10.0.0.1"})))


def test_all_addresses_of_a_name_that_a_person_named_may_be_used():
    told = ["10.0.0.1", "8.8.8.8"]
    assert judged("films.test", 81, told, Reach(allowed=frozenset({"films.test"}))) == told
