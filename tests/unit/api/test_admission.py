"""What resources name is looked at before they are stored."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from shoal.contract.limits import ASSET_BYTES
from shoal.controller.api import admission
from shoal.controller.reconcile import revisions
from shoal.controller.store.blobs import Blobs
from shoal.controller.store.memory import MemoryStore
from shoal.controller.store.port import Put
from shoal.resources.errors import ManifestError
from shoal.resources.parsing import Parsed, parse
from tests.unit.resources.documents import DEPLOYMENT, MODEL, with_field


def a_model(folder: Path, blobs: Blobs, asset_bytes: int) -> Parsed:
    """A Model whose files are all there, with an asset of this size."""
    asset, data = folder / "asset", folder / "rows"
    with asset.open("wb") as file:
        file.truncate(asset_bytes)
    data.write_bytes(b"rows")
    large, small = (asyncio.run(blobs.put_file(one)) for one in (asset, data))
    spec = {
        "source": large,
        "data": {"calibration": large, "evaluation": small},
        "assets": [f"labels.txt={large}"],
    }
    return parse({**MODEL, "spec": spec})


def test_an_asset_as_large_as_allowed_is_taken(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "data")
    admission.files(a_model(tmp_path, blobs, ASSET_BYTES), blobs, present=True)


def test_a_larger_asset_is_refused_with_the_limit(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "data")
    with pytest.raises(ManifestError) as caught:
        admission.files(a_model(tmp_path, blobs, ASSET_BYTES + 1), blobs, present=True)
    (problem,) = caught.value.problems
    assert problem.field == "spec.assets[0]"
    assert str(ASSET_BYTES) in problem.message


def a_stored_model(metric: str) -> Put:
    model = parse(with_field(MODEL, "spec.quality", {"metric": metric, "minScore": 0.5}))
    name = model.resource.metadata.name
    stored = {"metadata": {"name": name, "namespace": "default"}, "spec": model.spec}
    return Put(kind="Model", namespace="default", name=name, data=stored, expected=None)


def a_gated_deployment(**changes: str) -> Parsed:
    document = with_field(
        DEPLOYMENT, "spec.strategy.gates", [{"metric": "quality", "maxDrop": 0.02}]
    )
    for field, value in changes.items():
        document = with_field(document, f"spec.{field}", value)
    return parse(document)


def test_a_gate_on_a_metric_that_devices_cannot_count_is_refused() -> None:
    store = MemoryStore()
    asyncio.run(store.commit([a_stored_model("spearman")]))
    with pytest.raises(ManifestError) as caught:
        asyncio.run(admission.references(a_gated_deployment(), store))
    (problem,) = caught.value.problems
    assert "spearman" in problem.message


def test_gates_are_held_against_the_revision_that_is_pinned() -> None:
    store = MemoryStore()
    now, before = a_stored_model("spearman"), a_stored_model("top1")
    first = revisions.new_revision(now.name, 1, before.data["spec"])
    kept = replace(before, kind="ModelRevision", name=f"{now.name}.1", data=first)
    asyncio.run(store.commit([now, kept]))
    asyncio.run(admission.references(a_gated_deployment(model=f"{now.name}@1"), store))
    with pytest.raises(ManifestError):
        asyncio.run(admission.references(a_gated_deployment(model=f"{now.name}@2"), store))
