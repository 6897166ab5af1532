"""The shapes of plans, explanations and decisions, as OpenAPI documents them."""

from typing import Any, Final

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_MAYBE_TEXT: Final[Schema] = {"type": ["string", "null"]}
_NUMBER: Final[Schema] = {"type": "number"}
_MAYBE_NUMBER: Final[Schema] = {"type": ["number", "null"]}
_COUNT: Final[Schema] = {"type": "integer"}
_MAYBE_COUNT: Final[Schema] = {"type": ["integer", "null"]}
_FLAG: Final[Schema] = {"type": "boolean"}
_ANY_OBJECT: Final[Schema] = {"type": "object"}
_TEXTS: Final[Schema] = {"type": "array", "items": _TEXT}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def _maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


_FORECAST_DEVICE: Final = _object(
    device=_TEXT,
    profile=_MAYBE_TEXT,
    cohort=_MAYBE_TEXT,
    change={"enum": ["new", "changes", "keeps", "withdrawn", "nothing"]},
    current=_MAYBE_TEXT,
    variant=_MAYBE_TEXT,
    mayFallTo=_TEXTS,
    bytesToMove=_COUNT,
    bytesByVariant={"type": "object", "additionalProperties": _COUNT},
    wave=_MAYBE_TEXT,
    afterSeconds=_MAYBE_NUMBER,
    reason=_TEXT,
    message=_TEXT,
)
_FORECAST_COHORT: Final = _object(
    name=_TEXT,
    profile=_TEXT,
    profileClass=_TEXT,
    devices=_COUNT,
    variant=_MAYBE_TEXT,
    mayFallTo=_TEXTS,
    noFeasibleVariant=_maybe(_object(reason=_TEXT, message=_TEXT, nearest=_list(_ANY_OBJECT))),
)
_WAIT: Final = _object(reason=_TEXT, message=_TEXT, afterSeconds=_NUMBER, seconds=_NUMBER)
_FORECAST: Final = _object(
    deployment=_TEXT,
    starts=_FLAG,
    revision=_COUNT,
    modelRevision=_COUNT,
    result=_MAYBE_TEXT,
    reason=_TEXT,
    message=_TEXT,
    waves=_TEXTS,
    cohorts=_list(_FORECAST_COHORT),
    devices=_list(_FORECAST_DEVICE),
    bytesToMove=_COUNT,
    starved=_list(_object(by=_TEXT, reason=_TEXT, message=_TEXT)),
    rehearsal=_maybe(
        _object(
            end={"enum": ["complete", "stands", "not-followed"]},
            seconds=_NUMBER,
            waits=_list(_WAIT),
        )
    ),
    follows=_maybe(_object(model=_TEXT, modelRevision=_COUNT, devices=_COUNT)),
)
PLAN: Final = _object(
    **{"continue": _MAYBE_TEXT},
    items=_list(_FORECAST),
    searches=_list(_object(model=_TEXT, modelRevision=_COUNT, profileClass=_TEXT, scouting=_FLAG)),
    resources=_list(
        _object(
            result={"enum": ["created", "configured", "unchanged"]},
            object=_ANY_OBJECT,
            warnings=_TEXTS,
            changes=_list({"type": "object", "required": ["field", "from", "to"]}),
        )
    ),
)

_STATE: Final[Schema] = {
    "state": _TEXT,
    "reason": _TEXT,
    "what": _TEXT,
    "because": _TEXT,
    "waitsFor": _TEXT,
}
_VARIANT: Final = _object(
    digest=_TEXT,
    fate={"enum": ["chosen", "refused", "mayFallTo", "outranked", "ruledOut", "quarantined"]},
    why=_TEXT,
    bytes=_COUNT,
    score=_NUMBER,
    latencyP95Ms=_NUMBER,
    peakMemoryBytes=_COUNT,
)
_COHORT: Final = _object(
    name=_TEXT,
    profile=_TEXT,
    devices=_COUNT,
    wave=_MAYBE_TEXT,
    variant=_MAYBE_TEXT,
    why=_TEXT,
    variants=_list(_VARIANT),
    gates=_list(_ANY_OBJECT),
)
_REFERENCE: Final = _maybe(
    _object(
        number=_COUNT,
        time=_TEXT,
        revision=_COUNT,
        reason=_TEXT,
        message=_TEXT,
        snapshotDigest=_TEXT,
        replayable=_FLAG,
    )
)
DEPLOYMENT_WHY: Final = _object(
    deployment=_TEXT,
    revision=_COUNT,
    givenUp=_MAYBE_COUNT,
    modelRevision=_COUNT,
    **_STATE,
    nextLook=_MAYBE_TEXT,
    cohorts=_list(_COHORT),
    decision=_REFERENCE,
    frozenBy=_REFERENCE,
)
DEVICE_WHY: Final = _object(
    device=_TEXT,
    profile=_TEXT,
    profileClass=_MAYBE_TEXT,
    reach={"enum": ["reachable", "late", "lost"]},
    lastSeen=_MAYBE_TEXT,
    standing={"enum": ["Approved", "Pending", "Revoked"]},
    drained=_FLAG,
    suspended=_FLAG,
    what=_TEXT,
    because=_TEXT,
    waitsFor=_TEXT,
    deployments=_list(
        _object(
            deployment=_TEXT,
            outcome=_TEXT,
            **_STATE,
            told=_MAYBE_TEXT,
            running=_MAYBE_TEXT,
            wave=_MAYBE_TEXT,
            place=_MAYBE_COUNT,
            cohort=_maybe(_COHORT),
            decision=_REFERENCE,
            frozenBy=_REFERENCE,
        )
    ),
)
_COUNTS: Final[Schema] = {"type": "object", "additionalProperties": _COUNT}
_REPLAY: Final = _maybe(_object(same=_FLAG, difference=_TEXT, sameCode=_FLAG))
_DECISION: Final = _object(
    number=_COUNT,
    time=_TEXT,
    generation=_COUNT,
    revision=_COUNT,
    modelRevision=_COUNT,
    models=_list(_object(number=_COUNT, ready=_FLAG)),
    wave=_COUNT,
    result=_MAYBE_TEXT,
    reason=_TEXT,
    message=_TEXT,
    selected=_COUNT,
    reachable=_COUNT,
    counts=_COUNTS,
    gates=_list(_ANY_OBJECT),
    told=_list(_object(device=_TEXT, variant=_TEXT, revision=_COUNT)),
    toldDevices=_COUNT,
    withdrawn=_TEXTS,
    withdrawnDevices=_COUNT,
    events=_list(_object(severity=_TEXT, reason=_TEXT, message=_TEXT)),
    snapshotDigest=_TEXT,
    planDigest=_TEXT,
    version=_TEXT,
    replayable=_FLAG,
)
# Decisions of earlier releases name no code, and only what was asked to be replayed was.
_DECISION["properties"] |= {"code": _TEXT, "replay": _REPLAY}
DECISIONS: Final = _object(**{"continue": _MAYBE_TEXT}, items=_list(_DECISION))
