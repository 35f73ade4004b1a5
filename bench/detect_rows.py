"""The labelled texts that detectors are measured on: the project's own, and a folder of open sets that stays outside.

Nothing of those sets is committed; `docs/privacy.md` says where each comes from and under which licence. A row is one
request. Detectors other than the gateway's get it as one text, the messages with an empty line between.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from gateway.detect.tagger import corpus
from tests.support import native

GAP = "\n\n"
LAST_UNTAUGHT = 2
"""Tenths of the sets that taught the tagger which did not: two to judge it and one to tune it (see its `train.py`)."""
LANGUAGES = ("it", "es", "de", "fr", "en")

HARD_LABELS: Mapping[str, str] = {
    label: wide
    for wide, labels in {
        "name": "PERSON PERSON_NAME NOMBRE_SUJETO_ASISTENCIA NOMBRE_PERSONAL_SANITARIO",
        "address": "ADDRESS STREET_ADDRESS CALLE",
        "birth date": "DOB DATE_OF_BIRTH",
        "contact": "PHONE PHONE_NUMBER NUMERO_TELEFONO NUMERO_FAX EMAIL EMAIL_ADDRESS CORREO_ELECTRONICO",
        "network address": "IP_ADDRESS MAC_ADDRESS",
        "bank and card": "IBAN IBAN_CODE CARD CREDIT_CARD CREDIT_CARD_NUMBER ACCOUNT BANK_ACCOUNT_NUMBER",
        "official number": "NATIONAL_ID TAX_ID HEALTH_ID US_SSN SOCIAL_SECURITY_NUMBER NATIONAL_ID_NUMBER"
        " PASSPORT_NUMBER DRIVER_LICENSE_NUMBER ID_SUJETO_ASISTENCIA ID_ASEGURAMIENTO HEALTH_INSURANCE_ID",
        "file number": "MEDICAL_RECORD_NUMBER ID_CONTACTO_ASISTENCIAL ID_TITULACION_PERSONAL_SANITARIO NPI_NUMBER"
        " INSURANCE_POLICY_NUMBER EMPLOYEE_ID BAR_NUMBER DEA_NUMBER",
        "secret": "SECRET API_KEY PASSWORD",
        "plate": "PLATE LICENSE_PLATE",
        "judged private": "PII_UNIT",
    }.items()
    for label in labels.split()
}
"""What a span's label means here. Labels that are not listed (places, organisations, dates, ages, jobs, drugs) are no
private values by themselves and are left out, as in every figure of these sets that we know."""

CHECKED = frozenset({"IBAN", "IBAN_CODE", "CARD", "CREDIT_CARD", "NATIONAL_ID"})
"""Labels whose values carry a checksum in the sets of our own."""
STRUCTURED = frozenset({"IBAN", "CARD", "NATIONAL_ID", "TAX_ID", "EMAIL", "PHONE"})
"""Labels that the evasion matrix disguises."""


class Span(NamedTuple):
    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    set: str
    source: str
    lang: str
    category: str
    messages: tuple[Mapping[str, str], ...] = field(repr=False)
    sensitive: bool | None
    kept: bool | None
    """Whether somebody careful would keep it under the default policy; None = nobody said."""
    spans: tuple[Span, ...] = ()
    """In code points of `text`."""
    taught: bool = False
    """The tagger's weights were made with this row among others."""

    @property
    def text(self) -> str:
        return GAP.join(message["content"] for message in self.messages)

    @property
    def starts(self) -> list[int]:
        """Where each message begins in `text`."""
        starts, at = [], 0
        for message in self.messages:
            starts.append(at)
            at += len(message["content"]) + len(GAP)
        return starts

    def with_text(self, text: str, spans: Sequence[Span]) -> Row:
        message = {"role": "user", "content": text}
        return Row(
            self.id, self.set, self.source, self.lang, self.category, (message,), self.sensitive, self.kept, (*spans,)
        )


def native_rows() -> list[Row]:
    """The project's own rows; see tests/data/native/README.md."""
    return [_own(row) for row in native.load()]


def _own(row: native.Row) -> Row:
    made = Row(row.id, "native", "native", row.lang, row.area, row.messages, row.sensitive, row.kept)
    starts = made.starts
    spans = tuple(Span(starts[s.message] + s.start, starts[s.message] + s.end, s.label) for s in row.spans)
    return Row(made.id, "native", "native", row.lang, row.area, row.messages, row.sensitive, row.kept, spans)


REQUESTS = (
    "synth_ml", "pupa", "presidio_synth_v2", "e3c", "gitleaks_tests", "leaky_repo", "clean_prompts", "vllmsr",
)  # fmt: skip
LONG_FORMS = ("piianon_clinical", "piianon_legal", "piianon_technology", "piianon_adversarial", "meddocan")
"""Sets in which every row holds a dozen values: only spans tell detectors apart there."""


def outside_rows(folder: Path, *, taught: bool = False) -> dict[str, list[Row]]:
    """The sets in `folder` by name, those that are there. Rows that taught the tagger are left out unless asked for."""
    found: dict[str, list[Row]] = {}
    for name in (*REQUESTS, *LONG_FORMS):
        read = _vllmsr(folder) if name == "vllmsr" else _read(folder / f"{name}.jsonl", name)
        rows = [row for row in read if taught or not row.taught]
        if rows:
            found[name] = rows
    return found


def _read(path: Path, name: str) -> Iterator[Row]:
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            yield _row(row, name)


def _row(row: Mapping[str, Any], name: str) -> Row:
    return Row(
        id=row["id"],
        set=name,
        source=row["source"],
        lang=row["lang"],
        category=row.get("cat") or "",
        messages=({"role": "user", "content": row["text"]},),
        sensitive=row["sensitive"],
        kept=None,
        spans=tuple(Span(*span) for span in row.get("spans", ())),
        taught=name in corpus.TRAINED and row["source"] != "llmzoo" and corpus.share(corpus.group(row)) > LAST_UNTAUGHT,
    )


def _vllmsr(folder: Path) -> Iterator[Row]:
    path = folder / "vllmsr_pii_cases_25.json"
    if not path.is_file():
        return
    for number, case in enumerate(json.loads(path.read_text(encoding="utf-8"))):
        message = {"role": "user", "content": case["question"]}
        yield Row(f"vllmsr-{number}", "vllmsr", "vllmsr", "en", case["pii_type"], (message,), True, None)


def sample(rows: Sequence[Row], most: int) -> list[Row]:
    """So many rows, the same ones every time and spread over the set."""
    if len(rows) <= most:
        return list(rows)
    return sorted(rows, key=lambda row: hashlib.sha256(row.id.encode()).digest())[:most]


def is_maths(row: Row) -> bool:
    """A problem in words, about people whom somebody invented for it."""
    return row.source in {"gsm8k", "mgsm"}
