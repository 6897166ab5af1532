"""DeviceProfile: which devices have which budget, and how variants run on them."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from shoal.resources.base import Document, Resource, Selector, Unread
from shoal.resources.quantities import Duration, Size
from shoal.resources.statuses.profile import DeviceProfileStatus
from shoal.resources.words import Words

_ENGINES = Words(what="engine", built=("onnxruntime", "litert"))
_PROVIDERS = Words(
    what="execution provider",
    built=("CPUExecutionProvider",),
    later=(
        "ACLExecutionProvider",
        "CUDAExecutionProvider",
        "OpenVINOExecutionProvider",
        "QNNExecutionProvider",
        "TensorrtExecutionProvider",
        "XnnpackExecutionProvider",
    ),
)
_PRECISIONS = Words(what="precision", built=("int8", "fp32", "fp16", "int4"), later=("bf16",))


class LatencyBudget(Document):
    """Limits of the time of one inference, batch 1."""

    p95: Duration | None = Field(default=None, description="95 of 100 inferences are faster.")


class BudgetSpec(Document):
    """What a variant may cost; null is unlimited."""

    artifact: Size | None = Field(default=None, description="Bytes of the variant's file.")
    memory: Size | None = Field(
        default=None, description="Peak memory of a fresh process beyond the runtime's own share."
    )
    latency: LatencyBudget = Field(
        default_factory=LatencyBudget, description="Limits of the time of one inference."
    )


class RuntimeSpec(Document):
    """How the engine runs a variant on these devices."""

    engines: list[Annotated[str, AfterValidator(_ENGINES.check)]] = Field(
        default_factory=lambda: ["onnxruntime"],
        min_length=1,
        description="Engines that variants may be for: "
        "onnxruntime, litert, or both; a device has those that are installed on it.",
    )
    providers: list[Annotated[str, AfterValidator(_PROVIDERS.check)]] = Field(
        default_factory=lambda: ["CPUExecutionProvider"],
        min_length=1,
        description="Execution providers of ONNX Runtime, most wanted first.",
    )
    threads: int = Field(default=1, ge=1, le=256, description="Threads of one inference.")
    precisions: list[Annotated[str, AfterValidator(_PRECISIONS.check)]] = Field(
        default_factory=lambda: ["int8", "fp32"],
        min_length=1,
        description="Number formats that variants may compute in.",
    )


class DeviceProfileSpec(Document):
    """Which devices, what a variant may cost there, how it runs."""

    priority: int = Field(
        default=0,
        description="A device has the matching profile of highest priority, then first name.",
    )
    selector: Selector = Field(
        default_factory=Selector, description="The devices that may have this profile."
    )
    budget: BudgetSpec = Field(default_factory=BudgetSpec, description="What a variant may cost.")
    runtime: RuntimeSpec = Field(
        default_factory=RuntimeSpec, description="How the engine runs a variant."
    )


class DeviceProfile(Resource):
    """What a group of devices can carry; devices without one have the built-in `default`."""

    kind: Literal["DeviceProfile"] = Field(description="The kind.")
    spec: DeviceProfileSpec = Field(description="Which devices, and what they can carry.")
    status: Annotated[DeviceProfileStatus | None, Unread(DeviceProfileStatus)] = Field(
        default=None, description="Who has it; ignored when written by people."
    )
