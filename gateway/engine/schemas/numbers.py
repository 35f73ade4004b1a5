"""Numbers within bounds, as alternatives of a grammar: digit by digit, since that is how a model writes them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

MOST_DIGITS = 16
"""Digits of a number that no bound keeps shorter: as many as a double can tell apart."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a schema says of a number; None = no bound on that side."""

    low: Decimal | None = None
    high: Decimal | None = None
    above: bool = False
    """`low` itself is excluded."""
    below: bool = False
    """`high` itself is excluded."""

    @property
    def open(self) -> bool:
        return self.low is None and self.high is None


def integers(bounds: Bounds) -> list[str]:
    """Every whole number within, each as one alternative or part of one. Empty where there is none."""
    low, high = _whole_ends(bounds)
    found = []
    if low < 0:
        found += [f'"-" {body}' for body in _naturals(max(1, -high), -low)]
    if high >= 0:
        found += _naturals(max(0, low), high)
    return found


def decimals(bounds: Bounds) -> list[str]:
    """Numbers within, with a fraction or without. Empty where there is none."""
    low, high = bounds.low, bounds.high
    if low is not None and high is not None and (low > high or (low == high and (bounds.above or bounds.below))):
        return []
    found = []
    if bounds.low is None or bounds.low < 0:
        mirrored = Bounds(
            None if bounds.high is None else -bounds.high,
            None if bounds.low is None else -bounds.low,
            bounds.below,
            bounds.above,
        )
        found += [f'"-" {body}' for body in _positive(mirrored)]
    if bounds.high is None or bounds.high >= 0:
        found += _positive(bounds)
    return found


def _whole_ends(bounds: Bounds) -> tuple[int, int]:
    low = high = None
    if bounds.low is not None:
        low = int(bounds.low.to_integral_value(ROUND_CEILING))
        low += 1 if bounds.above and low == bounds.low else 0
    if bounds.high is not None:
        high = int(bounds.high.to_integral_value(ROUND_FLOOR))
        high -= 1 if bounds.below and high == bounds.high else 0
    longest = 10 ** max(MOST_DIGITS, *(len(str(abs(end))) for end in (low or 0, high or 0)))
    return -longest + 1 if low is None else low, longest - 1 if high is None else high


def _positive(bounds: Bounds) -> list[str]:
    """Those from 0 up, without a sign."""
    low, above = (bounds.low, bounds.above) if bounds.low is not None and bounds.low >= 0 else (Decimal(0), False)
    first, begin = _split(low)
    if bounds.high is None:
        last, end = 10 ** max(MOST_DIGITS, len(str(first))), ""
    else:
        last, end = _split(bounds.high)
    if bounds.high is not None and first == last:
        return _within(first, begin, end, above=above, below=bounds.below)
    found = [] if not (begin or above) else [f'"{first}" {body}' for body in _at_least(begin, above)]
    whole = _naturals(first + 1 if begin or above else first, last - 1)
    found += [f'{body} ("." [0-9]{{1,{MOST_DIGITS}}})?' for body in whole]
    if bounds.high is not None:
        found += [f'"{last}" {body}' for body in _at_most(end, bounds.below)]
    return found


def _split(number: Decimal) -> tuple[int, str]:
    """Whole part and digits of the fraction, without noughts at its end."""
    whole, _, fraction = format(number, "f").partition(".")
    return int(whole), fraction.rstrip("0")


def _within(whole: int, begin: str, end: str, *, above: bool, below: bool) -> list[str]:
    """Both ends share the whole part: fractions between them, digit for digit, up to two digits finer than the ends."""
    finest = max(len(begin), len(end)) + 2
    low, high = int(begin.ljust(finest, "0")) + above, int(end.ljust(finest, "0")) - below
    found = [f'"{whole}"'] if low == 0 <= high else []
    for size in range(1, finest + 1):
        step = 10 ** (finest - size)
        first, last = -(-low // step), high // step
        if first <= last:
            found += [f'"{whole}." {body}' for body in _between(f"{first:0{size}}", f"{last:0{size}}")]
    return found


def _at_least(digits: str, above: bool) -> list[str]:
    """Fractions of at least these digits."""
    found = [
        f'".{digits[:at]}" [{int(digit) + 1}-9] [0-9]{{0,{MOST_DIGITS}}}'
        for at, digit in enumerate(digits)
        if digit != "9"
    ]
    longer = f"[0-9]{{0,{MOST_DIGITS}}}"
    return [*found, f'".{digits}" {longer} [1-9]' if above else f'".{digits}" {longer}']


def _at_most(digits: str, below: bool) -> list[str]:
    """Fractions of at most these digits, none at all among them."""
    found = [
        f'".{digits[:at]}" [0-{int(digit) - 1}] [0-9]{{0,{MOST_DIGITS}}}'
        for at, digit in enumerate(digits)
        if digit != "0"
    ]
    found += [f'".{digits[:at]}"' for at in range(1, len(digits))]
    if digits:
        found.append('""')
    if not below:
        found.append(f'".{digits}" "0"{{0,3}}' if digits else '("." "0"{1,3})?')
    return found


def _naturals(low: int, high: int) -> list[str]:
    """Whole numbers from `low` (at least 0) to `high`, by their number of digits."""
    found: list[str] = []
    sizes: list[int] = []
    for size in range(len(str(low)), len(str(high)) + 1 if high >= low else 0):
        least, most = max(low, 10 ** (size - 1) if size > 1 else 0), min(high, 10**size - 1)
        if size > 1 and least == 10 ** (size - 1) and most == 10**size - 1:
            sizes.append(size - 1)  # all numbers of so many digits: one alternative for a run of sizes
        else:
            found += _between(str(least), str(most))
    return [*found, f"[1-9] [0-9]{{{sizes[0]},{sizes[-1]}}}"] if sizes else found


def _between(low: str, high: str) -> list[str]:
    """Digits from `low` to `high`, which are of one length."""
    rest = len(low) - 1
    if low == high:
        return [f'"{low}"']
    if low[0] == high[0]:
        return [f'"{low[0]}" {body}' for body in _between(low[1:], high[1:])]
    first, last = int(low[0]), int(high[0])
    found: list[str] = []
    if low[1:].strip("0"):
        found += [f'"{low[0]}" {body}' for body in _between(low[1:], "9" * rest)]
        first += 1
    if high[1:].strip("9"):
        found += [f'"{high[0]}" {body}' for body in _between("0" * rest, high[1:])]
        last -= 1
    if first <= last:
        found.append(f"[{first}-{last}]" + (f" [0-9]{{{rest}}}" if rest else ""))
    return found
