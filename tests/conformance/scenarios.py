"""What the upstream of the conformance checks answers, named by the first word of the question: `two/abcdefgh`."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from tests.support.capture import (
    Answer,
    CaptureServer,
    Recorded,
    Script,
    body,
    by_route,
    completion,
    error,
    event,
    events,
    silence,
    usage_of,
    words,
)


def _both(text: str | None, *, finish: str = "stop", delta: dict[str, Any] | None = None, **more: Any) -> Script:
    """The same answer for both kinds of request."""

    def script(request: Recorded) -> Answer:
        if not request.json.get("stream"):
            return completion(text, finish=finish, **more)
        told = [event({"content": text})] if text is not None else []
        last = event({}, finish=finish)
        return events(event({"role": "assistant", "content": ""}), *told, *([event(delta)] if delta else []), last)

    return script


def _two(request: Recorded) -> Answer:
    if request.json.get("stream"):
        return events(
            event({"role": "assistant", "content": ""}, index=1),
            event({"content": "sec"}, index=1),
            event({"role": "assistant", "content": ""}, index=0),
            event({"content": "first"}, index=0),
            event({}, index=0, finish="stop"),
            event({"content": "ond"}, index=1),
            event({}, index=1, finish="stop"),
        )
    choices = [
        {"index": index, "message": {"role": "assistant", "content": text}, "logprobs": None, "finish_reason": "stop"}
        for index, text in enumerate(("first", "second"))
    ]
    return body({"id": "x", "object": "chat.completion", "model": "m", "choices": choices, "usage": usage_of(3, 4)})


def _token(text: str, logprob: float) -> dict[str, Any]:
    entry = {"token": text, "logprob": logprob, "bytes": list(text.encode())}
    return {**entry, "top_logprobs": [entry, {"token": "?", "logprob": -3.0, "bytes": [63]}]}


def _logprobs(request: Recorded) -> Answer:
    tokens = [_token("Hel", -0.1), _token("lo", -0.2)]
    if request.json.get("stream"):
        told = [
            event(
                {},
                choices=[
                    {
                        "index": 0,
                        "delta": {"content": token["token"]},
                        "logprobs": {"content": [token], "refusal": None},
                        "finish_reason": None,
                    }
                ],
            )
            for token in tokens
        ]
        return events(*told, event({}, finish="stop"))
    message = {"role": "assistant", "content": "Hello"}
    logprobs = {"content": tokens, "refusal": None}
    choices = [{"index": 0, "message": message, "logprobs": logprobs, "finish_reason": "stop"}]
    return body({"id": "x", "object": "chat.completion", "model": "m", "choices": choices, "usage": usage_of(3, 2)})


def _call(index: int, **function: str) -> dict[str, Any]:
    return {"index": index, "function": function}


def _calls(request: Recorded) -> Answer:
    whole = [
        {"id": f"call_{name}", "type": "function", "function": {"name": "weather", "arguments": f'{{"city":"{city}"}}'}}
        for name, city in (("a", "Lyon"), ("b", "Turin"))
    ]
    if not request.json.get("stream"):
        return completion(None, finish="tool_calls", message={"tool_calls": whole})
    steps = [
        {"id": "call_a", "type": "function", **_call(0, name="weather", arguments="")},
        _call(0, arguments='{"city"'),
        _call(0, arguments=':"Lyon"}'),
        {"id": "call_b", "type": "function", **_call(1, name="weather", arguments="")},
        _call(1, arguments='{"city":"Turin"}'),
    ]
    told = [event({"role": "assistant", "content": None}), *(event({"tool_calls": [step]}) for step in steps)]
    return events(*told, event({}, finish="tool_calls"))


def _no_usage(request: Recorded) -> Answer:
    return events(*words("Hello there", usage=None)) if request.json.get("stream") else completion(usage=None)


CITY = json.dumps({"name": "Lyon", "people": 520_000})
SCENARIOS: dict[str, Script | list[Script]] = {
    "plain": by_route,
    "no-usage": _no_usage,
    "two": _two,
    "logprobs": _logprobs,
    "city": _both(CITY),
    "cut": _both('{"name":', finish="length"),
    "filtered": _both(None, finish="content_filter"),
    "refusal": _both(None, message={"refusal": "I would rather not."}),
    "reasoning": _both("42", message={"reasoning_content": "Six times seven."}),
    "calls": _calls,
    "slow": events(*words("Hel", "lo", ".")).but(delay_s=0.5, gap_s=0.25),
    "busy-once": [error(429, retry_after="1"), completion()],
    "busy": error(429, retry_after="1"),
    "broken": error(500),
    "key-refused": error(401),
    "quota": error(429, code="insufficient_quota"),
    "rejected": body({"error": {"message": "no", "param": "temperature", "code": "unsupported_value"}}, 400),
    "too-long": error(400, code="context_length_exceeded"),
    "silent": silence(),
    "error-event": events(*words("Hel")[:2], {"error": {"message": "prose", "code": None}}, done=False).but(gap_s=0.1),
    "broken-off": events(*words("Hel")[:2], done=False).but(end="cut"),
    "late-failure": error(500).but(delay_s=2.0),
}


class Play:
    """A capture server's script: answers by scenario, and tells at `/asked/TAG` what came under a tag."""

    def __init__(self, server: CaptureServer) -> None:
        self._server = server
        self._attempts: Counter[str] = Counter()

    def __call__(self, request: Recorded) -> Answer:
        if request.path.startswith("/asked/"):
            tag = request.path.removeprefix("/asked/")
            return body(json.dumps([each.json for each in self._server.requests if _tag(each) == tag]).encode())
        tag = _tag(request)
        script = SCENARIOS[tag.partition("/")[0]]
        if isinstance(script, list):
            script = script[min(self._attempts[tag], len(script) - 1)]
        self._attempts[tag] += 1
        return script if isinstance(script, Answer) else script(request)


def _tag(request: Recorded) -> str:
    if not request.path.endswith("/chat/completions"):
        return ""
    said: str = request.json["messages"][0]["content"]
    return said
