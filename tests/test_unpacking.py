"""A body that is packed twice: bounded where nobody counts what comes out."""

import gzip

import pytest

from enricher.transports.framing import Unreadable
from enricher.transports.unpacking import MOST_BETWEEN_BYTES, STEP_BYTES, unpacking_of


def test_what_an_outer_packing_swells_to_is_bounded_though_the_inner_one_makes_nothing_of_it():
    inner = gzip.compress(b"text")
    padding = bytes(2 * MOST_BETWEEN_BYTES)  # what follows a packed body is passed over, however long
    unpacking = unpacking_of("gzip, gzip")
    parts = unpacking.feed(gzip.compress(inner + padding, 1))
    assert next(parts) == b"text"
    with pytest.raises(Unreadable):
        next(parts)


def test_a_body_that_is_packed_twice_comes_piece_by_piece():
    text = bytes(range(256)) * 10_000
    packed = gzip.compress(gzip.compress(text))
    unpacking = unpacking_of("x-gzip, gzip")
    parts = [part for at in range(0, len(packed), 7) for part in unpacking.feed(packed[at : at + 7])]
    unpacking.finish()
    assert b"".join(parts) == text
    assert max(map(len, parts)) <= STEP_BYTES
