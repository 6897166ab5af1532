"""What all kinds share: strict models, metadata, selectors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from shoal.contract.limits import LABELS
from shoal.contract.reason import Reason
from shoal.resources.quantities import LabelKey, Labels, LabelValue, Name
from shoal.resources.words import Words, refusal

API_VERSION = "shoal/v1"


class Document(BaseModel):
    """A part of a manifest: camelCase outside, no unknown fields, no silent conversion."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, alias_generator=to_camel, validate_by_alias=True
    )


class Metadata(Document):
    """Who a resource is. People write name, namespace, labels and annotations; Shoal the rest."""

    name: Name = Field(description="Unique among resources of this kind in the namespace.")
    namespace: Name = Field(default="default", description="The room that the name is unique in.")
    labels: Labels = Field(
        default_factory=dict, max_length=LABELS, description="Keys and values that selectors match."
    )
    annotations: dict[str, str] = Field(
        default_factory=dict, description="Notes for people and tools; nothing in Shoal reads them."
    )
    uid: str | None = Field(default=None, description="Written by Shoal: unique for all time.")
    generation: int | None = Field(
        default=None, description="Written by Shoal: counts the changes of the spec."
    )
    resource_version: str | None = Field(
        default=None, description="Written by Shoal: changes with every write; PUT compares it."
    )
    creation_time: str | None = Field(default=None, description="Written by Shoal: UTC.")
    deletion_time: str | None = Field(
        default=None, description="Written by Shoal: deletion was asked for at this time, UTC."
    )


class Told(Document):
    """A part of a status: described for people and programs, never checked in a manifest."""

    # So it is put together only where an explanation or a schema asks, and commands start fast.
    model_config = ConfigDict(defer_build=True)


class Status(Told):
    """What controllers concluded of a resource: nothing, unless its kind says more."""


@dataclass(frozen=True, slots=True)
class Unread:
    """For a field that is described but never read: takes any object, and keeps none."""

    described: type[Status]

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Without a look at `source`, which stays unbuilt."""
        return core_schema.no_info_plain_validator_function(_nothing_of)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """What is described, or null; nothing that a request need hold."""
        self.described.model_rebuild()
        shown = core_schema.nullable_schema(self.described.__pydantic_core_schema__)
        return {**handler(shown), "readOnly": True}


def _nothing_of(value: object) -> None:
    if value is not None and not isinstance(value, Mapping):
        raise refusal(
            Reason.INVALID, f"{value!r} is not an object", "leave it out: Shoal writes it"
        )


class Resource(Document):
    """The outer form of every kind."""

    api_version: Literal["shoal/v1"] = Field(description="The version of this schema.")
    metadata: Metadata = Field(description="Who the resource is.")
    status: Annotated[Status | None, Unread(Status)] = Field(
        default=None, description="Empty for this kind; ignored when written by people."
    )


_OPERATORS = Words(what="operator", built=("In", "NotIn", "Exists", "DoesNotExist"))


class Requirement(Document):
    """One condition on a label."""

    key: LabelKey = Field(description="The label's key.")
    operator: Annotated[str, AfterValidator(_OPERATORS.check)] = Field(
        description="In, NotIn (also true where the label is absent), Exists or DoesNotExist."
    )
    values: list[LabelValue] = Field(
        default_factory=list, description="The values of In and NotIn; empty for the others."
    )


class Selector(Document):
    """Devices whose labels meet every condition; without conditions, every device."""

    match_labels: Labels = Field(
        default_factory=dict, description="Labels that must be there with exactly these values."
    )
    match_expressions: list[Requirement] = Field(
        default_factory=list, description="Further conditions, all of which must hold."
    )


class Empty(Document):
    """No fields."""
