"""The facts one decision looks at, read once from a request and its assessment.

A fact that is missing or uncertain is None here. A permit takes None for no, a forbid takes it for yes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo

from gateway.core.types import Assessment, BackendSpec, Finding, Needs, Request, Sensitivity, Zone
from gateway.policy.levels import Grade, Levels, grade

CERTAIN_LANGUAGE = 0.5
"""Below this confidence a guessed language is no fact."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The backends a policy was compiled against, by zone, in the operator's order."""

    backends: tuple[BackendSpec, ...]
    by_zone: dict[Zone, tuple[BackendSpec, ...]] = field(init=False)
    by_name: dict[str, BackendSpec] = field(init=False)

    def __post_init__(self) -> None:
        zones = {zone: tuple(spec for spec in self.backends if spec.zone is zone) for zone in Zone}
        object.__setattr__(self, "by_zone", zones)
        object.__setattr__(self, "by_name", {spec.name: spec for spec in self.backends})

    @property
    def local(self) -> tuple[BackendSpec, ...]:
        return self.by_zone[Zone.LOCAL]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a condition may ask about. Holds no request text."""

    request: Request
    assessment: Assessment
    catalogue: Catalogue
    findings: tuple[Finding, ...]
    """Those that count: documentation examples the policy lets pass are left out."""
    grade: Grade
    earned: str | None
    """Why the level is PUBLIC, where it is."""
    gain: float | None
    rank: float | None
    quality: float | None
    share: float | None
    competence: float | None
    below: bool | None
    """The local model answers less of its kind well than the policy's floor asks for; None = that was not measured."""
    language: str | None
    named: BackendSpec | None
    """The backend the client itself asked for, if it named one."""
    beyond_local: bool | None
    """The local model cannot serve the request well, does not speak its language, or lies below the policy's floor.

    None when that is not known.
    """

    @property
    def level(self) -> Sensitivity:
        return self.grade.level

    @property
    def unread(self) -> bool:
        """A part could not be read, so that nobody knows what else is in it."""
        return bool(self.assessment.unreadable)

    @property
    def tokens(self) -> int | None:
        return self.assessment.tokens if self.assessment.tokens > 0 else None

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset([finding.kind for finding in self.findings])

    @property
    def categories(self) -> frozenset[str]:
        return frozenset([finding.category for finding in self.findings])

    def at(self, zone: tzinfo) -> datetime | None:
        """When the request came in, on the clock of `zone`."""
        if not self.request.received_at > 0:
            return None
        try:
            return datetime.fromtimestamp(self.request.received_at, UTC).astimezone(zone)
        except (OverflowError, OSError, ValueError):
            return None


def facts_from(
    request: Request, assessment: Assessment, levels: Levels, catalogue: Catalogue, floor: float | None = None
) -> Facts:
    """`floor`: the least share of its kind that the local model should answer well."""
    findings = levels.counting(assessment.findings)
    earned = levels.earned(key=request.principal.public, generic=assessment.generic)
    graded = grade(
        levels,
        findings,
        assessment.unreadable,
        public=earned is not None,
        at_least=request.at_least,
    )
    competence = _share(assessment.competence)
    below = False if floor is None else None if competence is None else competence < floor
    certain = assessment.language_confidence >= CERTAIN_LANGUAGE
    language = assessment.language if certain and assessment.language else None
    return Facts(
        request=request,
        assessment=assessment,
        catalogue=catalogue,
        findings=findings,
        grade=graded,
        earned=earned if graded.level is Sensitivity.PUBLIC else None,
        gain=_share(assessment.gain),
        rank=_share(assessment.rank),
        quality=_above_nothing(assessment.quality),
        share=_share(assessment.share),
        competence=competence,
        below=below,
        language=language,
        named=catalogue.by_name.get(request.model),
        beyond_local=_beyond_local(catalogue.local, assessment.needs, language, below),
    )


def _beyond_local(
    local: tuple[BackendSpec, ...], needs: Needs, language: str | None, below: bool | None
) -> bool | None:
    """It looks at `needs` alone and not at unreadable parts: one more unreadable part must not open a way out."""
    able = [spec for spec in local if not spec.lacks(needs)]
    if not able or below:
        return True
    if language is not None and not any(spec.speaks(language) for spec in able):
        return True
    unsure = language is None and all(spec.languages for spec in able)
    return None if unsure or below is None else False


def whole_needs(assessment: Assessment) -> Needs:
    """What a backend must be able to do, counting the parts that only the detectors noticed."""
    needs = assessment.needs
    if not assessment.unreadable:
        return needs
    reasons = {part.reason for part in assessment.unreadable}
    return replace(
        needs,
        image=needs.image or "image" in reasons,
        audio=needs.audio or "audio" in reasons,
        file=needs.file or "file" in reasons,
    )


def _share(value: float | None) -> float | None:
    """A number from 0 to 1. Anything else, NaN and infinity included, is no fact."""
    return value if value is not None and 0.0 <= value <= 1.0 else None


def _above_nothing(value: float | None) -> float | None:
    """A number from 0 on: the local model may be the better one. Infinity is no fact."""
    return value if value is not None and 0.0 <= value < math.inf else None
