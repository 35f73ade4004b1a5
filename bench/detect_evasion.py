"""Ways to write a value so that people still read it and patterns do not: what share of them is still found."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence

from bench.detect_found import Found, Share, Shares, covered
from bench.detect_rows import LANGUAGES, STRUCTURED, Row, Span

_DIGIT_WORDS: Mapping[str, tuple[str, ...]] = {
    "it": ("zero", "uno", "due", "tre", "quattro", "cinque", "sei", "sette", "otto", "nove"),
    "es": ("cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"),
    "de": ("null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"),
    "fr": ("zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf"),
    "en": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
}
_LOOK_ALIKES = str.maketrans("aceopxyABCEHKMOPTXi", "асеорхуАВСЕНКМОРТХі")
_WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_MATHS = {ord("0") + n: 0x1D7CE + n for n in range(10)}
_ARABIC = {ord("0") + n: 0x0660 + n for n in range(10)}


def _between(text: str, sign: str, every: int) -> str:
    return sign.join(text[at : at + every] for at in range(0, len(text), every))


def _bare(text: str) -> str:
    """Without the separators that people write anyhow."""
    return "".join(sign for sign in text if sign not in " -./")


def _words(text: str, lang: str) -> str:
    said = _DIGIT_WORDS[lang]
    return " ".join(said[int(sign)] if sign in "0123456789" else sign for sign in _bare(text))


TRANSFORMS: Mapping[str, Callable[[str, str], str]] = {
    "zero-width spaces": lambda text, _: _between(text, "\u200b", 2),
    "soft hyphens": lambda text, _: _between(text, "\u00ad", 3),
    "look-alike letters": lambda text, _: text.translate(_LOOK_ALIKES),
    "full-width": lambda text, _: text.translate(_WIDE),
    "mathematical digits": lambda text, _: text.translate(_MATHS),
    "Arabic-Indic digits": lambda text, _: text.translate(_ARABIC),
    "no-break spaces": lambda text, _: _between(_bare(text), "\u00a0", 4),
    "every character spaced": lambda text, _: " ".join(text.replace(" ", "")),
    "dashes every 4": lambda text, _: _between(_bare(text), "-", 4),
    "dots every 3": lambda text, _: _between(_bare(text), ".", 3),
    "a line end inside": lambda text, _: text[: len(text) // 2] + "\n" + text[len(text) // 2 :],
    "base64": lambda text, _: base64.b64encode(text.encode()).decode(),
    "hexadecimal": lambda text, _: text.encode().hex(),
    "percent signs": lambda text, _: "".join(f"%{byte:02X}" for byte in text.encode()),
    "HTML entities": lambda text, _: "".join(f"&#{ord(sign)};" for sign in text),
    "\\u escapes": lambda text, _: "".join(f"\\u{ord(sign):04x}" for sign in text),
    "digits as words": _words,
}

OF_NUMBERS = frozenset({"no-break spaces", "dashes every 4", "dots every 3", "digits as words"})
"""Ways to write a number. An address of mail written so is another address, or none."""


def disguised(row: Row, span: Span, transform: Callable[[str, str], str]) -> Row:
    """The row with this one value written another way; the row's only span is where it stands now."""
    text = row.text
    value = transform(text[span.start : span.end], row.lang)
    changed = text[: span.start] + value + text[span.end :]
    return row.with_text(changed, [Span(span.start, span.start + len(value), span.label)])


def targets(rows: Sequence[Row], most: int) -> list[tuple[Row, Span]]:
    """Values with a structure, in rows of one message and a language whose digits have words here."""
    found = [
        (row, span)
        for row in rows
        if row.lang in LANGUAGES and len(row.messages) == 1
        for span in row.spans
        if span.label in STRUCTURED
    ]
    step = max(1, len(found) // most)
    return found[::step][:most]


def matrix(
    plain: Sequence[tuple[Row, Span]], look: Callable[[Sequence[Row]], Sequence[Found]]
) -> dict[str, dict[str, object]]:
    """Per way of writing: values found, and the share kept of those found plainly."""
    bare = look([row.with_text(row.text, [span]) for row, span in plain])
    seen = [covered(span, said.values) >= 0.5 for (_, span), said in zip(plain, bare, strict=True)]
    rows: dict[str, dict[str, object]] = {"plain": {"found": Share(sum(seen), len(seen)).as_json()}}
    for name, transform in TRANSFORMS.items():
        fits = [name not in OF_NUMBERS or span.label != "EMAIL" for _, span in plain]
        changed = [disguised(row, span, transform) for (row, span), fit in zip(plain, fits, strict=True) if fit]
        before = [was for was, fit in zip(seen, fits, strict=True) if fit]
        found, kept, by_label = Share(), Share(), Shares()
        for row, said, was in zip(changed, look(changed), before, strict=True):
            hit = covered(row.spans[0], said.values) >= 0.5
            found.add(hit)
            if was:
                kept.add(hit)
                by_label.add(row.spans[0].label, hit)
        rows[name] = {"found": found.as_json(), "kept": kept.as_json(), "by_label": by_label.as_json()}
    return rows
