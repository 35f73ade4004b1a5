"""presidio-analyzer as a tier: its entities under the names that policies here know."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from gateway.core.errors import ConfigurationError
from gateway.detect.adapters.options import Meaning, PresidioOptions
from gateway.detect.tier import Span
from gateway.detect.walk import Text
from gateway.detect.worker import Worker

INSTALL = "pip install 'slm-gateway[presidio]'"

_TABLE = {
    "PERSON": ("person", "person"),
    "EMAIL_ADDRESS": ("email", "contact"),
    "PHONE_NUMBER": ("phone", "contact"),
    "IP_ADDRESS": ("ip_address", "contact"),
    "MAC_ADDRESS": ("mac_address", "contact"),
    "CREDIT_CARD": ("payment_card", "financial"),
    "CRYPTO": ("bitcoin_address", "financial"),
    "IBAN_CODE": ("iban", "financial"),
    "US_BANK_NUMBER": ("bank_account", "financial"),
    "MEDICAL_LICENSE": ("medical_licence", "identifier"),
    "NRP": ("special_fact", "special"),
    "US_SSN": ("us_ssn", "identifier"),
    "US_ITIN": ("us_itin", "identifier"),
    "US_PASSPORT": ("passport", "identifier"),
    "US_DRIVER_LICENSE": ("driving_licence", "identifier"),
    "US_NPI": ("us_npi", "identifier"),
    "US_MBI": ("us_medicare", "identifier"),
    "UK_NHS": ("uk_nhs_number", "identifier"),
    "UK_NINO": ("uk_nino", "identifier"),
    "UK_PASSPORT": ("passport", "identifier"),
    "ES_NIF": ("es_dni", "identifier"),
    "ES_NIE": ("es_nie", "identifier"),
    "ES_PASSPORT": ("passport", "identifier"),
    "IT_FISCAL_CODE": ("it_fiscal_code", "identifier"),
    "IT_VAT_CODE": ("it_vat", "identifier"),
    "IT_DRIVER_LICENSE": ("driving_licence", "identifier"),
    "IT_PASSPORT": ("passport", "identifier"),
    "IT_IDENTITY_CARD": ("it_id_card", "identifier"),
    "DE_TAX_ID": ("de_tax_id", "identifier"),
    "DE_TAX_NUMBER": ("de_tax_number", "identifier"),
    "DE_PASSPORT": ("passport", "identifier"),
    "DE_ID_CARD": ("de_id_card", "identifier"),
    "DE_SOCIAL_SECURITY": ("de_social_security", "identifier"),
    "DE_HEALTH_INSURANCE": ("de_health_insurance", "identifier"),
    "PL_PESEL": ("pl_citizen", "identifier"),
}
"""Places, dates and web addresses are left out: most texts hold some, and they are private beside a person alone."""


class Result(Protocol):
    """What the library says of one entity."""

    entity_type: str
    start: int
    end: int
    score: float


class Analyzer(Protocol):
    """What is used of `presidio_analyzer.AnalyzerEngine`."""

    def analyze(
        self, text: str, language: str, entities: list[str] | None = None, score_threshold: float | None = None
    ) -> Sequence[Result]: ...

    def get_supported_entities(self, language: str | None = None) -> list[str]: ...


class PresidioFinder:
    """Every text, in every language configured, in one thread."""

    name = "presidio"

    def __init__(self, analyzer: Analyzer, options: PresidioOptions, version: str = "") -> None:
        self._analyzer = analyzer
        self._threshold = options.threshold
        meanings = _meanings(options.entities)
        self._table: dict[str, dict[str, tuple[str, str]]] = {}
        """Language → entity → (kind, category): what is asked for is what can be told."""
        for language in options.languages:
            known = set(analyzer.get_supported_entities(language))
            self._table[language] = {entity: meanings[entity] for entity in sorted(meanings.keys() & known)}
        told = [version, sorted(options.languages.items()), self._threshold, self._table]
        self._pack = hashlib.sha256(json.dumps(told).encode()).hexdigest()
        self._worker = Worker(self.name)

    @classmethod
    def load(cls, options: PresidioOptions) -> PresidioFinder:
        """Raises ConfigurationError where the library or a model of spaCy is missing: nothing is fetched here."""
        analyzer, version = _engine(options.languages)
        return cls(analyzer, options, version)

    @property
    def pack(self) -> str:
        return self._pack

    @property
    def words(self) -> frozenset[tuple[str, str]]:
        return frozenset(word for table in self._table.values() for word in table.values())

    def pick(self, texts: Sequence[Text]) -> Sequence[Text]:
        return texts

    async def find(self, texts: Sequence[str]) -> Sequence[Sequence[Span]]:
        # one call for each text: a request that gives up leaves the thread after the text it is at
        return [await self._worker.run(partial(self._spans, text)) for text in texts]

    async def aclose(self) -> None:
        self._worker.close()

    def _spans(self, text: str) -> list[Span]:
        spans: list[Span] = []
        for language, table in self._table.items():
            if not table:
                continue
            for result in self._analyzer.analyze(text, language, entities=list(table), score_threshold=self._threshold):
                kind, category = table[result.entity_type]
                spans.append(Span(result.start, result.end, kind, category, min(1.0, float(result.score))))
        return list(dict.fromkeys(spans))


def _meanings(changes: Mapping[str, Meaning | None]) -> dict[str, tuple[str, str]]:
    meanings = dict(_TABLE)
    for entity, meaning in changes.items():
        meanings.pop(entity, None)
        if meaning is not None:
            meanings[entity] = (meaning.kind, meaning.category)
    return meanings


def _engine(languages: Mapping[str, str]) -> tuple[Any, str]:
    try:
        import presidio_analyzer
        import spacy.util
        from presidio_analyzer.nlp_engine import NlpEngineProvider
    except ImportError:
        raise ConfigurationError(f"detect.presidio needs presidio-analyzer: {INSTALL}") from None
    for model in languages.values():
        if not spacy.util.is_package(model):  # the library would try to download it
            raise ConfigurationError(
                f"detect.presidio: the spaCy model {model!r} is not installed: python -m spacy download {model}"
            )
    _stay_offline()
    models = [{"lang_code": language, "model_name": model} for language, model in languages.items()]
    engine = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models}).create_engine()
    analyzer = presidio_analyzer.AnalyzerEngine(nlp_engine=engine, supported_languages=list(languages))
    version = f"{presidio_analyzer.__name__} {_version('presidio-analyzer')}"
    return analyzer, version


def _stay_offline() -> None:
    """Its check of mail addresses fetches the list of public suffixes unless it is told to use its own copy."""
    import tldextract
    import tldextract.tldextract as suffixes

    suffixes.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


def _version(distribution: str) -> str:
    from importlib.metadata import version

    return version(distribution)
