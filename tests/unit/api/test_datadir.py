"""The data directory: held by one controller at a time, and told about when it cannot be used."""

from pathlib import Path

import pytest

from shoal.contract.problem import ConflictError, InvalidError
from shoal.controller import datadir


def test_a_second_controller_is_refused(tmp_path: Path) -> None:
    with (
        datadir.locked(tmp_path / "data"),
        pytest.raises(ConflictError, match=r"uses .* already"),
        datadir.locked(tmp_path / "data"),
    ):
        pass


def test_a_folder_that_cannot_be_made_is_named_with_its_option(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(InvalidError, match="cannot be the data directory: Not a directory") as told,
        datadir.locked(tmp_path / "file" / "data"),
    ):
        pass
    assert told.value.problem.field == "--data"
