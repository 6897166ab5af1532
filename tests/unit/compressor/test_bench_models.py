"""The nets that the benchmark trains are those that the targets were measured on."""

from pathlib import Path

import pytest

from bench import models


@pytest.mark.parametrize(("name", "parameters"), [("resnet8", 308_074), ("dscnn", 39_050)])
def test_the_nets_have_the_parameters_of_the_targets(name: str, parameters: int) -> None:
    net = models.TRAINED[name]()
    assert sum(parameter.numel() for parameter in net.parameters()) == parameters


def test_the_rows_are_split_once_and_used_up() -> None:
    assert models.TRAIN_ROWS + models.CALIBRATION_ROWS + models.EVALUATION_ROWS == 1_797


def test_a_model_that_is_nowhere_says_what_would_bring_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(models.FOLDER_VARIABLE, raising=False)
    with pytest.raises(models.MissingError, match=models.FOLDER_VARIABLE):
        models.prepare("mnist", tmp_path)
