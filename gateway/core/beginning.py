"""A local answer that has begun and that nobody has seen yet: whether one is worth it, and what its beginning shows."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace

from gateway.core.confidence import Confidence, Folding
from gateway.core.parts import Asked
from gateway.core.ports import Cascade, Traffic
from gateway.core.types import Assessment, Decision, Json, Pieces, Request, Score, Zone

AUTO = "auto"
"""The model's name of a client that leaves the choice to the gateway."""


def home(cascade: Cascade, traffic: Traffic | None, asked: Asked) -> Decision | None:
    """The local decision under which an answer may begin; None where a draft is not worth it or could change nothing.

    1. the client leaves the choice to the gateway, and asks for one plain text
    2. the score is near the border
    3. the policy would let the request out were it harder, and were it easier the local model would answer it as it is

    The two decisions are questions: neither is acted upon. What leaves is decided on the gain that the draft gives.
    """
    request, assessment, policy = asked.request, asked.assessment, asked.policy
    if request.model != AUTO or request.local_only or asked.decision.refusal or not _plain(request, assessment):
        return None
    try:
        if not cascade.drafts(assessment):
            return None
    except Exception:  # noqa: BLE001 - as with a scorer that fails: what was decided without a draft stands
        return None
    if policy.decide(request, _at(1.0, traffic, asked)).zone is Zone.LOCAL:
        return None
    here = policy.decide(request, _at(0.0, traffic, asked))
    return here if here.zone is Zone.LOCAL and here.refusal is None and here.notice is None else None


def drafted(cascade: Cascade, traffic: Traffic | None, asked: Asked, beginning: Beginning) -> Assessment | None:
    """What is known now that the draft has begun; None where it shows nothing: what was decided without it stands.

    That an engine failed, or was slow, is no reason to leave: it is judged by what it had said until then.
    """
    if not beginning.tokens:
        return None
    try:
        gain = cascade.gain(asked.assessment, beginning.sureness, beginning.text, beginning.finished)
    except Exception:  # noqa: BLE001 - as above
        return None
    if gain is None or not 0.0 <= gain <= 1.0:
        return None
    return replace(_at(gain, traffic, asked), drafted=True)


def facts(beginning: Beginning, ms: float, error: Exception | None) -> dict[str, Json]:
    """What the draft showed, for the record of the decision that was made on it. Numbers, no text."""
    sureness = beginning.sureness
    return {
        "tokens": beginning.tokens,
        "ms": round(ms, 2),
        "finished": beginning.finished,
        "error": None if error is None else type(error).__name__,
        "confidence": None if sureness is None else asdict(sureness),
    }


def _plain(request: Request, assessment: Assessment) -> bool:
    """Whether the first tokens say how sure the model is.

    Under a grammar (tools, response formats) they say what the grammar leaves, and of several choices begun at once
    all but one would be thrown away even where the request stays.
    """
    needs = assessment.needs
    return not needs.tools and not needs.schema and request.body.get("n") in (None, 1)


def _at(gain: float, traffic: Traffic | None, asked: Asked) -> Assessment:
    """The same facts with another gain, and where that would put the request among what its tenant asked lately.

    What went out meanwhile counts: many that begin here at once must not all find room under one cap. Who was going
    out when it came has its room.
    """
    known = replace(asked.assessment, gain=gain)
    if traffic is None or (known.rank is None and known.share is None):
        return known
    score = Score(gain, known.gain_confidence, local=known.local, remote=known.remote, family=known.family)
    try:
        standing = traffic.look(asked.request, score)
    except Exception:  # noqa: BLE001 - nobody knows where it stands now, and no target holds
        return replace(known, rank=None, quality=None, share=None)
    share = known.share if asked.decision.zone is Zone.REMOTE else standing.share
    return replace(known, rank=standing.rank, quality=standing.quality, share=share)


@dataclass(slots=True)
class Beginning:
    """The first tokens of an answer, as far as they came. Calibration reads the answers it measures through it too."""

    most_tokens: int
    tokens: int = 0
    finished: bool = False
    """The model has said all it wanted, or reached its limit."""
    _text: list[str] = field(default_factory=list, repr=False)
    _figures: Folding = field(default_factory=Folding, repr=False)

    @property
    def enough(self) -> bool:
        return self.finished or self.tokens >= self.most_tokens

    @property
    def text(self) -> str:
        return "".join(self._text)

    @property
    def sureness(self) -> Confidence | None:
        return self._figures.result()

    def add(self, pieces: Pieces) -> None:
        """What comes beyond `most_tokens` in one read is not looked at, so that a slow reader sees no more."""
        for chunk in pieces:
            if self.enough:
                return
            if chunk.confidence:
                self._figures.add(chunk.confidence[: self.most_tokens - self.tokens])
                self.tokens += len(chunk.confidence)
            elif chunk.delta:
                self.tokens += 1
            self._text.extend(text for name in ("content", "refusal") if (text := chunk.delta.get(name)))
            self.finished = chunk.finish is not None
