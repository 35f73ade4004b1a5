"""What a line looks like, byte for byte."""

from __future__ import annotations

import hashlib
import json
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.record import LINE_LIMIT, Members, canonical_request, digest, encode, line, link, stamp

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def members(facts: object) -> Members:
    return Members("2026-01-01T00:00:00.000Z", "decided", "r", None, None, None, facts)  # type: ignore[arg-type]


def test_a_line_has_its_members_in_order() -> None:
    raw = line(7, encode(members({"zone": "local"})), "0" * 64)
    assert list(json.loads(raw)) == [
        "v", "seq", "ts", "event", "request_id", "tenant", "subject", "hmac", "facts", "prev"
    ]  # fmt: skip
    assert link(raw) == (7, "0" * 64)
    assert digest(raw) == hashlib.sha256(raw).hexdigest()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[1]",
        b"null",
        b'{"seq":"1","prev":"a"}',
        b'{"seq":true,"prev":"a"}',
        b'{"seq":1,"prev":2}',
        b"\xff",
    ],
)
def test_what_is_no_record_has_no_place(raw: bytes) -> None:
    assert link(raw) is None


def test_containers_of_the_domain_become_json() -> None:
    facts = {"kinds": frozenset({"b", "a"}), "places": ("x",), "counts": MappingProxyType({"iban": 1})}
    encoded = json.loads(b"{" + encode(members(facts)) + b"}")
    assert encoded["facts"] == {"kinds": ["a", "b"], "places": ["x"], "counts": {"iban": 1}}


def test_a_record_that_no_verifier_could_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="over the limit"):
        encode(members({"filler": "x" * LINE_LIMIT}))


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_a_request_is_the_same_bytes_in_whatever_order_its_keys_came(body: dict[str, object]) -> None:
    backwards = dict(reversed(body.items()))
    assert canonical_request(body) == canonical_request(backwards)


def test_requests_that_differ_have_different_bytes() -> None:
    bodies: list[dict[str, object]] = [
        {"a": 1},
        {"a": "1"},
        {"a": 1.5},
        {"a": [1]},
        {"b": 1},
        {"a": 2**70},
        {"a": "\ud800"},
    ]
    assert len({canonical_request(body) for body in bodies}) == len(bodies)


def test_times_are_rfc_3339_in_utc() -> None:
    assert stamp(0.1234) == "1970-01-01T00:00:00.123Z"
    assert stamp(1_800_000_000) == "2027-01-15T08:00:00.000Z"
