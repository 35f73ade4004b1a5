"""What would become of a sample: the worst for a private one, whoever asks how; the usual for a clean one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from gateway.assess.report import Verdict, Way
from gateway.assess.samples import Sample
from gateway.core.assess import assess
from gateway.core.masking import is_value
from gateway.core.ports import Detector, Policy, Scorer
from gateway.core.types import Assessment, Decision, Needs, Request, Zone

_GAINS = (0.0, 0.5, 1.0, None)
"""The scorer is no guard: the same private text can be asked about in an easier and in a harder way."""


class Judge:
    def __init__(self, policy: Policy, detector: Detector, scorer: Scorer, remotes: Iterable[str], now: float) -> None:
        """`remotes` are the names of the backends that a client may ask for; `now` is when it asks."""
        self._policy = policy
        self._detector = detector
        self._scorer = scorer
        self._models = ("auto", *remotes)
        self._now = now

    async def verdict(self, sample: Sample) -> Verdict:
        request = Request("assess", sample.caller, "auto", {"model": "auto", **sample.body}, received_at=self._now)
        assessment = await assess(self._detector, self._scorer, request, {})
        hard = False
        if sample.private:
            way = self._furthest(request, assessment)
        else:
            way = _way(self._policy.decide(request, assessment), assessment)
            nothing = replace(assessment, findings=(), unreadable=(), generic=True)
            hard = _way(self._policy.decide(request, nothing), nothing) != "stays"
        return Verdict(
            line=sample.line,
            private=sample.private,
            way=way,
            hard=hard,
            category=sample.category,
            lang=sample.lang,
            late=any(part.reason == "deadline" for part in assessment.unreadable),
        )

    def _furthest(self, request: Request, assessment: Assessment) -> Way:
        ways: set[Way] = {_way(self._policy.decide(*asked), assessment) for asked in self._asked(request, assessment)}
        return "leaves" if "leaves" in ways else "changed" if "changed" in ways else "stays"

    def _asked(self, request: Request, assessment: Assessment) -> Iterator[tuple[Request, Assessment]]:
        """Every way of asking that changes nothing about what is private: harder, by name, with tools."""
        for model in self._models:
            named = replace(request, model=model)
            for gain in (assessment.gain, *_GAINS):
                for needs in (assessment.needs, Needs(tools=True)):
                    confidence = assessment.gain_confidence if gain == assessment.gain else 1.0
                    yield named, replace(assessment, gain=gain, gain_confidence=confidence, needs=needs)


def _way(decision: Decision, assessment: Assessment) -> Way:
    """Out means a remote backend: a house's own servers are the house's own business."""
    out = [way for way in decision.allowed if way.zone is Zone.REMOTE]
    if not out:
        return "stays"
    # A transform replaces what was found. Where nothing was found it changes nothing.
    replaceable = any(map(is_value, assessment.findings))
    return "changed" if replaceable and all(way.transform for way in out) else "leaves"
