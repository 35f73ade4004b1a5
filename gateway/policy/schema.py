"""The shape of policy files: with that of case files, the one place where the policy engine trusts no text.

Run as `python -m gateway.policy.schema` it prints `policies/schema.json`, which editors use for completion.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

Slug = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
"""A name that fits into a header and a metric label."""
Text = Annotated[str, Field(min_length=1, max_length=200)]
Texts = Annotated[list[Text], Field(min_length=1)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Portion = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
"""A share of something that is wanted, so more than none of it."""
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
    share: Bounds | None = None
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


class Target(Strict):
    """What is wanted of the tenant's recent requests, instead of a threshold for each of them: one of the first two."""

    remote_share: Portion | None = None
    """So large a share may go out: the hardest."""
    quality: Portion | None = None
    """Relative to all-remote: as many go out as it takes."""
    cap: Portion | None = None
    """Nothing goes out while so large a share, or a larger one, really went to zone remote."""


class PermitWhen(When):
    """Facts from findings are bounded from above, so that one finding more can only close a permit."""

    sensitivity: LevelAtMost
    target: Target | None = None
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
    return "object" if isinstance(value, (dict, BaseModel)) else "word"


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


class Floor(Strict):
    """What happens to a request that must stay and that the local model answers badly."""

    below: Portion | None = None
    """It answered a smaller share of such requests well when measured. Unset: it cannot, or not in its language."""
    then: Literal["refuse", "notice", "private", "queue"]
    wait_s: Annotated[float, Field(gt=0, le=300, allow_inf_nan=False)] | None = None
    """queue: how long to wait for a server of zone private that is busy or down."""


class Shadow(Strict):
    """How good the local model's answers are: a share of the public requests it answered is asked elsewhere as well."""

    share: Portion
    """Of the local answers that may be measured: plain text, public, and left to the gateway to place."""
    to: Text
    """The backend that is asked as well, where the permits would let the request go were it hard."""
    usd_per_day: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """At most, in US dollars between two midnights (UTC); the settings' ceiling counts where it is lower."""


Floors = Annotated[
    Annotated[Literal["refuse", "notice"], Tag("word")] | Annotated[Floor, Tag("object")],
    Discriminator(_word_or_object),
]


class PolicyFile(Strict):
    """A policy: permits say what may go outward, forbids what may not, everything else is answered locally."""

    name: Slug
    description: str = ""
    floor: Floors = "refuse"
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
    shadow: Shadow | None = None


def json_schema() -> str:
    document = PolicyFile.model_json_schema(by_alias=True)
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema"} | document, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(json_schema())
