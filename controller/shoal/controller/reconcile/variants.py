"""Variant resources: made when a search found them, and told what devices measured of them."""

from collections.abc import Iterator, Mapping
from typing import Any

from shoal.controller.reconcile import archives, evidence, sweeping
from shoal.controller.reconcile.journal import iso
from shoal.controller.reconcile.world import World, put_over
from shoal.controller.store.port import Put, Record

ESTIMATE, MEASURED = "estimate", "measured"


def writes(
    world: World, record: Record, profile_class: str, classes: Mapping[str, Any]
) -> Iterator[Put]:
    """The Variants of one class of a revision that are missing, or that say too little.

    `record` is the revision with what is known of scouting, `classes` are its archives.
    """
    archive = classes[profile_class].get("archive") or {}
    scouted = (record.data.get("scouting") or {}).get(profile_class, {})
    for point in archive.get("points", ()):
        name = archives.variant_name(point, profile_class)
        known = world.cache.get("Variant", record.namespace, name)
        of = scouted.get("evidence", {}).get(point["digest"], {})
        going = scouted.get("open") or {"variants": (), "devices": ()}
        by = list(going["devices"]) if point["digest"] in going["variants"] else []
        if known is None or sweeping.is_marked(known):  # a form of a Model that is gone, perhaps
            document = archives.variant_document(point, archive, record, profile_class)
            document["metadata"] = {
                "name": name,
                "namespace": record.namespace,
                "labels": {"model": record.data["model"]},
                "creationTime": iso(world.now()),
                "generation": 1,
            }
        elif of or by != known.data["status"].get("scouts", []):
            document = dict(known.data)
        else:
            continue
        document["status"] = {**document["status"], **_said(of), "scouts": by}
        if known is None or document != known.data:
            yield put_over(known, "Variant", (record.namespace, name), document)


def _said(of: Mapping[str, Any]) -> dict[str, Any]:
    """Whose word latency and memory are: the builder's, or also that of devices of the class."""
    if not of:
        return {"figures": ESTIMATE}
    return {"figures": MEASURED, "measured": evidence.figures(of)}
