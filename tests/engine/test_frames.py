"""Frames survive any chunking; what is no frame is told apart."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.engine.frames import BrokenFrame, Frames, encode

FRAME = st.dictionaries(st.text(max_size=5), st.integers(-(2**31), 2**31) | st.text(max_size=20), max_size=4)


@given(st.lists(FRAME, max_size=6), st.lists(st.integers(1, 40), max_size=30))
def test_any_chunking_gives_the_same_frames(sent: list[dict[str, Any]], sizes: list[int]) -> None:
    stream = b"".join(encode(frame) for frame in sent)
    frames, came = Frames(), []
    for size in [*sizes, len(stream)]:
        came += [frame for frame, _ in frames.feed(stream[:size])]
        stream = stream[size:]
    assert came == sent


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x01{", b"\x00\x00\x00\x02[]"], ids=repr)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(BrokenFrame):
        list(Frames().feed(data))
