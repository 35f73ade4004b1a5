"""The scorer: one prompt in, a `Score` out, in well under a millisecond and without ever raising.

Gates first, then the formula's two chances, tilted by the ensemble, by the encoder where that could matter, and
corrected by a calibration. Whatever piece fails, what came before it is the score, and less sure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.core.types import BackendSpec, Json, Needs, Request, Score
from gateway.score.ask import Ask, ask_of, last_ask
from gateway.score.calibration import Calibration
from gateway.score.counting import Count, Counting
from gateway.score.doubt import most_sure
from gateway.score.easy import SHARES, easy_intent
from gateway.score.encoder import Encoder
from gateway.score.family import family_of
from gateway.score.features import Reading, read
from gateway.score.formula import CEILING, GREY, formula, sureness
from gateway.score.lexicon import LANGUAGES, digest, lexicon
from gateway.score.needs import needs_of
from gateway.score.serves import SPOKEN, serves

if TYPE_CHECKING:
    from gateway.score.ensemble import Ensemble, Impression

NAME = "ensemble-1"
MOST_SURE_ALONE = 0.6
"""Confidence at most, when the ensemble cannot be asked and cue words are all there is."""


@dataclass(frozen=True, slots=True)
class Task:
    """An ask as it was read, and what it needs."""

    ask: Ask
    reading: Reading
    needs: Needs
    tokens: int
    family: str

    @property
    def language(self) -> str | None:
        """Where it is sure enough to count."""
        return self.reading.language if self.reading.language_confidence >= SPOKEN else None


class EnsembleScorer:
    """Implements `core.ports.Scorer` for one local model.

    What the local model cannot do at all comes before everything: a need it cannot meet, or a language it does not
    speak, makes P(local right) nothing and the gain 0.9 or more. Whether such a request may leave is the policy's word.
    """

    def __init__(
        self,
        local: BackendSpec | None = None,
        *,
        count: Count | None = None,
        calibration: Calibration | None = None,
        encoder: Encoder | None = None,
        grey: tuple[float, float] = GREY,
        ensemble: Callable[[bool], Ensemble] | None = None,
    ) -> None:
        """`count` is the local engine's own, for prompts near its limit. `encoder` is asked once it is `ready`, and
        never beside a calibration: that was fitted to what the fast heads say. `ensemble` reads another one than the
        shipped, with the heads that need an encoder or without."""
        self._local, self._calibration, self._grey = local, calibration, grey
        self._encoder = encoder if calibration is None else None
        self._counting = Counting(local, count)
        self._name = f"{NAME}:{digest()[:8]}" + (f"+{calibration.digest}" if calibration else "")
        self._lexicon, self._formula = lexicon(), formula()
        self._reads = ensemble
        self._ensemble: Ensemble | None = None
        self.problem: str | None = None
        """Why the ensemble cannot be asked; None = it can, or nobody has tried."""

    async def warm(self) -> None:
        """Load the weights beside the first requests, and the encoder once a score lies in the grey band. Never raises.

        Runs as long as the gateway: an encoder that no request needs takes no memory.
        """
        from anyio.to_thread import run_sync

        await run_sync(self._load, abandon_on_cancel=True)
        if self._encoder is not None:
            await self._encoder.load_when_wanted()

    async def score(self, request: Request) -> Score:
        needs, tokens = Needs(), 0
        try:
            needs, tokens = await self._counting.needs(request.body)
            task = self._read(last_ask(request.messages), needs, tokens)
            score, seen = self._fast(task)
            return score if seen is None or not self._grey_zone(score) else await self._slow(task, score, seen)
        except Exception:  # noqa: BLE001 - a request that cannot be scored stays at home: gain None permits nothing
            return Score(gain=None, needs=needs, tokens=tokens, scorer=self._name)

    def score_text(self, text: str) -> Score:
        """The score of a single message from a user, without the encoder."""
        body = {"messages": [{"role": "user", "content": text}]}
        return self._fast(self._read(ask_of(text), *needs_of(body)))[0]

    def explain(self, request: Request) -> dict[str, Json]:
        """What the ensemble said of the request, without the encoder; no text."""
        ask = last_ask(request.messages)
        seen = self._impression(ask, read(ask, self._lexicon))
        told: dict[str, Json] = {"problem": self.problem} if seen is None else {"z": round(seen.z, 3)}
        if seen is not None:
            told["heads"] = {name: round(each, 3) for name, each in seen.heads.items()}
        told["encoder"] = "off" if self._encoder is None else "ready" if self._encoder.ready else "not ready"
        told["calibration"] = None if self._calibration is None else self._calibration.digest
        return {"ensemble": told}

    def _read(self, ask: Ask, needs: Needs, tokens: int) -> Task:
        reading = read(ask, self._lexicon)
        return Task(ask, reading, needs, tokens, family_of(reading, ask, needs))

    def _fast(self, task: Task) -> tuple[Score, Impression | None]:
        """The score without the encoder, and what the ensemble saw where that counted."""
        ask, reading = task.ask, task.reading
        if not self._serves(task):
            remote = min(self._formula.remote.chance(reading.values), CEILING)
            gain = self._formula.gain(reading.values, local_fit=False)
            return self._told(task, gain, 0.95, 0.0, remote), None
        if not ask.prose and not ask.code_chars:
            return Score(gain=None, needs=task.needs, tokens=task.tokens, scorer=self._name), None
        seen = self._impression(ask, reading)
        return self._weighed(task, seen), seen

    async def _slow(self, task: Task, score: Score, seen: Impression) -> Score:
        """The score with the encoder; the fast one where that fails."""
        if self._encoder is None or self._ensemble is None or not await self._encoder.ready_now():
            return score
        try:
            return self._weighed(task, self._ensemble.slow(seen, await self._encoder.read(task.ask.prose)))
        except Exception:  # noqa: BLE001 - whatever the encoder's package raises
            return score

    def _grey_zone(self, score: Score) -> bool:
        """Whether there is an encoder that might change the side."""
        low, high = self._grey
        return self._encoder is not None and score.gain is not None and low <= score.gain <= high

    def _serves(self, task: Task) -> bool:
        if self._local is None:
            return True
        reading = task.reading
        return serves(self._local, task.needs, reading.language, reading.language_confidence, task.ask)

    def _weighed(self, task: Task, seen: Impression | None) -> Score:
        """The formula's chances as the ensemble and the calibration see them."""
        reading = task.reading
        local = self._formula.local.chance(reading.values)
        remote = min(self._formula.remote.chance(reading.values), CEILING)
        if seen is not None:
            local, remote = self._moved(task, seen, local, remote)
        if self._calibration is None and (intent := easy_intent(reading, task.ask)) is not None:
            local = max(local, SHARES[intent])
        gain = (remote - local + 1) / 2
        known = reading.language is None or reading.language in LANGUAGES
        sure = min(sureness(gain, cues=reading.cues, known_language=known), most_sure(task.ask, reading.language))
        return self._told(task, gain, sure if seen is not None else min(sure, MOST_SURE_ALONE), local, remote)

    def _moved(self, task: Task, seen: Impression, local: float, remote: float) -> tuple[float, float]:
        from gateway.score.ensemble import features, tilted

        local, remote = tilted(local, remote, seen.z)
        if self._calibration is None:
            return local, remote
        return self._calibration.apply(
            features(task.reading, seen), local, remote, language=task.language, family=task.family
        )

    def _told(self, task: Task, gain: float, sure: float, local: float, remote: float) -> Score:
        cell = None if self._calibration is None else self._calibration.cell(task.family, task.language)
        return Score(
            gain=round(gain, 4),
            confidence=round(sure, 3),
            language=task.reading.language,
            language_confidence=task.reading.language_confidence,
            needs=task.needs,
            tokens=task.tokens,
            scorer=self._name,
            local=round(local, 4),
            remote=round(remote, 4),
            family=task.family,
            competence=None if cell is None else cell.share,
        )

    def _impression(self, ask: Ask, reading: Reading) -> Impression | None:
        """None where the ensemble cannot be asked, or has no number to say."""
        self._load()
        if self._ensemble is None:
            return None
        try:
            return self._ensemble.fast(ask, reading)
        except Exception:  # noqa: BLE001 - the formula still stands
            return None

    def _load(self) -> None:
        if self._ensemble is not None or self.problem is not None:
            return
        try:
            if self._reads is None:
                from gateway.score.ensemble import ensemble

                self._reads = ensemble
            self._ensemble = self._reads(self._encoder is not None)
        except Exception as error:  # noqa: BLE001 - damaged weights, no numpy: the formula goes on without them
            self.problem = f"{type(error).__name__}: {error}"
