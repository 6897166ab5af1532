"""Variant and Event: kinds that Shoal writes and people read."""

from typing import Literal

from pydantic import Field

from shoal.resources.base import Document, Resource
from shoal.resources.quantities import JSONObject


class VariantSpec(Document):
    """Where a variant comes from."""

    model: str = Field(description="The Model it is a form of.")
    model_revision: int = Field(description="The revision of that Model.")
    profile_class: str = Field(description="The class of devices that it was measured for.")
    recipe: JSONObject = Field(description="The passes that made it from the source.")


class Variant(Resource):
    """One compressed form of a Model; its measurements are in status."""

    kind: Literal["Variant"] = Field(description="The kind.")
    spec: VariantSpec = Field(description="Where it comes from.")


class EventSpec(Document):
    """Something that happened, counted when it repeats."""

    regarding: str = Field(description="What it is about: Kind/namespace/name.")
    type: Literal["Normal", "Warning"] = Field(description="Whether somebody should look.")
    reason: str = Field(description="Short CamelCase word for machines.")
    message: str = Field(description="A sentence for people.")
    count: int = Field(description="How often it happened.")
    first_time: str = Field(description="When it happened first, UTC.")
    last_time: str = Field(description="When it happened last, UTC.")


class Event(Resource):
    """Something that happened in the fleet."""

    kind: Literal["Event"] = Field(description="The kind.")
    spec: EventSpec = Field(description="What happened.")
