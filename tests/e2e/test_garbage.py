"""What nobody refers to any more goes from a real controller, after the retention time."""

from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest

from tests.e2e.one_device import OneDevice
from tests.e2e.test_variant_kinds import dense, manifests, write_rows


@pytest.fixture
def device(tmp_path: Path) -> Iterator[OneDevice]:
    running = OneDevice(tmp_path, tmp_path / "cache", "retention: 4s\n")
    yield running
    running.close()


def roll_out(device: OneDevice, name: str, width: int) -> None:
    """A Model of that name, and its Deployment, to the end."""
    folder = device.folder / name
    folder.mkdir()
    onnx.save(dense(64, width, width, 8), folder / f"{name}.onnx")
    write_rows(folder, 64)
    quality = {"metric": "agreement", "maxDrop": 0.1}
    compression = {"methods": ["quantize"], "objective": "bytes", "effort": "quick"}
    spec = {"quality": quality, "compression": compression}
    text = manifests(f"{name}.onnx", spec, {"budget": {"artifact": "1MiB"}})
    (folder / "all.yaml").write_text(text.replace('"net"', f'"{name}"'))
    device.shoal("apply", "-f", str(folder))
    device.rolled_out(name)


def stored(device: OneDevice) -> set[str]:
    """Every digest that the controller still holds."""
    places = (device.folder / "data" / "blobs" / "sha256").rglob("*")
    return {f"sha256:{one.name}" for one in places if one.is_file()}


def of(device: OneDevice, model: str) -> set[str]:
    """The digests of a Model's Variants."""
    variants = device.shoal("get", "variants")["items"]
    return {one["status"]["digest"] for one in variants if one["spec"]["model"] == model}


@pytest.mark.slow
def test_variants_and_blobs_of_a_deleted_model_go_and_those_of_another_stay(
    device: OneDevice,
) -> None:
    device.join()
    roll_out(device, "net", 32)
    roll_out(device, "other", 48)
    gone, kept = of(device, "net"), of(device, "other")
    assert gone | kept <= stored(device)
    device.shoal("delete", "deployment", "net", "--yes")
    device.shoal("delete", "model", "net", "--yes")
    device.until(lambda: not of(device, "net"), "the Variants to go")
    device.until(lambda: not gone & stored(device), "their files to go")
    assert of(device, "other") == kept <= stored(device)
    device.infer("other", {"name": "x", "datatype": "FP32", "shape": [1, 64], "data": [0.5] * 64})
