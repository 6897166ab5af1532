"""What all kinds share: strict models, metadata, selectors."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shoal.contract.limits import LABELS
from shoal.resources.quantities import JSONObject, LabelKey, Labels, LabelValue, Name
from shoal.resources.words import Words

API_VERSION = "shoal/v1"


class Document(BaseModel):
    """A part of a manifest: camelCase outside, no unknown fields, no silent conversion."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, alias_generator=to_camel, validate_by_alias=True
    )

    # Fields of the design that do not exist yet: refused by name instead of as misspelt.
    later_fields: ClassVar[tuple[str, ...]] = ()


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


class Resource(Document):
    """The outer form of every kind."""

    api_version: Literal["shoal/v1"] = Field(description="The version of this schema.")
    metadata: Metadata = Field(description="Who the resource is.")
    status: JSONObject | None = Field(
        default=None, description="What controllers concluded; ignored when written by people."
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
