"""Networks of several kinds, and the functions that hand them to shoal-compress as a loader."""

import torch
from torch import Tensor, nn

Example = Tensor | tuple[Tensor, ...] | dict[str, Tensor]


class Images(nn.Module):
    """Convolutions, batch norm and dropout over 8x8 images."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.drop = nn.Dropout(0.5)
        self.scores = nn.Linear(16, 10)

    def forward(self, image: Tensor) -> Tensor:
        found = nn.functional.relu6(self.second(torch.relu(self.norm(self.first(image)))))
        scores: Tensor = self.scores(self.drop(found.mean((2, 3))))
        return scores


class Text(nn.Module):
    """A transformer that averages what its mask counts."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.scores = nn.Linear(16, 3)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        found = self.encoder(self.words(input_ids), src_key_padding_mask=attention_mask == 0)
        counted = attention_mask.unsqueeze(-1).to(found.dtype)
        mean = (found * counted).sum(1) / counted.sum(1)
        return {"scores": self.scores(mean), "mean": mean}


class Steps(nn.Module):
    """A recurrent reader of short sequences, with two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.reader = nn.LSTM(8, 16, batch_first=True)
        self.scores = nn.Linear(16, 4)

    def forward(self, steps: Tensor) -> tuple[Tensor, Tensor]:
        found, _ = self.reader(steps)
        return self.scores(found[:, -1]), found


class OneRow(nn.Module):
    """Works on one row alone."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 16)
        self.second = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.second(nn.functional.gelu(self.first(x))).reshape(1, 3)
        return scores


class Undecided(nn.Module):
    """Its way depends on the values of its input."""

    def forward(self, x: Tensor) -> Tensor:
        if x.sum() > 0:
            return x
        return -x


def _seeded(kind: type[nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return kind()


def images() -> tuple[nn.Module, Example]:
    print("loading the images' network")  # noqa: T201 - loaders may say what they do
    return _seeded(Images), torch.rand(1, 1, 8, 8)


def text() -> tuple[nn.Module, Example]:
    ids = torch.randint(0, 50, (2, 12))
    return _seeded(Text), {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def steps() -> tuple[nn.Module, Example]:
    return _seeded(Steps), (torch.rand(1, 5, 8),)


def one_row() -> tuple[nn.Module, Example]:
    return _seeded(OneRow), torch.rand(1, 4)


def undecided() -> tuple[nn.Module, Example]:
    return Undecided(), torch.rand(1, 4)


def alone() -> nn.Module:
    return _seeded(OneRow)


def failing() -> tuple[nn.Module, Example]:
    raise FileNotFoundError("weights.pt is not here")


def unfitting() -> tuple[nn.Module, Example]:
    return _seeded(OneRow), torch.rand(1, 5)
