"""What the small API of tests answers about resources."""

import json
from typing import Any

from tests.unit.client.api_rest import Rest

Resource = dict[str, Any]

_KINDS = {
    "devices": "Device",
    "deviceprofiles": "DeviceProfile",
    "models": "Model",
    "variants": "Variant",
    "deployments": "Deployment",
    "events": "Event",
}


class Handler(Rest):
    """The resources, their watches, and what operators do to them."""

    def _where(self) -> tuple[str, str | None, str | None]:
        """Kind, namespace and name of the address."""
        if self.parts[0] != "namespaces":
            return _KINDS[self.parts[0]], None, None
        name = self.parts[3] if len(self.parts) > 3 else None
        return _KINDS[self.parts[2]], self.parts[1], name

    def _get_kind(self) -> None:
        if self.parts[4:] == ["revisions"]:
            self._answer(200, {"items": self.server.revisions})
            return
        if self.parts[4:] == ["waves"]:
            self._answer(200, {"items": self.server.waves})
            return
        if self.parts[4:] == ["decisions"]:
            number = int(self.query.get("number", "0"))
            kept = [one for one in self.server.decisions if number in {0, one["number"]}]
            self._answer(200, {"items": kept, "continue": None})
            return
        if self.parts[4:] == ["why"]:
            self._why()
            return
        kind, namespace, name = self._where()
        if name is not None:
            found = self.server.resources.get((kind, namespace or "", name))
            if found is None:
                self._error(404, "NotFound", f"{kind} {name} does not exist")
            else:
                self._answer(200, found)
        elif self.query.get("watch") == "1":
            self._watch(kind, namespace)
        else:
            self._list(kind, namespace)

    def _fits(self, resource: Resource, kind: str, namespace: str | None) -> bool:
        wanted = dict(p.split("=") for p in self.query.get("labelSelector", "").split(",") if p)
        labels = resource["metadata"].get("labels", {})
        return (
            resource["kind"] == kind
            and namespace in {None, resource["metadata"]["namespace"]}
            and wanted.items() <= labels.items()
        )

    def _list(self, kind: str, namespace: str | None) -> None:
        every = [r for r in self.server.resources.values() if self._fits(r, kind, namespace)]
        start = int(self.query.get("continue", "0"))
        end = start + min(int(self.query.get("limit", "0")) or 500, self.server.page_items)
        more = str(end) if end < len(every) else None
        version = str(self.server.version)
        page = {"items": every[start:end], "continue": more}
        self._answer(200, {**page, "metadata": {"resourceVersion": version}})

    def _watch(self, kind: str, namespace: str | None) -> None:
        position = int(self.query["resourceVersion"])
        if position < self.server.compacted:
            self._error(410, "Gone", f"changes since {position} are no longer kept")
            return
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        with self.server.changed:
            self.server.watchers += 1
            self.server.changed.notify_all()
        while True:
            with self.server.changed:
                while self.server.is_open and self.server.version <= position:
                    if not self.server.changed.wait(self.server.pulse_s):
                        self.wfile.write(b"\n")
                if not self.server.is_open:
                    return
                news = [one for one in self.server.history if one[0] > position]
                position = self.server.version
            for _version, change, resource in news:
                if self._fits(resource, kind, namespace):
                    line = json.dumps({"type": change, "object": resource})
                    self.wfile.write(f"{line}\n".encode())

    def _put_kind(self) -> None:
        resource = self._json()
        kind, namespace, name = self._where()
        key = (kind, namespace or "", name or "")
        before = self.server.resources.get(key)
        if self.server.conflicts_to_come:
            self.server.conflicts_to_come -= 1
            self._error(409, "Conflict", f"{name} changed since it was read")
        elif before is None:
            self._error(404, "NotFound", f"{kind} {name} does not exist")
        elif before["metadata"]["resourceVersion"] != resource["metadata"]["resourceVersion"]:
            self._error(409, "Conflict", f"{name} changed since it was read")
        else:
            self._answer(200, self.server.store(resource))

    def _delete_kind(self) -> None:
        kind, namespace, name = self._where()
        key = (kind, namespace or "", name or "")
        if key not in self.server.resources:
            self._error(404, "NotFound", f"{kind} {name} does not exist")
            return
        self.server.remove(key)
        self._answer(200, {})

    def _post_kind(self) -> None:
        if not self.parts[4:]:
            self._answer(201, self.server.store(self._json()))
            return
        if self.body:
            self._json()
        self._act()

    def _act(self) -> None:
        """A verb changes nothing here: the request is kept and tells what it was."""
        kind, namespace, name = self._where()
        found = self.server.resources.get((kind, namespace or "", name or ""))
        if found is None:
            self._error(404, "NotFound", f"{kind} {name} does not exist")
        else:
            self._answer(200, found)

    def _why(self) -> None:
        found = self.server.whys.get((self.parts[2], self.parts[3]))
        if found is None:
            self._error(404, "NotFound", f"{self.parts[2]} {self.parts[3]} does not exist")
        else:
            self._answer(200, found)

    def _post_plan(self) -> None:
        """What each document would be; what the fleet would do is what the test says."""
        resources = [
            {**self._result(one), "changes": self.server.differences}
            for one in self._json()["items"]
        ]
        told = {"items": self.server.plans, "searches": [], "continue": None}
        self._answer(200, {**told, "resources": resources})

    def _result(self, resource: Resource) -> Resource:
        metadata = resource["metadata"]
        key = (resource["kind"], metadata.get("namespace", "default"), metadata["name"])
        before = self.server.resources.get(key)
        result = "created"
        if before is not None:
            result = "unchanged" if before["spec"] == resource["spec"] else "configured"
        return {"result": result, "object": resource, "warnings": self.server.warnings}

    def _post_apply(self) -> None:
        answer = self._result(self._json())
        if self.query["dryRun"] == "0" and answer["result"] != "unchanged":
            answer["object"] = self.server.store(answer["object"])
        self._answer(200, answer)
