"""Resources as a controller shows them, for tables and descriptions."""

from typing import Any

Resource = dict[str, Any]
DIGEST = "sha256:" + "ab12" * 16


def a_resource(kind: str, name: str, spec: Resource, status: Resource | None = None) -> Resource:
    metadata = {
        "name": name,
        "namespace": "default",
        "labels": {},
        "generation": 1,
        "creationTime": "2026-01-02T03:04:05.678Z",
    }
    made: Resource = {
        "apiVersion": "shoal/v1",
        "kind": kind,
        "metadata": metadata,
        "spec": spec,
    }
    return made if status is None else {**made, "status": status}


def a_condition(kind: str, status: str, **more: object) -> Resource:
    return {"type": kind, "status": status, "observedGeneration": 1, **more}


def a_device(name: str = "cam-1", ready: str = "True", **labels: str) -> Resource:
    device = a_resource(
        "Device",
        name,
        {},
        {
            "conditions": [a_condition("Ready", ready, reason="Enrolled", message="it reports")],
            "hardware": {"arch": "x86_64", "cores": 2},
            "profile": "camera-small",
            "profileClass": "f00d" * 4,
            "lastSeen": "2026-01-02T03:04:05.678Z",
            "agentVersion": "0.1.0",
            "link": "mqtt",
            "servingUrl": "http://127.0.0.1:9000",
            "running": [
                {"deployment": "default/digits", "model": "digits", "revision": 3, "digest": DIGEST}
            ],
            "outcomes": [
                {
                    "deployment": "default/digits",
                    "phase": "Failed",
                    "reason": "LoadFailed",
                    "message": "the session did not start",
                }
            ],
        },
    )
    device["metadata"]["labels"] = dict(labels)
    return device


def a_miss() -> Resource:
    return {
        "constraint": "artifact_bytes",
        "limit": 10_240,
        "nearest": 12_288,
        "missed_by": 2_048,
        "digest": "sha256:" + "ab12" * 16,
    }


def a_model(name: str = "digits") -> Resource:
    revision = {
        "number": 2,
        "digest": DIGEST,
        "score": 0.98611,
        "ready": True,
        "classes": {
            "f00d": {
                "state": "Ready",
                "variants": 7,
                "chosen": {
                    "camera-small": {"digest": DIGEST, "bytes": 20480, "score": 0.98},
                    "camera-tiny": {"noFeasibleVariant": {"nearest": [a_miss()]}},
                },
            }
        },
    }
    return a_resource(
        "Model",
        name,
        {"source": DIGEST, "quality": {"maxDrop": 0.01}, "data": {}, "compression": {}},
        {"revisions": [revision], "conditions": [a_condition("Ready", "True")]},
    )


def a_deployment(result: str = "active", **status: object) -> Resource:
    gate = {
        "metric": "accuracy",
        "cohort": "small",
        "verdict": "fail",
        "value": 0.12,
        "baseline": 0.98,
        "limit": 0.05,
        "samples": 360,
        "interval": [0.81, 0.9],
        "advisory": False,
        "message": "the candidate loses 0.86",
    }
    return a_resource(
        "Deployment",
        "digits",
        {"model": "digits", "selector": {"matchLabels": {"app": "reader"}}},
        {
            "observedGeneration": 1,
            "revision": 2,
            "modelRevision": 2,
            "takenModelRevision": 2,
            "result": result,
            "message": "the accuracy gate failed",
            "devices": {"selected": 9, "reachable": 9, "Confirmed": 3},
            "cohorts": [{"name": "small", "devices": 3, "variant": DIGEST}],
            "wave": 0,
            "waves": [
                {
                    "name": "canary",
                    "devices": 3,
                    "result": "failed",
                    "counts": {"Confirmed": 3},
                    "gates": [gate],
                }
            ],
            "blocked": [
                {
                    "device": "cam-7",
                    "outcome": "Failed",
                    "reason": "LoadFailed",
                    "message": "line one\nline two",
                }
            ],
            "conditions": [a_condition("Available", "True")],
            **status,
        },
    )


def an_event(name: str, *, type_: str = "Normal", time: str = "2026-01-02T03:04:05Z") -> Resource:
    spec = {
        "regarding": "Deployment/default/digits",
        "type": type_,
        "reason": "GateFailed",
        "message": f"what {name} says",
        "count": 2,
        "firstTime": time,
        "lastTime": time,
    }
    return a_resource("Event", name, spec)


def an_entry(number: int, *, user: str, verb: str) -> Resource:
    """One line of the audit log."""
    spec = {
        "time": "2026-01-02T03:04:05.678Z",
        "user": user,
        "verb": verb,
        "regarding": "Deployment/default/digits",
        "detail": "",
        "digest": "sha256:" + "ab" * 32,
    }
    return a_resource("AuditEntry", f"{number:012d}", spec, {})
