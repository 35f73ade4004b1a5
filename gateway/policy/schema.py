"""The shape of policy files and case files: the one place where the policy engine trusts no text.

Run as `python -m gateway.policy.schema` it prints `policies/schema.json`, which editors use for completion.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from gateway.core.types import Json

Slug = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
"""A name that fits into a header and a metric label."""
Text = Annotated[str, Field(min_length=1, max_length=200)]
Texts = Annotated[list[Text], Field(min_length=1)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]

Level = Literal["public", "internal", "confidential", "restricted", "unknown"]
Assignable = Literal["internal", "confidential", "restricted"]
"""What a finding may mean. PUBLIC is earned and UNKNOWN is what could not be read: neither is given out."""
Category = Literal[
    "secret", "identifier", "financial", "contact", "person", "health", "special", "minor", "legal",
    "confidential", "code", "credentialed_url",
]  # fmt: skip
Categories = Annotated[list[Category], Field(min_length=1)]
Need = Literal["image", "audio", "file", "tools", "schema", "logprobs"]
Outside = Literal["private", "remote"]
Change = Literal["pseudonymise", "strip", "rewrite"]
"""What a permit may demand of text on its way out; see `core.types.TRANSFORMS`."""
Checksum = Literal[
    "luhn", "verhoeff", "damm", "ean13", "mod97", "mod11", "mod11_2", "mod11_10", "mod37_2", "mod37_36"
]  # fmt: skip
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Strict(BaseModel):
    """A typo in a policy is an error, not a default."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


class OneOf(Strict):
    within: Texts | None = Field(default=None, alias="in")
    not_in: Texts | None = None


class Bounds(Strict):
    at_least: Share | None = None
    at_most: Share | None = None


class Tokens(Strict):
    at_least: Count | None = None
    at_most: Count | None = None


class Needed(Strict):
    any_of: Annotated[list[Need], Field(min_length=1)] | None = None
    none_of: Annotated[list[Need], Field(min_length=1)] | None = None


class Time(Strict):
    hours: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")] | None = None
    days: Annotated[list[Day], Field(min_length=1)] | None = None
    tz: Text = "UTC"


class When(Strict):
    """Selectors that permits and forbids share: facts that are not findings may be bounded from both sides."""

    complexity: Bounds | None = None
    rank: Bounds | None = None
    tenant: OneOf | None = None
    role: OneOf | None = None
    tag: OneOf | None = None
    model: OneOf | None = None
    purpose: OneOf | None = None
    language: OneOf | None = None
    named: bool | None = None
    beyond_local: bool | None = None
    time: Time | None = None
    tokens: Tokens | None = None
    needs: Needed | None = None


class LevelAtMost(Strict):
    at_most: Level


class LevelAtLeast(Strict):
    at_least: Level


class KindsAtMost(Strict):
    within: list[Slug] | None = None
    none_of: Annotated[list[Slug], Field(min_length=1)] | None = None


class CategoriesAtMost(Strict):
    within: list[Category] | None = None
    none_of: Categories | None = None


class DistinctAtMost(Strict):
    of: Annotated[list[Slug], Field(min_length=1)]
    at_most: Annotated[int, Field(ge=0)]


class DistinctAtLeast(Strict):
    of: Annotated[list[Slug], Field(min_length=1)]
    at_least: Count


class PermitWhen(When):
    """Facts from findings are bounded from above, so that one finding more can only close a permit."""

    sensitivity: LevelAtMost
    kinds: KindsAtMost | None = None
    categories: CategoriesAtMost | None = None
    distinct: DistinctAtMost | None = None


class KindsFound(Strict):
    any_of: Annotated[list[Slug], Field(min_length=1)]


class CategoriesFound(Strict):
    any_of: Categories


def _list_or_object(value: Any) -> str:
    return "list" if isinstance(value, list) else "object"


class ForbidWhen(When):
    """Facts from findings are bounded from below, so that one finding more can only fire a forbid."""

    sensitivity: LevelAtLeast | None = None
    kinds: (
        Annotated[
            Annotated[Annotated[list[Slug], Field(min_length=1)], Tag("list")] | Annotated[KindsFound, Tag("object")],
            Discriminator(_list_or_object),
        ]
        | None
    ) = None
    categories: (
        Annotated[
            Annotated[Categories, Tag("list")] | Annotated[CategoriesFound, Tag("object")],
            Discriminator(_list_or_object),
        ]
        | None
    ) = None
    distinct: DistinctAtLeast | None = None
    min_confidence: Share | None = None


class Permit(Strict):
    name: Slug
    zone: Outside
    when: PermitWhen
    to: Annotated[list[Text], Field(min_length=1)] | None = None
    # `with` is a word of Python's own.
    transform: Change | None = Field(default=None, alias="with")
    fallback: Literal["local", "none"] = "local"
    cache: bool = True


class Forbid(Strict):
    name: Slug
    zone: Outside
    when: ForbidWhen = ForbidWhen()


class LevelBetween(Strict):
    at_least: Level | None = None
    at_most: Level | None = None


class AdapterWhen(When):
    """Findings may be bounded from both sides here: an adapter is chosen for an answer that stays in any case."""

    sensitivity: LevelBetween | None = None
    kinds: Annotated[list[Slug], Field(min_length=1)] | None = None
    categories: Categories | None = None


class Adapter(Strict):
    """With which adapter the local model answers. The first entry that holds is the one that counts."""

    name: Slug
    adapter: Slug
    """A name from the settings' `local.adapters`, or none for the bare model."""
    when: AdapterWhen = AdapterWhen()
    always: bool = False
    """It counts for clients that named an adapter themselves, too."""


class RaiseWhen(Strict):
    kinds: Annotated[list[Slug], Field(min_length=1)] | None = None
    categories: Categories | None = None
    min_count: Count | None = None
    min_confidence: Share | None = None
    near: Annotated[list[Slug], Field(min_length=1)] | None = None
    distinct: DistinctAtLeast | None = None


class Raise(Strict):
    when: RaiseWhen
    raise_to: Literal["confidential", "restricted"]


def _word_or_object(value: Any) -> str:
    return "object" if isinstance(value, (dict, Raise)) else "word"


Entry = Annotated[Annotated[Assignable, Tag("word")] | Annotated[Raise, Tag("object")], Discriminator(_word_or_object)]


def _true_or_list(value: Any) -> str:
    return "list" if isinstance(value, list) else "true"


class Known(Strict):
    """Values of the house's own that are no finding."""

    values: Texts
    kinds: Annotated[list[Slug], Field(min_length=1)] | None = None
    """Kinds or categories it is for. Without it: all but secrets."""


class Allow(Strict):
    reserved: Annotated[
        Annotated[Literal[True], Tag("true")] | Annotated[list[Slug], Tag("list")], Discriminator(_true_or_list)
    ] = []
    values: Annotated[list[Known], Field(min_length=1)] | None = None


class Own(Strict):
    """A kind of thing that this house calls private: by its words, by its form, or by the field it stands in."""

    category: Category
    words: Texts | None = None
    pattern: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    checksum: Checksum | None = None
    fields: Texts | None = None
    confidence: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1.0


class Public(Strict):
    """What earns a request the level public, once nothing was found in it."""

    keys: bool = True
    """Its key was declared public."""
    generic: bool = False
    """It reads like a general question, or code, about no person, customer or house."""


class PolicyFile(Strict):
    """A policy: permits say what may go outward, forbids what may not, everything else is answered locally."""

    name: Slug
    description: str = ""
    floor: Literal["refuse", "notice"] = "refuse"
    unmet_wish: Literal["answer", "refuse"] = "answer"
    without_record: Literal["refuse", "local"] = "refuse"
    permit: list[Permit] = []
    forbid: list[Forbid] = []
    levels: dict[Slug, Entry] = {}
    detect: dict[Slug, Own] = {}
    allow: Allow | None = None
    public: Public = Public()
    scan_answer: Assignable | None = None
    adapters: list[Adapter] = []


class CaseFinding(Strict):
    kind: Slug
    category: Category
    count: Count = 1
    confidence: Share = 1.0
    reserved: bool = False
    near: list[Slug] = []


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
    languages: list[Text] = []
    adapters: list[Slug] = []


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
    messages: Annotated[list[dict[str, Any]], Field(min_length=1)] = []
    text: Annotated[str, Field(min_length=1)] | None = None
    """Instead of messages: one message of a user."""
    body: dict[str, Any] = {}
    """Other fields of the request: tools, response_format …"""
    model: str = "auto"
    tenant: str = "default"
    roles: list[Text] = []
    tags: list[Text] = []
    purpose: str | None = None
    public: bool = False
    generic: bool | None = None
    """Fixed, to test the rule and not the test that says so."""
    at_least: Level | None = None
    at: str | None = None
    """When the request comes in: 2026-11-21T09:30:00+01:00."""
    complexity: Share | None = None
    rank: Share | None = None
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


def json_schema() -> str:
    document = PolicyFile.model_json_schema(by_alias=True)
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema"} | document, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(json_schema())
