"""argus-redact in its fast mode with its European packs (it has none for Italian, Spanish and French)."""

from __future__ import annotations

from bench.peers.child_loop import Look, answer


def load() -> Look:
    from argus_redact import redact

    def look(text: str) -> list[tuple[int, int, str, float]]:
        _, _, details = redact(text, lang=["en", "de", "uk"], mode="fast", detailed=True)
        return [(found["start"], found["end"], found["type"], found["confidence"]) for found in details["entities"]]

    return look


if __name__ == "__main__":
    answer(load)
