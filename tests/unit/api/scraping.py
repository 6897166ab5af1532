"""What a scrape answered, and a deployment to be told of."""

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from shoal.controller.store.port import Record

PLACE = ("Deployment", "default", "digits")
DIGITS = {"namespace": "default", "deployment": "digits"}


class Scraped:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        self.families = list(text_string_to_metric_families(text))
        self.samples = [one for family in self.families for one in family.samples]

    def value(self, name: str, **labels: str) -> float:
        (found,) = [one for one in self.samples if (one.name, one.labels) == (name, labels)]
        return found.value

    def hot(self, name: str, **labels: str) -> list[dict[str, str]]:
        """The labels of the samples that are 1, among those with `labels`."""
        found = [one for one in self.samples if one.name == name and one.value == 1]
        return [one.labels for one in found if labels.items() <= one.labels.items()]


def a_deployment_record(status: dict[str, Any] | None = None) -> Record:
    kind, namespace, name = PLACE
    data = {"metadata": {"name": name}, "spec": {}, "status": status}
    return Record(kind=kind, namespace=namespace, name=name, uid="u", resource_version=1, data=data)


async def scrape(api: Any) -> Scraped:
    answer = await api.http.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Scraped(answer.text)
