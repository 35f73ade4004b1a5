"""Deciding: a pure function from a request's facts to where it may be answered, by which rule and why.

    1. grade the findings
    2. find how far out anything may go: forbids, UNKNOWN, and the client's own wish to stay
    3. find the permits that hold
    4. among the backends they give and that can serve the request, take the outermost zone
    5. each way out has the strongest transform that a permit for its backend demands
    6. nothing left: it stays, and `stay` says whether the local model can answer it
    7. where the local model may answer: with which adapter. This changes nothing of the above

A step never looks at the order of rules or findings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.core.measuring import Measuring
from gateway.core.own_rules import NO_RULES, OwnRules
from gateway.core.types import TAINT, VALUES, Allowed, Assessment, BackendSpec, Decision, Request, Sensitivity, Zone
from gateway.policy.adapters import AdapterRule, choose
from gateway.policy.facts import Catalogue, Facts, facts_from, whole_needs
from gateway.policy.floor import Floor
from gateway.policy.levels import Levels
from gateway.policy.rules import DEFAULT_RULE, Forbid, Permit, preferred, strongest
from gateway.policy.stay import Stay, kept, stay, unmet


@dataclass(slots=True, eq=False)
class CompiledPolicy:
    """One policy file, compiled against one catalogue. Treated as immutable; `load_policy` makes it."""

    name: str
    digest: str
    """SHA-256 over the file's validated content, defaults filled in."""
    catalogue: Catalogue
    levels: Levels
    permits: tuple[Permit, ...]
    """In the order of their names."""
    forbids: tuple[Forbid, ...]
    floor: Floor
    """What happens to a request that must stay and that the local model cannot answer well."""
    unmet_wish: str = "answer"
    """answer or refuse: what happens when the client named a backend that is not permitted."""
    without_record: str = "refuse"
    """refuse or local: whether a LOCAL answer may go on when the `decided` record cannot be written."""
    description: str = ""
    adapters: tuple[AdapterRule, ...] = ()
    """In the file's order: the first that holds counts."""
    warnings: tuple[str, ...] = ()
    """What may not mean what its author thinks, in the policy's own words."""
    scan_answer: Sensitivity | None = None
    """What means this level or more is taken out of answers."""
    own: OwnRules = NO_RULES
    """What this house adds to the detectors."""
    shadow: Measuring | None = None
    """Which share of the public answers made here is measured; None = none is."""

    def decide(self, request: Request, assessment: Assessment) -> Decision:
        facts = self.facts(request, assessment)
        decision = _told(self._place(facts), facts)
        return self._adapted(decision, facts) if self.adapters or request.adapter else decision

    def facts(self, request: Request, assessment: Assessment) -> Facts:
        return facts_from(request, assessment, self.levels, self.catalogue, self.floor.below)

    def level_of(self, kind: str, category: str) -> Sensitivity:
        """What one finding of this kind means under this policy."""
        return self.levels.level_of(kind, category)

    def _place(self, facts: Facts) -> Decision:
        """Where it may be answered, by which rule and why."""
        reasons = list(facts.grade.raised_by)
        if facts.earned is not None:
            reasons.append(f"public: {facts.earned}, and nothing was found")
        limit = self._limit(facts, reasons)
        held, lacking = self._held(facts, limit)
        # The same whatever is found, so that one finding more leaves a way as it is or closes it.
        demanding = [permit for permit in self.permits if permit.demands(facts)] if held else []
        ways = [] if self._refuses_wish(facts, held, limit) else self._ways(facts, held, demanding, limit, reasons)
        if not ways:
            reasons.extend(text for _, text in lacking)
            return self._stays(facts, held, limit, reasons)
        zone = ways[0].zone
        reasons.extend(_lets_out(permit) for permit in held)
        reasons.extend(f"permit {name!r} demands {transform}, whatever is found"
                       for name, transform in self._lapsed(held, demanding, ways[0]))  # fmt: skip
        reasons.extend(text for beyond, text in lacking if beyond > zone)
        winners = [permit for permit in held if permit.zone >= zone]
        if all(permit.fallback for permit in winners):
            here = self._here(facts, held)
            if here.refusal is None and here.notice is None:
                ways.append(Allowed(here.backend, Zone.LOCAL, ways[0].rule))
        cacheable = all(permit.cache for permit in winners) and not self._restored(ways[0], facts)
        decision = self._decision(facts, ways, reasons, cacheable=cacheable)
        wait_s = self.floor.patience(facts, zone)
        return replace(decision, wait_s=wait_s) if wait_s else decision

    def _limit(self, facts: Facts, reasons: list[str]) -> Zone:
        """The outermost zone this request may reach, whatever permits say."""
        limit = Zone.REMOTE
        if facts.request.local_only:
            reasons.append("the client asked for a local answer")
            return Zone.LOCAL
        if facts.named is not None and facts.named.zone < limit:
            # Naming a nearer backend is a wish to stay near, and that is granted like `model: local`.
            limit = facts.named.zone
            reasons.append(f"the client asked for {facts.named.name!r}, so no further than {limit}")
        if facts.level is Sensitivity.UNKNOWN and limit > Zone.PRIVATE:
            limit = Zone.PRIVATE
            reasons.append("unknown never goes to remote")
        for forbid in self.forbids:
            if forbid.holds(facts):
                reasons.append(f"forbid {forbid.name!r} keeps it from {forbid.zone}")
                limit = min(limit, Zone(forbid.zone - 1))
        return limit

    def _held(self, facts: Facts, limit: Zone) -> tuple[list[Permit], list[tuple[Zone, str]]]:
        """The permits that hold, and what each of the others lacked."""
        held: list[Permit] = []
        lacking: list[tuple[Zone, str]] = []
        for permit in self.permits:
            lack = permit.lacks(facts)
            if lack is not None:
                lacking.append((permit.zone, f"permit {permit.name!r}: {lack}"))
            elif limit > Zone.LOCAL:
                held.append(permit)
        return held, lacking

    def _refuses_wish(self, facts: Facts, held: Sequence[Permit], limit: Zone) -> bool:
        """The client named a backend off this host that is not permitted, and the policy will not choose another."""
        wish = facts.named
        if self.unmet_wish != "refuse" or wish is None or wish.zone is Zone.LOCAL or facts.request.local_only:
            return False
        return wish.zone > limit or not any(permit.gives(wish) for permit in held)

    def _ways(
        self, facts: Facts, held: Sequence[Permit], demanding: Sequence[Permit], limit: Zone, reasons: list[str]
    ) -> list[Allowed]:
        """Every way off this host that is permitted and can serve the request, outermost zone first."""
        if not held:
            return []
        needs, ways = whole_needs(facts.assessment), list[Allowed]()
        for zone in (Zone.REMOTE, Zone.PRIVATE):
            if zone > limit:
                continue
            able: list[BackendSpec] = []
            givers: dict[str, str] = {}
            for spec in self.catalogue.by_zone[zone]:
                giver = next((permit.name for permit in held if permit.gives(spec)), None)
                if giver is None:
                    continue
                if (lack := spec.can(needs)) is not None:
                    reasons.append(f"backend {spec.name!r} cannot serve it: {lack}")
                elif not spec.speaks(facts.language):
                    reasons.append(f"backend {spec.name!r} does not speak {facts.language}")
                else:
                    givers[spec.name] = giver
                    able.append(spec)
            ways.extend(
                Allowed(spec.name, zone, givers[spec.name], _transform(spec, demanding))
                for spec in preferred(able, held, facts.named)
            )
        return ways

    def _lapsed(self, held: Sequence[Permit], demanding: Sequence[Permit], best: Allowed) -> list[tuple[str, str]]:
        """Permits that do not hold for what was found, and whose demand is met all the same."""
        backend = self.catalogue.by_name[best.backend]
        return [
            (permit.name, best.transform)
            for permit in demanding
            if best.transform is not None
            and permit.transform == best.transform
            and permit not in held
            and permit.gives(backend)
        ]

    def _stays(self, facts: Facts, held: Sequence[Permit], limit: Zone, reasons: list[str]) -> Decision:
        if facts.named is not None and self._refuses_wish(facts, held, limit):
            here = unmet(self.catalogue.local[0].name, facts.named.name, self.name)
        else:
            here = self._here(facts, held)
        if here.why is not None:
            reasons.append(here.why)
        decision = self._decision(facts, [Allowed(here.backend, Zone.LOCAL, DEFAULT_RULE)], reasons, cacheable=True)
        if here.refusal is not None:
            return replace(decision, refusal=here.refusal, refusal_detail=here.detail, allowed=())
        return decision if here.notice is None else replace(decision, notice=here.notice)

    def _adapted(self, decision: Decision, facts: Facts) -> Decision:
        """With the adapter that the local model takes, should it answer."""
        here = next((way for way in decision.allowed if way.zone is Zone.LOCAL), None)
        if here is None:
            return decision
        choice = choose(self.adapters, facts, self.catalogue.by_name[here.backend])
        return replace(
            decision,
            adapter=choice.adapter,
            reasons=(*decision.reasons, choice.why) if choice.why else decision.reasons,
            notice=_both(decision.notice, choice.notice),
        )

    def _here(self, facts: Facts, held: Sequence[Permit]) -> Stay:
        return stay(facts, self.floor, lambda: kept(facts, self.name, self.forbids, permitted=bool(held)))

    def _decision(self, facts: Facts, ways: Sequence[Allowed], reasons: Sequence[str], *, cacheable: bool) -> Decision:
        best = ways[0]
        return Decision(
            level=facts.level,
            zone=best.zone,
            backend=best.backend,
            rule=best.rule,
            reasons=tuple(reasons),
            policy=self.name,
            policy_digest=self.digest,
            allowed=tuple(ways),
            considered=_considered(facts.assessment),
            transform=best.transform,
            cacheable=cacheable,
            lifted=facts.level > facts.grade.by_kinds,
            scan_answer=self.scan_answer,
        )

    def _restored(self, way: Allowed, facts: Facts) -> bool:
        """Whether the answer will hold values put back in, or be composed anew, on this host.

        Such an answer is as private as what was kept from leaving, and a cache may lie elsewhere and be read by others.
        Where there is no value to replace, the transform changes nothing and the answer is like any other. What the
        policy lets pass counts here: the transform replaces it too. Own kinds are told by name, not by detector, so
        that a decision can be made again from its record.
        """
        if way.transform is None:
            return False
        own = {rule.kind for rule in self.own.rules}
        found = facts.assessment.findings
        return way.transform == "rewrite" or any(each.category in VALUES or each.kind in own for each in found)


def _told(decision: Decision, facts: Facts) -> Decision:
    """With a notice where another backend answers than the one that the client named."""
    wish = facts.named
    if wish is None or facts.request.local_only or decision.refusal is not None or decision.backend == wish.name:
        return decision
    told = f"backend {wish.name!r} was asked for and cannot have this request; {decision.backend!r} answers it"
    return replace(decision, notice=_both(told, decision.notice))


def _both(first: str | None, second: str | None) -> str | None:
    return f"{first}; {second}" if first and second else first or second


def _transform(backend: BackendSpec, demanding: Sequence[Permit]) -> str | None:
    return strongest(permit.transform for permit in demanding if permit.gives(backend))


def _lets_out(permit: Permit) -> str:
    out = f"permit {permit.name!r} lets it out to {permit.zone}"
    return out if permit.transform is None else f"{out} with {permit.transform}"


def _considered(assessment: Assessment) -> tuple[tuple[str, int], ...]:
    """Over all findings, those let pass included: the door counts what leaves against this."""
    if not assessment.findings:
        return ()
    # What is only remembered of earlier requests stands nowhere in this one.
    return tuple(sorted(Counter(f.kind for f in assessment.findings if f.detector != TAINT).items()))
