"""A real device as the scout of its class: it measures candidates before the first rollout."""

from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest

from tests.e2e.one_device import OneDevice
from tests.e2e.test_variant_kinds import dense, manifests, rows, served, write_rows

# Less than twice the memory that builders estimate on any machine: a device might miss it.
MEMORY = "40MiB"


@pytest.fixture
def device(tmp_path: Path) -> Iterator[OneDevice]:
    running = OneDevice(tmp_path, tmp_path / "cache")
    yield running
    running.close()


def test_what_a_scout_measured_is_chosen_and_shown(device: OneDevice, tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    folder.mkdir()
    onnx.save(dense(64, 3072, 3072, 8), folder / "net.onnx")
    write_rows(folder, 64)
    quality = {"metric": "agreement", "maxDrop": 0.1}
    compression = {"methods": ["quantize"], "objective": "bytes", "effort": "quick"}
    spec = {"quality": quality, "compression": compression}
    profile = {"budget": {"memory": MEMORY}}
    (folder / "net.yaml").write_text(manifests("net.onnx", spec, profile))

    device.join()
    device.until(
        lambda: any(
            one.get("status", {}).get("hardware", {}).get("speed_score")
            for one in device.shoal("get", "devices")["items"]
        ),
        "the device to say how fast it is",
    )
    device.shoal("apply", "-f", str(folder))
    device.rolled_out("net")

    variant, _ = served(device, rows(1, 64, 3))
    status = variant["status"]
    assert status["figures"] == "measured"
    found = status["measured"]["cam"]
    assert found["refusal"] == ""
    assert found["p95_ms"] > 0
    assert 0 < found["peak_memory_bytes"] <= 40 << 20
    assert found["agreement"] >= 0.99
    assert found["load_ms"] > 0
    told = device.shoal("get", "device", "cam")["status"]
    assert told["speedTier"] == 0  # one device is one tier
    others = [one["status"]["figures"] for one in device.shoal("get", "variants")["items"]]
    assert others.count("measured") >= 2  # the source too, as what the others are compared with
    assert told["scouting"] == []
    events = [one["spec"] for one in device.shoal("get", "events")["items"]]
    assert {"Scouting", "Scouted"} <= {one["reason"] for one in events}
    assert any("cam measure" in one["message"] for one in events)
    left = [one for one in (tmp_path / "state" / "trials").rglob("*") if one.is_file()]
    assert left == []
