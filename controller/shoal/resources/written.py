"""Variant, Event and AuditEntry: kinds that Shoal writes and people read."""

from typing import Annotated, Literal

from pydantic import Field

from shoal.resources.base import Document, Resource, Unread
from shoal.resources.quantities import JSONObject
from shoal.resources.statuses.variant import VariantStatus


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
    status: Annotated[VariantStatus | None, Unread(VariantStatus)] = Field(
        default=None, description="What it costs and scores; ignored when written by people."
    )


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


class AuditSpec(Document):
    """Who did what, and when."""

    time: str = Field(description="When, UTC.")
    user: str = Field(description="Who, as the program that asked for it said.")
    verb: str = Field(description="What was done: apply, delete, approve, pause and so on.")
    regarding: str = Field(description="To what it was done: Kind/namespace/name.")
    detail: str = Field(description="More about it; empty where there is no more.")
    store_version: str = Field(description="The store's version right after it.")
    digest: str = Field(description="Of this entry and the one before it, so that changes show.")


class AuditEntry(Resource):
    """One line of the audit log, which only ever grows."""

    kind: Literal["AuditEntry"] = Field(description="The kind.")
    spec: AuditSpec = Field(description="Who did what.")
