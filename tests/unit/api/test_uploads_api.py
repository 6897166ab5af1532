from collections.abc import Callable
from typing import Any

from shoal.contract import digest as digests

OnApi = Callable[..., None]
NOW_MS = 1_767_323_045_678
DEPLOYMENT = {
    "apiVersion": "shoal/v1",
    "kind": "Deployment",
    "metadata": {"name": "digits"},
    "spec": {"model": "digits", "selector": {}},
}


def error_of(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["error"]
    assert {"reason", "message"} <= found.keys()
    return found


def test_an_upload_is_resumed_where_it_stopped(on_api: OnApi) -> None:
    data = b"0123456789"
    digest = digests.of_bytes(data)

    def headers(offset: int, total: int = 10) -> dict[str, str]:
        return {"Upload-Offset": str(offset), "Upload-Length": str(total)}

    async def story(api: Any) -> None:
        path = f"/blobs/{digest}"
        nothing = await api.ask("HEAD", path)
        assert (nothing.status_code, nothing.headers["upload-offset"]) == (404, "0")
        first = await api.ask("PATCH", path, headers=headers(0), content=data[:4])
        assert (first.status_code, first.headers["upload-offset"]) == (204, "4")
        partial = await api.ask("HEAD", path)
        assert (partial.status_code, partial.headers["upload-offset"]) == (404, "4")
        wrong = await api.ask("PATCH", path, headers=headers(0), content=data)
        assert wrong.status_code == 409
        last = await api.ask("PATCH", path, headers=headers(4), content=data[4:])
        assert (last.status_code, last.headers["upload-offset"]) == (201, "10")
        assert (await api.ask("HEAD", path)).status_code == 200
        assert api.blobs.path(digest).read_bytes() == data

        lying = await api.ask(
            "PATCH", f"/blobs/{digests.of_bytes(b'x')}", headers=headers(0, 1), content=b"y"
        )
        assert (lying.status_code, error_of(lying)["reason"]) == (422, "DigestMismatch")
        assert (await api.ask("HEAD", "/blobs/md5:1")).status_code == 422
        assert (await api.ask("PATCH", path, content=b"")).status_code == 422
        big = await api.ask(
            "PATCH",
            f"/blobs/{digests.of_bytes(b'big')}",
            headers=headers(0, 1 << 30),
            content=bytes(4 * 1024 * 1024 + 1),
        )
        assert big.status_code == 413

    on_api(story)
