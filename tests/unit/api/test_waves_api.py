"""GET …/waves: how many devices of each wave are shown."""

from collections.abc import Awaitable, Callable

import pytest

from tests.unit.api.conftest import Api

PATH = "/namespaces/default/deployments/digits/waves"
OnApi = Callable[[Callable[[Api], Awaitable[None]]], None]


@pytest.mark.parametrize(("query", "shown"), [("", 20), ("?devices=3", 3)])
def test_twenty_devices_a_wave_unless_asked(on_api: OnApi, query: str, shown: int) -> None:
    async def story(api: Api) -> None:
        answer = await api.ask("GET", PATH + query)
        assert answer.json()["items"][0]["devices"] == shown

    on_api(story)


def test_a_number_of_devices_that_is_none_is_refused(on_api: OnApi) -> None:
    async def story(api: Api) -> None:
        assert (await api.ask("GET", f"{PATH}?devices=many")).status_code in {400, 422}

    on_api(story)
