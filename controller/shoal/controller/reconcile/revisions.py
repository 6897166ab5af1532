"""Model revisions: one source with its data and quality spec, and the archive of each class."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from shoal.contract import digest as digests
from shoal.contract import jsonform
from shoal.contract.choice import Objective, Point
from shoal.contract.digest import Digest
from shoal.contract.profile import ClassProfile, ProfileClass
from shoal.controller.domain.archive import ArchiveState, ClassArchive, GoldenSet, ModelView
from shoal.controller.reconcile import evidence
from shoal.controller.reconcile.cache import Cache
from shoal.controller.reconcile.jobs import JobRequest
from shoal.controller.store.port import Record

_DATA_FILES = ("calibration", "evaluation", "train")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRef:
    """What a Deployment's `model` names: `digits` follows, `digits@3` is pinned."""

    name: str
    pinned: int | None


def parse_ref(text: str) -> ModelRef:
    """Read a Deployment's `model`; admission has checked its form."""
    name, _, number = text.partition("@")
    return ModelRef(name=name, pinned=int(number) if number else None)


def of_model(cache: Cache, namespace: str, model: str) -> list[Record]:
    """Every kept revision of a model, oldest first."""
    found = [r for r in cache.all("ModelRevision", namespace) if r.data["model"] == model]
    return sorted(found, key=lambda record: int(record.data["number"]))


def content_key(spec: Mapping[str, Any]) -> str:
    """What makes two specs the same revision: everything but how it is written."""
    text = json.dumps(spec, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def title(record: Record) -> str:
    """A stored revision as events name it: revision 3 (0123456789ab)."""
    return f"revision {record.data['number']} ({digests.short(Digest(record.data['source']))})"


def new_revision(model: str, number: int, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a revision of which nothing is known yet."""
    return {
        "model": model,
        "number": number,
        "key": content_key(spec),
        "source": spec["source"],
        "spec": dict(spec),
        "classes": {},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A class that devices are in, and the least memory that one of their profiles allows."""

    profile: ClassProfile
    memory_bytes: int | None = None

    def joined(self, other: "Need") -> "Need":
        """What serves both."""
        limits = [one for one in (self.memory_bytes, other.memory_bytes) if one is not None]
        return Need(profile=self.profile, memory_bytes=min(limits, default=None))

    def met_by(self, known: Mapping[str, Any]) -> bool:
        """Whether a finished search answers it.

        Other budgets only pick from an archive. Stages are cut for a memory, so an archive that
        holds nothing so small does not.
        """
        searched = known.get("memory_bytes")
        if self.memory_bytes is None or (searched is not None and searched <= self.memory_bytes):
            return True
        points = (known.get("archive") or {}).get("points", ())
        return any(one["peak_memory_bytes"] <= self.memory_bytes for one in points)


def need(spec: Mapping[str, Any], profile: ClassProfile, memory_bytes: int | None) -> Need:
    """What a device of this class and memory budget needs of a Model.

    Memory bears on a search only where stages may be cut.
    """
    cuts = "split" in spec["compression"]["methods"]
    return Need(profile=profile, memory_bytes=memory_bytes if cuts else None)


def job_request(revision: Mapping[str, Any], need: Need) -> JobRequest:
    """The search that one class needs of a revision."""
    spec = revision["spec"]
    files = [("model", Digest(revision["source"]))]
    files += [(name, Digest(spec["data"][name])) for name in _DATA_FILES if spec["data"].get(name)]
    compression = spec["compression"]
    return JobRequest(
        files=tuple(files),
        quality=tuple(sorted((key, spec["quality"].get(key)) for key in _QUALITY)),
        compression=(
            ("effort", compression["effort"]),
            ("methods", tuple(compression["methods"])),
            ("objective", compression["objective"]),
            ("seed", compression["seed"]),
        ),
        golden=int(spec["data"].get("golden") or 0),
        # A search measures on the builder, so that tiers of one hardware share it.
        profile=replace(need.profile, speed_tier=0),
        memory_bytes=need.memory_bytes,
    )


_QUALITY = ("metric", "maxDrop", "minScore", "floor")


def model_view(record: Record) -> ModelView:
    """A stored revision as the planner sees it; ready once a search has accepted its source.

    One whose archive is looked through again, for a smaller memory, stays ready.
    """
    archives = tuple(
        _archive(ProfileClass(name), one, record)
        for name, one in sorted(record.data["classes"].items())
    )
    return ModelView(
        number=int(record.data["number"]),
        digest=Digest(record.data["source"]),
        ready=any(one.state is ArchiveState.READY or one.points for one in archives),
        objective=Objective(record.data["spec"]["compression"]["objective"]),
        metric=record.data["spec"]["quality"].get("metric") or "",
        archives=archives,
    )


def _archive(name: ProfileClass, stored: Mapping[str, Any], record: Record) -> ClassArchive:
    spec = record.data["spec"]
    scouted = (record.data.get("scouting") or {}).get(name, {})
    state = ArchiveState(stored["state"])
    found = stored.get("archive")
    if found is None:
        return ClassArchive(profile_class=name, state=state, message=stored.get("message", ""))
    golden, quality = found["golden"], spec["quality"]
    negative = bool(found.get("smaller_is_better"))
    # A Model may ask for both floors; the search applied one, so the stricter is taken here.
    floors = [found["min_score"], quality.get("minScore")]
    proven = quality.get("floor") == "proven"
    return ClassArchive(
        profile_class=name,
        state=state,
        min_score=max(_merit(one, negative=negative) for one in floors if one is not None),
        points=tuple(_point(one, negative=negative, proven=proven) for one in found["points"]),
        smaller_is_better=negative,
        golden=golden
        and GoldenSet(
            digest=Digest(golden["digest"]),
            labels=None if golden["labels"] is None else tuple(golden["labels"]),
            source_answers=tuple(golden["source_answers"]),
        ),
        message=stored.get("message", ""),
        measured=evidence.measured(scouted),
        scouting="open" in scouted and not scouted["open"].get("again"),
    )


def _point(stored: Mapping[str, Any], *, negative: bool, proven: bool) -> Point:
    """A point of the report with merits for scores; see `ClassArchive`."""
    low, high = sorted(_merit(one, negative=negative) for one in stored["validation_interval"])
    ends = stored["score_interval"] if proven else [stored["score"]]
    return replace(
        jsonform.from_json(Point, stored),
        score=min(_merit(one, negative=negative) for one in ends),
        validation_score=_merit(stored["validation_score"], negative=negative),
        validation_interval=(low, high),
    )


def _merit(score: float, *, negative: bool) -> float:
    return 0.0 - score if negative else float(score)
