"""Who wants what of a stored resource: the bridge between records and `merging`."""

from typing import Any

from shoal.controller.api import documents, merging
from shoal.controller.api.merging import Claim, Claims, Leaves
from shoal.controller.store.port import Record
from shoal.resources.errors import ManifestError
from shoal.resources.parsing import parse


def claims_of(current: Record) -> Claims:
    """Who wants what of it.

    A device's labels of its enrolment are there before anybody applies, and stay. Of other kinds
    a record without claims is an older Shoal's: whoever applies next says all of it.
    """
    stored = current.data.get(merging.KEY)
    if stored is not None:
        return merging.claims_from_json(stored)
    if current.kind != "Device":
        return {}
    return {merging.BASE: Claim(time="", leaves=leaves_of(current.data))}


def leaves_of(data: dict[str, Any]) -> Leaves:
    """Everything in a record's data that people write."""
    metadata = data["metadata"]
    parts = {part: metadata.get(part) or {} for part in ("labels", "annotations")}
    return merging.leaves({"spec": data.get("spec") or {}, **parts})


def whole_spec(current: Record) -> dict[str, Any]:
    """Its spec with every default of today spelled out, also where an older Shoal wrote fewer."""
    try:
        return parse(documents.resource(current)).spec
    except ManifestError:
        return dict(current.data.get("spec") or {})


def rewritten(current: Record, data: dict[str, Any], user: str, time: str) -> dict[str, Any]:
    """The data that `user` writes over `current`, with who wants what from then on.

    Its spec is whole, or as it is stored.
    """
    if data["spec"] == (current.data.get("spec") or {}):
        data = {**data, "spec": whole_spec(current)}
    after = Claim(time=time, leaves=leaves_of(data))
    before = leaves_of({**current.data, "spec": whole_spec(current)})
    claims = merging.written(claims_of(current), user, before, after)
    return {**data, merging.KEY: merging.claims_to_json(claims)}
