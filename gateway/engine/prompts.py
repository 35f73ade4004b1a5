"""From a request's frame to a job: the template rendered, tokens counted, the grammar compiled."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.core.errors import BadRequest, ContextTooLong
from gateway.engine.ask import Ask
from gateway.engine.batch.job import Job
from gateway.engine.batch.model import Model
from gateway.engine.batch.slots import common_prefix
from gateway.engine.frames import Frame
from gateway.engine.messages import Message
from gateway.engine.sampling.grammar import Grammar, to_grammar
from gateway.engine.template import ChatTemplate
from gateway.engine.tools import ToolAsk

LEAST_SINKS = 4
"""Tokens at the very beginning that attention leans on: without them a shifted context talks nonsense."""


class Prompts:
    """Used by one thread, beside the one that computes: all it touches of the model is vocabulary."""

    def __init__(self, model: Model, *, n_context: int, shift: bool, limit: int | None, system_prompt: str) -> None:
        """`limit` is the most tokens of an answer whose client sets none."""
        self._model = model
        self._n_context = n_context
        self._shift = shift
        self._limit = limit or n_context
        controls = model.control_texts()
        self._template = ChatTemplate(model.template, bos=model.bos, eos=model.eos, control_texts=controls)
        self._syntax = self._template.syntax
        self._system_prompt = system_prompt
        try:
            self._public = self._tokens_of_system(system_prompt) if system_prompt else []
        except BadRequest:  # the template takes no such message: every request will say so
            self._public = []

    def count(self, frame: Frame) -> int:
        tools = frame.get("tools")
        rendered = self._template.render(frame["messages"], ToolAsk(**tools) if tools is not None else None)
        return len(self._model.tokens(rendered))

    def job(self, frame: Frame) -> Job:
        """Raises GatewayError where the request cannot be served."""
        ask = _ask(frame["ask"])
        messages: list[Message] = frame["messages"]
        prompt = self._model.tokens(self._template.render(messages, ask.tools))
        if len(prompt) >= self._n_context and not self._shift:
            raise ContextTooLong(
                f"the prompt has {len(prompt)} tokens; the local model holds {self._n_context} and needs one to answer"
            )
        return Job(
            number=frame["id"],
            ask=ask,
            prompt=prompt,
            seed=ask.seed if ask.seed is not None else secrets.randbits(32),
            limit=ask.max_tokens or self._limit,
            tenant=frame["tenant"],
            adapter=frame.get("adapter"),
            public=self._shared_with_all(prompt, messages),
            sinks=self._sinks(prompt, messages) if self._shift else LEAST_SINKS,
            grammar=self._grammar(ask),
            syntax=self._syntax if ask.tools is not None else None,
        )

    def _grammar(self, ask: Ask) -> Grammar | None:
        if ask.schema is not None:
            return Grammar(self._model, to_grammar(ask.schema))
        calls = self._syntax.gbnf(ask.tools) if ask.tools is not None else None
        if calls is None:
            return None
        markers = self._syntax.markers
        return Grammar(self._model, calls[0], param="tools", lazy=calls[1], markers=markers)

    def _shared_with_all(self, prompt: Sequence[int], messages: Sequence[Message]) -> int:
        """Tokens of the operator's own system prompt at the beginning, where it stands there."""
        own = bool(messages) and messages[0]["role"] == "system" and messages[0]["content"] == self._system_prompt
        return common_prefix(prompt, self._public) if own else 0

    def _sinks(self, prompt: Sequence[int], messages: Sequence[Message]) -> int:
        """Tokens at the beginning that must outlast every shift: the system message, and never fewer than four."""
        system = messages[0]["content"] if messages and messages[0]["role"] == "system" else ""
        sinks = max(LEAST_SINKS, common_prefix(prompt, self._tokens_of_system(system)) if system else 0)
        if sinks > self._n_context // 2 and len(prompt) >= self._n_context:
            raise ContextTooLong(
                f"the system message has {sinks} tokens; of the {self._n_context} that the local model holds, "
                "at most half may stay while a long conversation passes through"
            )
        return sinks

    def _tokens_of_system(self, text: str) -> list[int]:
        """How every prompt under this system message begins."""
        one, other = (
            self._model.tokens(
                self._template.render([{"role": "system", "content": text}, {"role": "user", "content": user}])
            )
            for user in ("a", "1")
        )
        return one[: common_prefix(one, other)]


def _ask(fields: Mapping[str, Any]) -> Ask:
    tools = fields.get("tools")
    return Ask(
        **{
            **fields,
            "stop": tuple(fields["stop"]),
            "logit_bias": tuple((token, bias) for token, bias in fields["logit_bias"]),
            "tools": ToolAsk(**tools) if tools is not None else None,
        }
    )
