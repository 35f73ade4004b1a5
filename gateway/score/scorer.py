"""The lexical scorer: one prompt in, a `Score` out, in well under a millisecond and without ever raising."""

from __future__ import annotations

from gateway.core.types import BackendSpec, Needs, Request, Score
from gateway.score.ask import Ask, ask_of, last_ask
from gateway.score.counting import Count, Counting
from gateway.score.doubt import most_sure
from gateway.score.features import NAMES, read
from gateway.score.formula import formula, sureness
from gateway.score.lexicon import LANGUAGES, digest, lexicon
from gateway.score.needs import needs_of
from gateway.score.serves import SPOKEN as SPOKEN
from gateway.score.serves import serves

NAME = "lexical-1"


class LexicalScorer:
    """Implements `core.ports.Scorer` for one local model.

    What the local model cannot do at all comes before the formula: a need it cannot meet, or a language it does not
    speak, makes P(local right) nothing and the gain 0.9 or more. Whether such a request may leave is the policy's word.
    """

    def __init__(self, local: BackendSpec | None = None, *, count: Count | None = None) -> None:
        """`count` is the local engine's own, for prompts near its limit."""
        self._local = local
        self._counting = Counting(local, count)
        self._name = f"{NAME}:{digest()[:8]}"
        self._lexicon, self._formula = lexicon(), formula()

    async def score(self, request: Request) -> Score:
        needs, tokens = Needs(), 0
        try:
            needs, tokens = await self._counting.needs(request.body)
            return self._score(last_ask(request.messages), needs, tokens)
        except Exception:  # noqa: BLE001 - a request that cannot be scored stays at home: gain None permits nothing
            return Score(gain=None, needs=needs, tokens=tokens, scorer=self._name)

    def score_text(self, text: str) -> Score:
        """The score of a single message from a user."""
        body = {"messages": [{"role": "user", "content": text}]}
        needs, tokens = needs_of(body)
        return self._score(ask_of(text), needs, tokens)

    def _score(self, ask: Ask, needs: Needs, tokens: int) -> Score:
        reading = read(ask, self._lexicon)
        language, known = reading.language, reading.language_confidence
        local_fit = self._local is None or serves(self._local, needs, language, known, ask)
        if not local_fit:
            gain, sure = self._formula.gain(reading.values, local_fit=False), 0.95
        elif not ask.prose and not ask.code_chars:
            return Score(gain=None, needs=needs, tokens=tokens, scorer=self._name)
        else:
            gain = self._formula.gain(reading.values)
            sure = sureness(gain, cues=reading.cues, known_language=language is None or language in LANGUAGES)
            sure = min(sure, most_sure(ask, language))
        return Score(round(gain, 4), round(sure, 3), language, known, needs, tokens, self._name)


def score_text(text: str, local: BackendSpec | None = None) -> Score:
    """One text's score, for `score --jsonl` and for trying out; whoever scores many keeps a `LexicalScorer`."""
    return LexicalScorer(local).score_text(text)


def features_of(text: str) -> dict[str, float]:
    """The features of a text by name, for explaining a score."""
    return dict(zip(NAMES, read(ask_of(text), lexicon()).values, strict=True))
