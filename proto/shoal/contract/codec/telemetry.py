"""Telemetry on the wire."""

import itertools

from shoal.contract.codec.checks import at_most, digest_in, finite
from shoal.contract.histogram import Histogram
from shoal.contract.limits import (
    CLASSES_COUNTED,
    CONFIDENCE_STEPS,
    HISTOGRAM_BUCKETS,
    SPOOL_WINDOWS,
)
from shoal.contract.telemetry import TelemetryBatch, TelemetryWindow
from shoal.v1 import telemetry_pb2


def encode_telemetry(value: TelemetryBatch) -> telemetry_pb2.TelemetryBatch:
    """The message of a batch of windows."""
    return telemetry_pb2.TelemetryBatch(
        device=value.device,
        boot_id=value.boot_id,
        sequence=value.sequence,
        windows=[_encode_window(one) for one in value.windows],
        sent_ms=value.sent_ms,
    )


def decode_telemetry(message: telemetry_pb2.TelemetryBatch) -> TelemetryBatch:
    """The batch in a message; class counts come out sorted by class.

    Raises:
        ValueError: a malformed digest or histogram, a bad number or too many entries.
    """
    at_most(message.windows, SPOOL_WINDOWS, "windows")
    return TelemetryBatch(
        device=message.device,
        boot_id=message.boot_id,
        sequence=message.sequence,
        windows=tuple(
            _decode_window(one, f"windows[{i}]") for i, one in enumerate(message.windows)
        ),
        sent_ms=message.sent_ms,
    )


def _encode_window(value: TelemetryWindow) -> telemetry_pb2.TelemetryWindow:
    return telemetry_pb2.TelemetryWindow(
        deployment=value.deployment,
        variant=value.variant,
        generation=value.generation,
        start_ms=value.start_ms,
        duration_ms=value.duration_ms,
        requests=value.requests,
        errors=value.errors,
        latency_ms=telemetry_pb2.Histogram(
            scale=value.latency_ms.scale,
            index=[index for index, _ in value.latency_ms.buckets],
            count=[count for _, count in value.latency_ms.buckets],
            zeros=value.latency_ms.zeros,
            total=value.latency_ms.total,
        ),
        labelled=value.labelled,
        correct=value.correct,
        classes=dict(value.classes),
        rss_bytes=value.rss_bytes,
        confidences=dict(value.confidences),
        shadowed=value.shadowed,
        shadow_differed=value.shadow_differed,
        paired=value.paired,
        paired_worse=value.paired_worse,
        paired_better=value.paired_better,
        scored=value.scored,
        absolute_error=value.absolute_error,
        squared_error=value.squared_error,
    )


def _decode_window(message: telemetry_pb2.TelemetryWindow, place: str) -> TelemetryWindow:
    at_most(message.classes, CLASSES_COUNTED, f"{place}.classes")
    at_most(message.confidences, CONFIDENCE_STEPS, f"{place}.confidences")
    return TelemetryWindow(
        deployment=message.deployment,
        variant=digest_in(message.variant, f"{place}.variant"),
        generation=message.generation,
        start_ms=message.start_ms,
        duration_ms=message.duration_ms,
        requests=message.requests,
        errors=message.errors,
        latency_ms=_decode_histogram(message.latency_ms, f"{place}.latency_ms"),
        labelled=message.labelled,
        correct=message.correct,
        classes=tuple(sorted(message.classes.items())),
        rss_bytes=message.rss_bytes,
        confidences=tuple(sorted(message.confidences.items())),
        shadowed=message.shadowed,
        shadow_differed=message.shadow_differed,
        paired=message.paired,
        paired_worse=message.paired_worse,
        paired_better=message.paired_better,
        scored=message.scored,
        absolute_error=finite(message.absolute_error, f"{place}.absolute_error"),
        squared_error=finite(message.squared_error, f"{place}.squared_error"),
    )


def _decode_histogram(message: telemetry_pb2.Histogram, place: str) -> Histogram:
    at_most(message.index, HISTOGRAM_BUCKETS, f"{place}.index")
    if len(message.index) != len(message.count):
        raise ValueError(f"{place}.count: must have one entry for each index")
    if any(low >= high for low, high in itertools.pairwise(message.index)):
        raise ValueError(f"{place}.index: must rise")
    return Histogram(
        scale=message.scale,
        buckets=tuple(zip(message.index, message.count, strict=True)),
        zeros=message.zeros,
        total=finite(message.total, f"{place}.total"),
    )
