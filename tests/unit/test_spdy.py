"""SPDY frames survive any cut, and what is no SPDY is refused."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import spdy

TEXTS = st.dictionaries(st.text("abcdefgh-", min_size=1), st.text("xyz0189", min_size=1), max_size=4)
OPENED = st.builds(spdy.Opened, st.integers(1, 2**31 - 1), TEXTS, st.booleans())
DATA = st.builds(spdy.Data, st.integers(1, 2**31 - 1), st.binary(max_size=64), st.booleans())
RESET = st.builds(spdy.Reset, st.integers(1, 2**31 - 1))
PING = st.builds(spdy.Ping, st.integers(1, 2**32 - 1))


def written(frames: list[spdy.Frame]) -> bytes:
    writer, told = spdy.Writer(), b""
    for frame in frames:
        match frame:
            case spdy.Opened(stream, headers, fin):
                told += writer.open(stream, headers, fin)
            case spdy.Data(stream, payload, fin):
                told += spdy.data(stream, payload, fin)
            case spdy.Reset(stream):
                told += spdy.reset(stream, spdy.REFUSED_STREAM)
            case spdy.Ping(id_):
                told += spdy.ping(id_)
    return told


@given(st.lists(st.one_of(OPENED, DATA, RESET, PING), max_size=8), st.integers(1, 40))
def test_frames_are_read_as_written_whatever_the_cuts(frames: list[spdy.Frame], size: int) -> None:
    told, reader = written(frames), spdy.Reader()
    pieces = [told[start : start + size] for start in range(0, len(told), size)]
    assert [frame for piece in pieces for frame in reader.feed(piece)] == frames


def test_the_dictionary_is_the_one_of_the_standard() -> None:
    assert (len(spdy.DICTIONARY), zlib.adler32(spdy.DICTIONARY)) == (1423, 0xE3C6A7C2)


@pytest.mark.parametrize(
    "told",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x80\x02\x00\x01\x00\x00\x00\x00",
        b"\x80\x03\x00\x01\x00\x00\x00\x02ab",
        b"\x80\x03\x00\x06\x00\x00\x00\x00",
        b"\x80\x03\x00\x01\x00\x00\x00\x0c\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00zz",
    ],
)
def test_what_is_no_spdy_is_refused(told: bytes) -> None:
    with pytest.raises(spdy.SpdyError):
        list(spdy.Reader().feed(told))


def test_frames_of_no_interest_are_passed_over() -> None:
    settings = b"\x80\x03\x00\x04\x00\x00\x00\x04\x00\x00\x00\x00"
    assert list(spdy.Reader().feed(settings + spdy.ping(1))) == [spdy.Ping(1)]
