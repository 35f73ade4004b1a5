"""Several detectors as one: the built-in scanner first, then the optional tiers, each within its deadline.

Tiers add findings and take none away. A tier that fails or is late leaves the document unread, unless the operator
said that it is not required: nobody else has looked for what it looks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import anyio
import anyio.to_thread
import structlog

from gateway.core.types import CATEGORIES, Finding, Json, Scan, Unreadable
from gateway.detect.generic import is_generic
from gateway.detect.merge import Merge
from gateway.detect.tier import Span, Tier
from gateway.detect.walk import Text, TooManyError, Walk, walk
from gateway.detect.worded import Around, Worded, pack_of

_NODES = 2000
"""More nodes than this are walked in a thread: these take some 5 ms."""
_SHORTEST = 3
_PAYLOAD = 256
"""A string of an unreadable part with no space in so many characters is bytes, not words."""
_MEMO = "gateway.detect.stack"
_MUTE = frozenset(
    {"model", "messages", "stream", "stream_options", "temperature", "top_p", "top_k", "min_p", "n", "seed",
     "max_tokens", "max_completion_tokens", "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs",
     "reasoning_effort"}
)  # fmt: skip
"""Fields beside the messages in which nobody tells anything."""


class Stack(Around):
    """`inner` and what `others` see beside it."""

    def __init__(self, inner: Worded, others: Sequence[Tier] = ()) -> None:
        super().__init__(inner)
        self._tiers = tuple(others)
        names = [tier.finder.name for tier in self._tiers]
        assert len(set(names)) == len(names), "two tiers of one name would share a memory"
        self._log = structlog.get_logger()

    @property
    def pack(self) -> str:
        if not self._tiers:
            return self._inner.pack
        told = [self._inner.pack]
        for tier in self._tiers:
            told += [tier.finder.name, tier.finder.pack, str(tier.required), *sorted(tier.unless)]
        return pack_of(*told)

    @property
    def kinds(self) -> frozenset[str]:
        return self._inner.kinds.union(kind for tier in self._tiers for kind, _ in tier.finder.words)

    @property
    def categories(self) -> frozenset[str]:
        return self._inner.categories.union(category for tier in self._tiers for _, category in tier.finder.words)

    async def scan(self, document: Mapping[str, Json], seen: dict[Any, Any] | None = None) -> Scan:
        memory = {} if seen is None else seen
        scan = await self._inner.scan(document, memory)
        try:
            if not scan.findings and not scan.unreadable and _is_general(document):
                scan = replace(scan, generic=True)
            if not self._tiers:
                return scan
            texts = await _texts(document)
            for last in (False, True):
                scan = await self._phase([tier for tier in self._tiers if tier.last is last], scan, texts, memory)
        except Exception:  # noqa: BLE001 - whatever it is, the tiers have not read this document
            scan = replace(scan, unreadable=(*scan.unreadable, Unreadable("$", "detector_failed")))
        calm = not scan.findings and not scan.unreadable
        return replace(scan, pack=self.pack, generic=scan.generic and calm)

    async def aclose(self) -> None:
        for tier in self._tiers:
            await tier.finder.aclose()

    async def _phase(self, tiers: Sequence[Tier], scan: Scan, texts: Sequence[Text], memory: dict[Any, Any]) -> Scan:
        wanted = [tier for tier in tiers if tier.wanted(scan)]
        if not wanted:
            return scan
        said: dict[str, tuple[Finding, ...] | str] = {}
        merge = Merge(scan.findings, texts)

        async def ask(tier: Tier) -> None:
            said[tier.finder.name] = await self._ask(tier, texts, memory)

        async with anyio.create_task_group() as tasks:
            for tier in wanted:
                tasks.start_soon(ask, tier)
        unread = list(scan.unreadable)
        for tier in wanted:  # in their order, whoever was first
            answer = said[tier.finder.name]
            if not isinstance(answer, str):
                merge.add(answer)
            elif tier.required:
                unread.append(Unreadable("$", answer))
        return replace(scan, findings=merge.findings, unreadable=tuple(dict.fromkeys(unread)))

    async def _ask(self, tier: Tier, texts: Sequence[Text], memory: dict[Any, Any]) -> tuple[Finding, ...] | str:
        """What the tier found, or the word for why it did not look."""
        try:
            with anyio.fail_after(tier.deadline_s):
                return await _read(tier, texts, memory)
        except TimeoutError as error:
            reason, failure = "deadline", type(error).__name__
        except Exception as error:  # noqa: BLE001 - somebody else's library or server: anything may come out of it
            reason, failure = "detector_failed", type(error).__name__
        self._log.warning("detector_failed", detector=tier.finder.name, reason=reason, error=failure)
        return reason


def _is_general(document: Mapping[str, Json]) -> bool:
    """Whether the positive test says so. It reads messages that are texts, or one text by itself; a request with more
    in it is no question."""
    alone = document.get("text")
    if isinstance(alone, str) and len(document) == 1:
        return is_generic([alone])
    messages = document.get("messages")
    if not isinstance(messages, list | tuple) or not document.keys() <= _MUTE:
        return False
    texts = [message.get("content") for message in messages if isinstance(message, Mapping)]
    said = [text for text in texts if isinstance(text, str)]
    return len(said) == len(messages) and is_generic(said)


async def _read(tier: Tier, texts: Sequence[Text], memory: dict[Any, Any]) -> tuple[Finding, ...]:
    finder = tier.finder
    picked = finder.pick(texts)

    def key(text: str) -> tuple[str, ...]:
        return (_MEMO, finder.name, finder.pack, text)

    unread = [text for text in dict.fromkeys(each.text for each in picked) if key(text) not in memory]
    if unread:
        found = await finder.find(unread)
        if len(found) != len(unread):
            raise ValueError("a finder answers for each text it was given")
        for text, spans in zip(unread, found, strict=True):
            memory[key(text)] = tuple(_checked(span, len(text)) for span in spans)
    return tuple(Merge.finding(finder.name, each.path, span) for each in picked for span in memory[key(each.text)])


def _checked(span: Span, size: int) -> Span:
    if not (0 <= span.start <= span.end <= size and span.category in CATEGORIES and 0 <= span.confidence <= 1):
        raise ValueError("a span outside its text or of no known category")
    return span


async def _texts(document: Mapping[str, Json]) -> list[Text]:
    try:
        walked = walk(document, at_most=_NODES)
    except TooManyError:
        walked = await anyio.to_thread.run_sync(walk, document)
    return [text for text in walked.texts if len(text.text) >= _SHORTEST and not _is_payload(text, walked)]


def _is_payload(text: Text, walked: Walk) -> bool:
    """Bytes of an image or a file: they are unread whatever a tier says of their base64."""
    if len(text.text) < _PAYLOAD or any(sign.isspace() for sign in text.text[:_PAYLOAD]):
        return False
    return any(text.path == part.path or text.path.startswith((part.path + ".", part.path + "["))
               for part in walked.unreadable)  # fmt: skip
