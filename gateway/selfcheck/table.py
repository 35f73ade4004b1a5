"""The result for a person: a table of kinds and places, what the policy lets out, what is wrong, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.selfcheck.result import Result, State, grouped

_SIGNS = {
    State.SHUT: "-",
    State.HOME: "·",
    State.UNSENT: "u",
    State.REPLACED: "p",
    State.PERMITTED: "o",
    State.FAILED: "!",
    State.LEFT: "X",
}
_LEGEND = {
    State.HOME: "kept home",
    State.REPLACED: "left pseudonymised",
    State.UNSENT: "left without the field that held it",
    State.PERMITTED: "let out in clear by the policy",
    State.SHUT: "not even harmless requests leave from there",
    State.FAILED: "the gateway failed",
    State.LEFT: "LEFT IN CLEAR",
}
_DERIVED = {
    State.SHUT: "not tried: no private request got an answer here",
    State.HOME: "kept home when sent back with a harmless question",
    State.PERMITTED: "let out by the policy",
    State.FAILED: "the gateway failed over it",
    State.LEFT: "LEFT, and nobody permitted that",
}


def table(result: Result) -> str:
    return "\n".join(_lines(result)) + "\n"


def _lines(result: Result) -> Iterator[str]:
    yield f"policy {result.policy} ({result.digest[:12]}), backends played here: {', '.join(result.backends) or 'none'}"
    if not result.ways:
        yield "no harmless request leaves under this policy"
    else:
        yield f"a harmless request leaves when asked for as: {', '.join(result.ways)}"
    yield ""
    yield from _matrix(result)
    yield ""
    yield from (f"note: {note}" for note in result.notes)
    yield f"an answer to a private request: {_DERIVED[result.derived]}"
    yield from _permitted(result)
    yield from _restored(result)
    yield from _wrong(result)
    yield _verdict(result)


def _matrix(result: Result) -> Iterator[str]:
    worst = result.worst()
    places = list(dict.fromkeys(place for place, _ in worst))
    kinds = list(dict.fromkeys(short for _, short in worst))
    width = max(map(len, places))
    yield f"{'':{width}}  {' '.join(f'{kind:>5}' for kind in kinds)}"
    for place in places:
        states = (worst.get((place, kind)) for kind in kinds)
        signs = ("" if state is None else _SIGNS[state] for state in states)
        yield f"{place:{width}}  {' '.join(f'{sign:>5}' for sign in signs)}".rstrip()
    there = set(worst.values())
    yield "  ".join(f"{_SIGNS[state]} {text}" for state, text in _LEGEND.items() if state in there)
    named = {cell.short: cell.kind for cell in result.cells}
    yield f"columns: {', '.join(f'{short} {kind}' for short, kind in named.items() if short not in kind.casefold())}"
    if len(worst) < len(places) * len(kinds):
        yield "blank: not tried, because nobody could tell such a value there"


def _permitted(result: Result) -> Iterator[str]:
    cells = [cell for cell in result.cells if cell.state is State.PERMITTED]
    for rule in sorted({cell.rule for cell in cells}):
        kinds = sorted({cell.kind for cell in cells if cell.rule == rule})
        yield f"rule {rule!r} lets out in clear: {', '.join(kinds)}"


def _restored(result: Result) -> Iterator[str]:
    back, replaced = result.restored
    if replaced:
        yield f"put back in answers, streams and tool calls: {back} of {replaced}"
    for kind, places in grouped([cell for cell in result.cells if cell.restored is False]):
        yield f"  not put back: {kind} in {', '.join(places)}"


def _wrong(result: Result) -> Iterator[str]:
    for state in (State.LEFT, State.FAILED):
        for kind, places in grouped([cell for cell in result.cells if cell.state is state]):
            yield f"{_LEGEND[state]}: {kind} in {', '.join(places)}"


def _verdict(result: Result) -> str:
    counts, total = result.counts, len(result.cells)
    told = [f"{counts[state]} {text}" for state, text in _LEGEND.items() if counts[state]]
    verdict = "ok" if result.ok else "NOT OK"
    return (
        f"{verdict}: {total} values planted ({', '.join(told) or 'none'}) in {result.seconds:.1f} s "
        f"(again: --seed {result.seed})"
    )
