"""Every write and verb leaves an entry that says who did it."""

import asyncio
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from shoal.contract import digest as digests
from shoal.controller.api.app import create_app
from shoal.controller.store.database import open_sqlite
from shoal.controller.store.sqlite import SqliteStore
from tests.unit.api.conftest import some_ports
from tests.unit.api.documents import PROFILES, a_device, a_profile

OnApi = Callable[..., None]


async def entries(api: Any, **query: Any) -> list[dict[str, Any]]:
    answer = await api.ask("GET", "/audit", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_writes_and_verbs_are_kept_with_who_did_them(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        api.http.headers["Shoal-User"] = "ann@desk"
        await api.store.commit([a_device("cam")])
        await api.apply(a_profile())
        await api.apply(a_profile())  # says nothing new
        await api.apply(a_profile(priority=2))
        await api.ask("PUT", f"{PROFILES}/small", json=a_profile(priority=3))
        await api.ask("POST", PROFILES, json=a_profile("large"))
        await api.ask("DELETE", f"{PROFILES}/small")
        await api.ask("POST", "/namespaces/default/devices/cam/drain")
        await api.ask("POST", "/tokens", json={})
        found = [(e["spec"]["verb"], e["spec"]["regarding"]) for e in await entries(api)]
        small = "DeviceProfile/default/small"
        token, *rest = found
        assert token[0] == "create"
        assert token[1].startswith("Token/default/")
        assert rest == [
            ("drain", "Device/default/cam"),
            ("delete", small),
            ("create", "DeviceProfile/default/large"),
            ("replace", small),
            ("apply", small),
            ("apply", small),
        ]
        assert {e["spec"]["user"] for e in await entries(api)} == {"ann@desk"}

    on_api(story)


def test_changed_labels_are_told_as_such(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        await api.apply(a_profile())
        for labels in ({"tier": "small", "site": "north"}, {"tier": "large"}):
            profile = a_profile()
            profile["metadata"]["labels"] = labels
            await api.ask("PUT", f"{PROFILES}/small", json=profile)
        assert [e["spec"]["detail"] for e in await entries(api)] == [
            "generation 1, labels tier=large site-",
            "generation 1, labels tier=small site=north",
            "generation 1",
        ]

    on_api(story)


def test_what_is_refused_or_a_dry_run_leaves_no_entry(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        await api.apply(a_profile(), dry_run=True)
        await api.ask("PUT", f"{PROFILES}/small", json=a_profile())
        await api.ask("POST", "/apply", json={"kind": "Nothing"})
        assert await entries(api) == []

    on_api(story)


def test_an_upload_is_kept_when_the_blob_is_whole(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        digest = digests.of_bytes(b"ab")
        for at, part in enumerate((b"a", b"b")):
            headers = {"Upload-Offset": str(at), "Upload-Length": "2"}
            await api.ask("PATCH", f"/blobs/{digest}", content=part, headers=headers)
        (entry,) = await entries(api)
        assert (entry["spec"]["verb"], entry["spec"]["regarding"]) == ("upload", f"Blob//{digest}")

    on_api(story)


def test_the_log_is_read_page_by_page_from_the_newest(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        for number in range(5):
            await api.apply(a_profile(f"p{number}"))
        seen, token = [], ""
        while token is not None:
            answer = await api.ask("GET", "/audit", params={"limit": 2, "continue": token})
            page = answer.json()
            assert page["metadata"]["head"].startswith("sha256:")
            seen += [one["spec"]["regarding"][-1] for one in page["items"]]
            token = page["continue"]
        assert seen == ["4", "3", "2", "1", "0"]
        assert len(await entries(api, kind="DeviceProfile", name="p3")) == 1
        assert await entries(api, user="nobody") == []
        for wrong in ("x", "-1", "9" * 30, "٣"):
            refused = await api.ask("GET", "/audit", params={"continue": wrong})
            assert refused.status_code == 422, wrong

    on_api(story)


async def proof(api: Any, **query: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await api.ask("GET", "/audit/proof", params=query)).json()
    return found


def test_the_log_is_proved_whole_from_a_head_noted_earlier(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        assert await proof(api) == {
            "intact": True,
            "entries": 0,
            "broken": None,
            "noted": None,
            "head": None,
        }
        for number in range(3):
            await api.apply(a_profile(f"p{number}"))
        noted = (await proof(api))["head"]
        await api.apply(a_profile("p3"))
        found = await proof(api, noted=noted)
        assert (found["intact"], found["entries"], found["noted"]) == (True, 4, True)
        assert found["head"] != noted
        unknown = await proof(api, noted=digests.of_bytes(b"other"))
        assert (unknown["intact"], unknown["noted"], unknown["broken"]) == (False, False, None)
        refused = await api.ask("GET", "/audit/proof", params={"noted": "x"})
        assert refused.json()["error"]["message"].startswith("noted is a digest")

    on_api(story)


def test_a_changed_or_missing_entry_is_told(tmp_path: Path) -> None:
    async def story(changed: str) -> dict[str, Any]:
        database = await open_sqlite(tmp_path / f"{len(changed)}.db")
        ports, _ = some_ports(tmp_path / f"{len(changed)}", loopback_only=False)
        ports = dataclasses.replace(ports, store=SqliteStore(database))
        transport = httpx.ASGITransport(create_app(ports))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            for number in range(4):
                await http.post("/api/v1/apply", json=a_profile(f"p{number}"))
            await database.write(lambda c: c.exec_driver_sql(changed))
            found: dict[str, Any] = (await http.get("/api/v1/audit/proof")).json()
        await database.close()
        return found

    edited = asyncio.run(story("UPDATE acts SET user = 'eve' WHERE sequence = 2"))
    assert (edited["intact"], edited["broken"], edited["entries"]) == (False, 2, 4)
    dropped = asyncio.run(story("DELETE FROM acts WHERE sequence = 1"))
    assert (dropped["intact"], dropped["broken"], dropped["entries"]) == (False, 2, 3)


def test_a_name_that_is_none_is_refused(on_api: OnApi) -> None:
    async def story(api: Any) -> None:
        answer = await api.ask("POST", "/apply", json=a_profile(), headers={"Shoal-User": "a b"})
        assert answer.status_code == 422
        assert answer.json()["error"]["field"] == "Shoal-User"

    on_api(story)
