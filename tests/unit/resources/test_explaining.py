import json

import pytest

from shoal.contract.problem import InvalidError
from shoal.resources.explaining import explain, schema
from shoal.resources.kinds import KINDS


def walk(subject: str) -> list[tuple[str, str]]:
    """(path, description) of everything below `subject`."""
    found = []
    for field in explain(subject).fields:
        path = f"{subject}.{field.name}"
        found.append((path, field.description))
        if field.has_fields:
            found += walk(path)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_documented_in_a_sentence(kind: str) -> None:
    assert explain(kind).description.endswith(".")
    for path, description in walk(kind):
        assert description.endswith("."), path


def test_a_field_says_its_type_and_default() -> None:
    fields = {f.name: f for f in explain("deployment.spec.strategy").fields}
    assert (fields["quorum"].type, fields["quorum"].default) == ("percent", "50%")
    assert fields["deviceTimeout"].type == "duration"
    assert fields["waves"].type == "list of object"
    assert fields["waves"].default[0]["name"] == "canary"
    spec = {f.name: f for f in explain("Deployment.spec").fields}
    assert (spec["model"].required, spec["strategy"].required) == (True, False)
    budget = {f.name: f.type for f in explain("deviceprofiles.spec.budget").fields}
    assert budget == {"artifact": "size or null", "memory": "size or null", "latency": "object"}


def test_a_plain_field_is_explained_too() -> None:
    metric = explain("Model.spec.quality.metric")
    assert (metric.type, metric.fields) == ("text", ())
    assert "labels" in metric.description


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InvalidError) as kind:
        explain("Deploymnt")
    assert kind.value.problem.hint == "did you mean Deployment?"
    with pytest.raises(InvalidError) as field:
        explain("Model.spec.qualty")
    assert field.value.problem.hint == "did you mean quality?"
    with pytest.raises(InvalidError, match="no field deeper"):
        explain("Model.spec.source.deeper")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_json_schema_of_camel_case_fields(kind: str) -> None:
    text = json.dumps(schema(kind))
    assert '"apiVersion"' in text
    assert '"additionalProperties": false' in text
    assert "max_drop" not in text
