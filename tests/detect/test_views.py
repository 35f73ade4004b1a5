"""Identifiers stay visible however they are written, and are found where they stand."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from itertools import product

import pytest

from gateway.core.types import Finding
from gateway.detect import Scanner

DIGITS = ("zero", "uno", "due", "tre", "quattro", "cinque", "sei", "sette", "otto", "nove")
CYRILLIC = str.maketrans("ABEKMHOPCTXaeopcx", "АВЕКМНОРСТХаеорсх")


def every(text: str, size: int, mark: str) -> str:
    bare = text.replace(" ", "")
    return mark.join(bare[start : start + size] for start in range(0, len(bare), size))


WRITTEN: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "zero-width": lambda text: "\u200b".join(text),
    "soft hyphens": lambda text: "\u00ad".join(text),
    "Cyrillic look-alikes": lambda text: text.translate(CYRILLIC),
    "fullwidth": lambda text: "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text),
    "mathematical digits": lambda text: "".join(chr(0x1D7CE + int(c)) if c.isdigit() else c for c in text),
    "Arabic-Indic digits": lambda text: "".join(chr(0x660 + int(c)) if c.isdigit() else c for c in text),
    "no-break spaces": lambda text: every(text, 4, "\u00a0"),
    "spaced out": lambda text: " ".join(text.replace(" ", "")),
    "dashes": lambda text: every(text, 4, "-"),
    "dots": lambda text: every(text, 4, "."),
    "a line end inside": lambda text: text[: len(text) // 2] + "\n" + text[len(text) // 2 :],
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "URL-safe base64 without padding": lambda text: base64.urlsafe_b64encode(f"<{text}>".encode()).decode().rstrip("="),
    "hexadecimal": lambda text: text.encode().hex(),
    "percent": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "HTML": lambda text: "".join(f"&#{ord(char)};" for char in text),
    "JSON escapes": lambda text: "".join(f"\\u{ord(char):04x}" for char in text),
    "base64 in base64": lambda text: base64.b64encode(base64.b64encode(text.encode())).decode(),
    "UTF-16 in base64": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "quoted-printable": lambda text: "".join(f"={byte:02X}" for byte in text.encode()),
    "braced escapes": lambda text: "".join(f"\\u{{{ord(char):x}}}" for char in text),
    "%u escapes": lambda text: "".join(f"%u{ord(char):04X}" for char in text),
    "HTML without semicolons": lambda text: "".join(f"&#{ord(char)}" for char in text),
    "struck through": lambda text: "\u0336".join(text),
    "digit words": lambda text: " ".join(DIGITS[int(c)] if c.isdigit() else c for c in text.replace(" ", "")),
}
VALUES = {
    "payment_card": "4478 8783 8483 7260",
    "iban": "IT32X0047439575513137353799",
    "it_fiscal_code": "TSTPRV72C48D612F",
    "es_dni": "47382915V",
    "es_nie": "Y4829175V",
    "fr_social_security": "185047811203449",
    "uk_nino": "AB482019C",
    "phone": "+39 346 5075291",
    "email": "anna.verdi@posta-aziendale.it",
}
LOST = {("email", way) for way in ("no-break spaces", "dashes", "dots", "digit words")}
"""An address cut up without a pattern leaves nothing that tells it from prose."""


@pytest.mark.parametrize(("kind", "way"), [pair for pair in product(VALUES, WRITTEN) if pair not in LOST])
def test_a_value_is_seen_however_it_is_written(scanner: Scanner, kind: str, way: str) -> None:
    written = WRITTEN[way](VALUES[kind])
    text = f"Nota: {written} (fine)"
    found = [finding for finding in scanner.find_in_text(text).findings if finding.kind == kind]
    assert len(found) == 1
    assert covers(found[0], text.index(written), written)


@pytest.mark.parametrize("prefix", ["token_", "x/", "files/v1/", "a-b-"])
def test_base64_behind_a_prefix_is_opened(scanner: Scanner, prefix: str) -> None:
    run = base64.b64encode(f"my account is {VALUES['iban']}".encode()).decode()
    assert [finding.kind for finding in scanner.find_in_text(f"see {prefix}{run} there").findings] == ["iban"]


CELLS = (",", ", ", "|", " | ", "*", ";", " - ", " / ", "+", "~", "<br>", "</td><td>", "\f", "\0", '","', '", "')


@pytest.mark.parametrize("mark", CELLS, ids=repr)
@pytest.mark.parametrize("kind", ["payment_card", "iban"])
def test_a_number_in_cells_is_seen(scanner: Scanner, kind: str, mark: str) -> None:
    written = every(VALUES[kind], 4, mark)
    (finding,) = scanner.find_in_text(f"Nota ({written}) fine").findings
    assert finding.kind == kind
    assert covers(finding, 6, written)


@pytest.mark.parametrize(
    "words",
    [
        "four four seven double eight seven eight three eight four eight three seven two six zero",
        "fourfourseveneighteightseveneightthreeeightfoureightthreeseventwosixzero",
    ],
    ids=["a doubled digit", "glued"],
)
def test_a_card_in_words_is_seen(scanner: Scanner, words: str) -> None:
    assert [finding.kind for finding in scanner.find_in_text(f"card {words}").findings] == ["payment_card"]


def covers(finding: Finding, start: int, written: str) -> bool:
    """The span lies on the value, and covers nearly all of it."""
    place = finding.place
    return start <= place.start and place.end <= start + len(written) and place.end - place.start >= 0.8 * len(written)


def test_one_value_seen_in_several_readings_is_one_finding(scanner: Scanner) -> None:
    text = json.dumps({"iban": "DE10 2972 9975 2882 0018 26", "note": "è \u00e9 \\n &amp; %20"})
    assert [finding.kind for finding in scanner.find_in_text(text).findings] == ["iban"]


def test_different_kinds_inside_one_encoded_run_are_all_told(scanner: Scanner) -> None:
    run = base64.b64encode(b"anna.verdi@posta-aziendale.it DE10297299752882001826").decode()
    found = scanner.find_in_text(f"x {run} y").findings
    assert {finding.kind for finding in found} == {"email", "iban"}
    assert {(finding.place.start, finding.place.end) for finding in found} == {(2, 2 + len(run))}


def test_a_long_run_that_decodes_to_nothing_readable_is_unreadable(scanner: Scanner) -> None:
    noise = bytes((index * 7919 + index * index * 31 + (index >> 3) * 101) % 256 for index in range(1500))
    scan = scanner.find_in_text(base64.b64encode(noise).decode())
    assert [item.reason for item in scan.unreadable] == ["encoded"]


def test_what_is_encoded_too_often_is_unreadable(scanner: Scanner) -> None:
    text = VALUES["iban"] * 2
    for _ in range(6):
        text = base64.b64encode(text.encode()).decode()
    assert "encoded" in {item.reason for item in scanner.find_in_text(text).unreadable}


@pytest.mark.parametrize(
    "text",
    [
        "one two three four five six seven eight nine ten",
        "7 8 9 4 5 6 1 2 3 0 7 8 9 4 5 6 1 2 3 0 7 8 9",
        "12.50 13.75 14.00 15.25 16.50 17.75 18.00",
        "T h i s  i s  s p a c e d  o u t",
        "internationalisation deadbeefdeadbeefdeadbeef aGVsbG8gd29ybGQgaGVsbG8=",
        "100 % of &lt;b&gt; tags and \\n escapes in %s and %d",
    ],
)
def test_ordinary_text_that_asks_for_other_readings_holds_nothing(scanner: Scanner, text: str) -> None:
    assert scanner.find_in_text(text).findings == ()
