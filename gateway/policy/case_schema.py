"""The shape of case files: requests that travel with a policy, and what it should say about each."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from gateway.core.types import Json
from gateway.policy.schema import Category, Change, Count, Level, Share, Slug, Strict, Text

Family = Literal[
    "chat", "knowledge", "reasoning", "maths", "code", "writing", "rewrite", "translate", "summarise", "extract",
    "format", "other",
]  # fmt: skip


class CaseFinding(Strict):
    kind: Slug
    category: Category
    count: Count = 1
    confidence: Share = 1.0
    reserved: bool = False
    near: list[Slug] = Field(default_factory=list)


class CaseBackend(Strict):
    name: Text
    zone: Literal["local", "private", "remote"]
    model: str = "case"
    context: Annotated[int, Field(ge=0)] = 0
    images: bool = True
    audio: bool = False
    files: bool = False
    tools: bool = True
    # `schema` is a method name of pydantic's own.
    response_schema: bool = Field(default=True, alias="schema")
    logprobs: bool = True
    languages: list[Text] = Field(default_factory=list)
    adapters: list[Slug] = Field(default_factory=list)


class Want(Strict):
    """Only what is named here is compared."""

    zone: Literal["local", "private", "remote"] | None = None
    rule: str | None = None
    level: Level | None = None
    backend: str | None = None
    refusal: str | None = None
    notice: bool | None = None
    adapter: str | None = None
    cacheable: bool | None = None
    wait_s: float | None = None
    allowed: list[str] | None = None
    transform: Change | Literal["none"] | None = None
    findings: list[str] | None = None
    """Exactly these kinds."""
    not_findings: Annotated[list[str], Field(min_length=1)] | None = None
    """None of these kinds, whatever else."""
    reserved: list[str] | None = None


class Case(Strict):
    """One request and what the policy should say about it."""

    note: str
    messages: Annotated[list[dict[str, Any]], Field(min_length=1)] = Field(default_factory=list)
    text: Annotated[str, Field(min_length=1)] | None = None
    """Instead of messages: one message of a user."""
    body: dict[str, Any] = Field(default_factory=dict)
    """Other fields of the request: tools, response_format …"""
    model: str = "auto"
    tenant: str = "default"
    roles: list[Text] = Field(default_factory=list)
    tags: list[Text] = Field(default_factory=list)
    purpose: str | None = None
    public: bool = False
    generic: bool | None = None
    """Fixed, to test the rule and not the test that says so."""
    at_least: Level | None = None
    at: str | None = None
    """When the request comes in: 2026-11-21T09:30:00+01:00."""
    complexity: Share | None = None
    rank: Share | None = None
    quality: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    share: Share | None = None
    family: Family | None = None
    competence: Share | None = None
    language: str | None = None
    findings: list[CaseFinding] | None = None
    backends: Annotated[list[CaseBackend], Field(min_length=1)] | None = None
    want: Want

    @model_validator(mode="after")
    def _asks_something(self) -> Case:
        if (self.text is None) == (not self.messages):
            raise ValueError("give messages, or text for one message of a user, and not both")
        return self


class CaseFile(Strict):
    """A list of cases, with or without `cases:` above it."""

    cases: list[Case]

    @model_validator(mode="before")
    @classmethod
    def _bare_list(cls, content: Json) -> Json:
        return {"cases": content} if isinstance(content, list) else content
