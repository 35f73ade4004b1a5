"""What happens to a request that stays on this host: answered, answered with a notice, or refused with the way out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gateway.core.types import BackendSpec, Needs
from gateway.policy.facts import Facts, whole_needs
from gateway.policy.floor import NOTICE, Floor
from gateway.policy.rules import Forbid

_SHOWN = 5
"""Kinds named in a message."""

_CONTENT = frozenset({"image", "audio", "file"})
_UNKNOWN_PART = "unknown_part"
"""The detectors' word for a message part of a type nobody here knows. The local engine would have to ignore it."""


@dataclass(frozen=True, slots=True)
class Stay:
    backend: str
    refusal: str | None = None
    detail: str = ""
    notice: str | None = None
    why: str | None = None
    """The refusal or notice as a reason."""


def stay(facts: Facts, floor: Floor, kept: Callable[[], str]) -> Stay:
    """How the first local backend that can will answer. `kept` says why it stays, should it be refused.

    1. none can do what the request needs: refused, the need named; an answer that may be too long is cut instead
    2. one can and speaks the language, or the language is not known: answered, unless it answers such requests badly
    3. none of those that can speaks the language, or it answers them badly: the floor says
    """
    local = facts.catalogue.local
    needs = whole_needs(facts.assessment)
    if not (able := _able(local, needs)):
        able = _able(local, needs := _with_any_answer(needs, facts.assessment.tokens))
    if not able or any(part.reason == _UNKNOWN_PART for part in facts.assessment.unreadable):
        return _incapable(local[0], local[0].can(needs) or _UNKNOWN_PART, needs, kept())
    for spec in able:
        if spec.speaks(facts.language):
            return _unfit(spec.name, floor.lack(facts), floor, kept) if facts.below else Stay(spec.name)
    return _unfit(able[0].name, f"does not speak {facts.language!r}", floor, kept)


def _able(local: Sequence[BackendSpec], needs: Needs) -> list[BackendSpec]:
    """Those that can do it, whoever does it best first."""
    return sorted((spec for spec in local if spec.can(needs) is None), key=lambda spec: len(spec.lacks(needs)))


def _with_any_answer(needs: Needs, prompt: int) -> Needs:
    """With room for the `prompt` (tokens; 0 = not known) and one token more: a limit allows, it demands nothing.

    Clients send one limit with everything they ask. Where the request may leave, the limit counts as it stands.
    """
    return replace(needs, context=prompt + 1) if 0 < prompt < needs.context else needs


def kept(facts: Facts, policy: str, forbids: Sequence[Forbid], permitted: bool) -> str:
    """Why the request stays on this host, for whoever is refused: rules and kinds, never text."""
    if facts.request.local_only:
        return "it asked to be answered locally"
    kinds = sorted(facts.kinds)
    found = [*kinds[:_SHOWN], *(["others"] if len(kinds) > _SHOWN else [])]
    unread = sorted({part.reason for part in facts.assessment.unreadable})
    because = [f"found in it: {', '.join(found)}"] if found else []
    because += [f"not readable: {', '.join(unread)}"] if unread else []
    because += [f"forbid {forbid.name!r}" for forbid in forbids if forbid.holds(facts)]
    if permitted:
        because.append("no backend that it may go to can serve it")
    why = "; ".join(because) or f"no permit lets a request of level {facts.level} out"
    return f"policy {policy!r} keeps it on this host ({why})"


def unmet(local: str, wish: str, policy: str) -> Stay:
    """The policy says that a wish for a backend it does not permit is refused, not answered by another."""
    detail = f"policy {policy!r} does not let this request go to backend {wish!r}; ask for 'auto' or 'local'"
    return Stay(local, "model_not_permitted", detail, why=f"backend {wish!r} was asked for and is not permitted")


def _incapable(spec: BackendSpec, lack: str, needs: Needs, kept: str) -> Stay:
    """`lack` in the words of `BackendSpec.can`: a kind of content, a parameter, or the context."""
    model = f"the local model {spec.name!r}"
    if lack in _CONTENT or lack == _UNKNOWN_PART:
        what = "content of an unknown type" if lack == _UNKNOWN_PART else f"{lack} content"
        code, detail = "unsupported_content", f"{what} cannot be read by {model}"
        way_out = "send text, or have the operator add a backend of zone private that reads it"
    elif lack == "context":
        code = "context_length_exceeded"
        detail = f"the prompt takes about {needs.context - 1} tokens, more than the {spec.context} that {model} holds"
        way_out = "shorten it"
    else:
        code, detail = "unsupported_parameter", f"{lack} cannot be served by {model}"
        way_out = "leave it out"
    why = f"local model {spec.name!r} cannot serve it: {lack.replace('_', ' ')}"
    return Stay(spec.name, code, f"{detail}, and this request must stay: {kept}; {way_out}", why=why)


def _unfit(name: str, lack: str, floor: Floor, kept: Callable[[], str]) -> Stay:
    why = f"local model {name!r} {lack}"
    if floor.then == NOTICE:
        return Stay(name, notice=f"answered by local model {name!r}, which {lack}", why=why)
    detail = (
        f"this request must stay: {kept()}, and the {why}; "
        "the operator can install a better local model with `gateway models pull`"
    )
    return Stay(name, "local_model_unfit", detail, why=why)
