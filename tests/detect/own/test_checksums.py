"""Checksums that a number format may ask for: right numbers pass, one wrong digit does not, nothing does not."""

from __future__ import annotations

from typing import get_args

import pytest

from gateway.detect.own.checksums import NAMES, check
from gateway.policy.schema import Checksum

RIGHT = {
    "luhn": "79927398713",
    "verhoeff": "2363",
    "damm": "5724",
    "ean13": "4006381333931",
    "mod97": "794 44",
    "mod11": "0-306-40615-2",
    "mod11_2": "0000 0002 1825 0097",
    "mod11_10": "12345678903",
    "mod37_2": "A12425GABC1234002M",
    "mod37_36": "A12425GABC1234002M",
}


def test_policy_and_detector_know_the_same_names() -> None:
    assert set(get_args(Checksum)) == NAMES == set(RIGHT)


def _right(name: str) -> str:
    """A number of this family: its check character is found, not remembered."""
    stem = "A12425GABC1234" if name.startswith("mod37") else RIGHT[name][:-1]
    signs = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*"
    return next(stem + sign for sign in signs if check(name)(stem + sign))


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_right_number_passes_and_a_slip_does_not(name: str) -> None:
    passes, number = check(name), _right(name)
    assert passes(number)
    assert passes(number.replace("-", " "))
    at = next(at for at, sign in enumerate(number) if sign.isdigit() and at)
    wrong = number[:at] + str((int(number[at]) + 1) % 10) + number[at + 1 :]
    assert not passes(wrong)


@pytest.mark.parametrize(("name", "number"), [(n, RIGHT[n]) for n in RIGHT if not n.startswith(("mod37", "mod97"))])
def test_numbers_out_of_the_books_pass(name: str, number: str) -> None:
    assert check(name)(number)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_no_digits_are_no_number(name: str) -> None:
    assert not any(check(name)(text) for text in ("", "-", "0", "äöü"))


def test_letters_around_a_number_are_no_part_of_it() -> None:
    assert check("luhn")("KD-79927398713")
    assert check("mod11")("ISBN 0-8044-2957-X")
    assert not check("mod11")("X-8044-2957")
