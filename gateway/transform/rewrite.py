"""The transform that sends out another request in place of this one, written here without what is private (PAPILLON).

The local model rewrites, the rewrite alone goes out, and the local model answers with what came back and with what it
knows. How good that is depends on the local model; what may leak is checked by the detector, never by the model.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

import anyio

from gateway.core.asking import ask, undecided
from gateway.core.errors import DeadlineExceeded, EgressDenied, GatewayError
from gateway.core.ignored import is_thought
from gateway.core.ports import Detector, LocalBackend, Transformed
from gateway.core.types import (
    TAINT,
    VALUES,
    Assessment,
    Chunk,
    Finding,
    Json,
    Pieces,
    Request,
    Usage,
)
from gateway.transform import sweep
from gateway.transform.places import LostError, spot

TOPICS = frozenset({"health", "special", "minor", "legal", "confidential"})
"""What a text may be about that must not show in its rewrite either."""
_TOLD = frozenset({"career", "business", "correspondence"})
"""What a rewrite may still say: that it is about a letter, a job or a firm. Which one is a value or a name."""
_KEPT = frozenset({"max_tokens", "max_completion_tokens", "temperature", "top_p", "seed", "reasoning_effort"})
_ALONE = ("tools", "functions", "response_format", "logprobs", "prediction", "audio", "modalities")
_HISTORY = 3000
_MANY_DIGITS = 6
"""What has so many is looked for in the rewrite however its digits are grouped."""

REWRITE = (
    "Rewrite the user's last request for an outside expert who must not learn anything private. Leave out or "
    "generalise every name, place, date, number, employer, contact, account and personal circumstance. Keep the task, "
    "its language and all that is needed to answer it. Write the rewritten request alone, nothing else."
)
COMPOSE = (
    "Answer the user's request. An outside expert who saw only a version without the private details wrote the draft "
    "below: use what is right in it, and fit it to the user's own details.\n\nDraft:\n"
)
_REFUSAL = re.compile(
    r"\s*(?:i['’]?m sorry|sorry|i (?:cannot|can['’]?t|am unable|won['’]?t)|as an ai|mi dispiace|non posso|lo siento|"
    r"no puedo|es tut mir leid|ich kann (?:das |dabei |leider )?nicht|désolé|je suis désolé|je ne peux pas)\b",
    re.IGNORECASE,
)


class Rewrite:
    """Rewrites through the local model. Off unless a policy says `with: rewrite`."""

    name = "rewrite"

    def __init__(
        self, local: LocalBackend, detector: Detector, *, rewrite_s: float = 30.0, compose_s: float = 120.0
    ) -> None:
        """`rewrite_s` is the time for the rewrite, `compose_s` for each pause of the final answer."""
        self._local = local
        self._detector = detector
        self._rewrite_s = rewrite_s
        self._compose_s = compose_s

    async def apply(self, request: Request, assessment: Assessment, seen: dict[Any, Any]) -> Transformed:
        _fit(request, assessment)
        text = await self.rewritten(request)
        body = await self.check(request, assessment, text, seen)
        found = sum(each.category in VALUES for each in assessment.findings)
        return Transformed(replace(request, body=body), found, Composed(self._local, request, self._compose_s))

    async def rewritten(self, request: Request) -> str:
        """What would go out, unchecked. Raises EgressDenied where the model gave nothing that could."""
        messages = [{"role": "system", "content": REWRITE}, {"role": "user", "content": _asked(request)}]
        asked = _locally(request, {"messages": messages, "max_tokens": 700, "temperature": 0})
        try:
            with anyio.fail_after(self._rewrite_s):
                text, finish = await ask(self._local, asked, self.name)
        except (TimeoutError, GatewayError) as error:
            raise EgressDenied("the local model could not rewrite the request, so it stays") from error
        text = text.strip().strip('"').strip()
        if not text or finish != "stop" or _REFUSAL.match(text):
            raise EgressDenied("the local model gave no rewrite that could go out, so the request stays")
        return text

    async def check(self, request: Request, assessment: Assessment, text: str, seen: dict[Any, Any]) -> dict[str, Json]:
        """The body that may go out with this rewrite. Raises EgressDenied where something private shows in it."""
        body = {key: value for key, value in request.body.items() if key in _KEPT}
        body |= {"model": request.body.get("model", ""), "messages": [{"role": "user", "content": text}]}
        scan = await self._detector.scan(body, seen)
        left = sorted({each.kind for each in scan.findings if each.category in VALUES | TOPICS} - _TOLD)
        if left or scan.unreadable:
            raise EgressDenied(f"the rewrite still holds {', '.join(left) or 'what cannot be read'}, so it stays")
        found = [each for each in assessment.findings if each.kind not in _TOLD]
        if leaked := sorted({each.kind for each in found if _occurs(request, each, text)}):
            raise EgressDenied(f"the rewrite repeats what was found ({', '.join(leaked)}), so it stays")
        return body


def _fit(request: Request, assessment: Assessment) -> None:
    wants = next((name for name in _ALONE if request.body.get(name)), None)
    if wants is None and (request.body.get("n") or 1) != 1:
        wants = "n"
    if wants is not None:
        raise EgressDenied(f"a request with {wants!r} cannot be rewritten, so it stays")
    if assessment.unreadable:
        raise EgressDenied("a part that no detector could read cannot be rewritten, so the request stays")


def _occurs(request: Request, finding: Finding, text: str) -> bool:
    """Whether what was found in the request stands in the rewrite, however the detector reads it there."""
    if finding.detector == TAINT:
        return False
    try:
        where, _ = spot(request.body, finding.place.path)
    except LostError:
        return True  # nobody can say
    said = where.text[finding.place.start : finding.place.end]
    person, compact = finding.category == "person", sum(map(str.isdigit, said)) >= _MANY_DIGITS
    known = sweep.value(said, "", exact=False, person=person, compact=compact)
    return known is not None and next(sweep.Sweep([known]).hits(text), None) is not None


def _asked(request: Request) -> str:
    """The last request, after what was said before where there was something."""
    told = [(str(message.get("role")), _text(message.get("content"))) for message in request.messages]
    last = next((at for at in range(len(told) - 1, -1, -1) if told[at][0] == "user"), None)
    if last is None or not told[last][1].strip():
        raise EgressDenied("there is no request to rewrite")
    before = "\n".join(f"{role}: {text}" for role, text in told[:last] if text and role in ("user", "assistant"))
    if not before:
        return told[last][1]
    return f"Earlier:\n{before[-_HISTORY:]}\n\nThe request to rewrite, so that it can be read alone:\n{told[last][1]}"


def _text(content: Json) -> str:
    """Without another model's thinking, which goes to no backend."""
    if isinstance(content, list | tuple):
        content = [part for part in content if not is_thought(part)]
        if any(not isinstance(part, Mapping) or not isinstance(part.get("text"), str) for part in content):
            raise EgressDenied("a request with parts that are no text cannot be rewritten, so it stays")
        return "\n".join(part["text"] for part in content)
    return content if isinstance(content, str) else ""


def _locally(request: Request, body: Mapping[str, Json]) -> Request:
    return replace(request, model="local", body=body, local_only=True, adapter=None, use_cache=False)


@dataclass(slots=True)
class Composed:
    """The way back: the local model answers the request itself, with the outside answer as a draft."""

    local: LocalBackend
    request: Request = field(repr=False)
    pause_s: float
    unrestored: int = 0

    async def __call__(self, answer: AsyncGenerator[Pieces, None]) -> AsyncGenerator[Pieces, None]:
        draft: list[str] = []
        usage: Usage | None = None
        async with aclosing(answer):
            async for pieces in answer:
                for chunk in pieces:
                    draft.append(chunk.delta.get("content") or "")
                    usage = chunk.usage or usage
        body = {key: value for key, value in self.request.body.items() if key in self.local.honours}
        body["messages"] = [{"role": "system", "content": COMPOSE + "".join(draft)}, *self.request.messages]
        asked, decision = _locally(self.request, body), undecided(self.local, Rewrite.name)
        async with aclosing(self.local.stream(asked, decision)) as composed:
            while (told := await self._next(composed)) is not None:
                yield [chunk if chunk.usage is None else _both(chunk, usage) for chunk in told]

    async def _next(self, composed: AsyncGenerator[Pieces, None]) -> Pieces | None:
        try:
            with anyio.fail_after(self.pause_s):
                return await anext(composed, None)
        except TimeoutError as error:
            raise DeadlineExceeded("the local model took too long over the final answer") from error


def _both(chunk: Chunk, remote: Usage | None) -> Chunk:
    """The usage of both models: what the request cost as a whole."""
    own = chunk.usage
    if own is None or remote is None:
        return chunk
    prompt, completion = own.prompt_tokens + remote.prompt_tokens, own.completion_tokens + remote.completion_tokens
    return chunk._replace(usage=Usage(prompt, completion, own.details))
