"""The reader as torch fits it; `rag.reader` works the same out without torch."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch  # noqa: TID253 nothing that serves imports this
from numpy.typing import NDArray
from torch import nn  # noqa: TID253

from eval.fit_reader import SEED, Row
from eval.text import best, cmrc_exact, cmrc_f1
from rag.reader import HEADS, LAYERS, POSITIONS, WIDTH

BATCH = 32
RATE = 1.5e-3
LONGEST = 30
"""Tokens of a span."""


class Net(nn.Module):  # type: ignore[misc]
    """What `rag.reader.forward` works out, to be fitted."""

    def __init__(self, states: int) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.2)
        self.inward = nn.Linear(states, WIDTH)
        self.place, self.match = nn.Embedding(2, WIDTH), nn.Embedding(2, WIDTH)
        self.position = nn.Embedding(POSITIONS, WIDTH)
        nn.init.normal_(self.position.weight, std=0.02)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                WIDTH, HEADS, 2 * WIDTH, dropout=0.1, batch_first=True, norm_first=True
            )
            for _ in range(LAYERS)
        )
        self.span, self.pair = nn.Linear(WIDTH, 2), nn.Linear(WIDTH, 1)

    def forward(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of the spans, (rows, tokens, 2), and of the pairs, (rows,)."""
        x = self.inward(self.drop(batch.states)) + self.place(batch.place) + self.match(batch.match)
        x = x + self.position(torch.arange(x.shape[1]))[None]
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=batch.padding)
        return self.span(x), self.pair(x[:, 0])[:, 0]


@dataclass(frozen=True, slots=True)
class Batch:
    """Several rows, padded; `right` is 1 where an answer begins, and where one ends."""

    states: torch.Tensor
    place: torch.Tensor
    match: torch.Tensor
    padding: torch.Tensor
    within: torch.Tensor
    right: torch.Tensor
    answers: torch.Tensor


def batched(rows: Sequence[Row]) -> Batch:
    """Rows side by side."""
    count, longest = len(rows), max(len(r.given.place) for r in rows)
    states = torch.zeros(count, longest, rows[0].given.states.shape[1])
    place, match = (torch.zeros(count, longest, dtype=torch.long) for _ in "ab")
    padding = torch.ones(count, longest, dtype=torch.bool)
    within = torch.zeros(count, longest, dtype=torch.bool)
    right = torch.zeros(count, longest, 2)
    for i, one in enumerate(rows):
        size = len(one.given.place)
        states[i, :size] = torch.from_numpy(one.given.states)
        place[i, :size] = torch.from_numpy(one.given.place)
        match[i, :size] = torch.from_numpy(one.given.match)
        within[i, :size] = torch.from_numpy(one.given.within)
        padding[i, :size] = False
        for start, end in one.right:
            right[i, start, 0] = right[i, end, 1] = 1
    answers = torch.tensor([float(r.example.kind == "answer") for r in rows])
    return Batch(states, place, match, padding, within, right, answers)


def loss(net: Net, batch: Batch) -> torch.Tensor:
    """Of both: minus the logarithm of the right spans' and of the right verdicts' probability."""
    spans, pairs = net(batch)
    likely = torch.log_softmax(spans.masked_fill(~batch.within[..., None], -1e9), dim=1)
    missed = -torch.logsumexp(likely.masked_fill(batch.right == 0, -1e9), dim=1).sum(dim=1)
    found = batch.right.sum(dim=(1, 2)) > 0
    verdict = nn.functional.binary_cross_entropy_with_logits(pairs, batch.answers)
    return verdict + (missed * found).sum() / found.sum().clamp(min=1)


def fit(rows: Sequence[Row], epochs: int) -> Net:
    """A net that has seen each row so many times."""
    draw = random.Random(SEED)  # noqa: S311 no secret
    torch.manual_seed(SEED)
    net = Net(rows[0].given.states.shape[1])
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=0.01)
    steps = epochs * math.ceil(len(rows) / BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, steps, pct_start=0.1)
    began = time.monotonic()
    for epoch in range(epochs):
        net.train()
        order = sorted(rows, key=lambda r: len(r.given.place) + 20 * draw.random())
        batches = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
        draw.shuffle(batches)
        total = 0.0
        for held in batches:
            value = loss(net, batched(held))
            optimiser.zero_grad()
            value.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += value.item()
        spent = time.monotonic() - began
        print(f"epoch {epoch + 1}: loss {total / len(batches):.3f}, {spent:.0f} s", flush=True)
    return net


def report(net: Net, rows: Sequence[Row]) -> None:
    """By set: spans just right and their F1; how well each kind is told from answers (AUC)."""
    net.eval()
    spans: dict[str, list[tuple[float, float]]] = {}
    verdicts: dict[str, dict[str, list[float]]] = {}
    with torch.no_grad():
        for place in range(0, len(rows), BATCH):
            held = rows[place : place + BATCH]
            batch = batched(held)
            given, pairs = net(batch)
            likely = torch.log_softmax(given.masked_fill(~batch.within[..., None], -1e9), dim=1)
            for one, own, pair in zip(held, likely.numpy(), pairs.tolist(), strict=True):
                example = one.example
                verdicts.setdefault(example.source, {}).setdefault(example.kind, []).append(pair)
                if example.kind == "answer":
                    text = _best(own, one)
                    exact = best(cmrc_exact, text, example.answers)
                    f1 = best(cmrc_f1, text, example.answers)
                    spans.setdefault(example.source, []).append((exact, f1))
    for source, kinds in verdicts.items():
        exact, f1 = np.mean(spans[source], axis=0)
        told = {k: f"{_auc(kinds['answer'], v):.3f}" for k, v in kinds.items() if k != "answer"}
        print(
            f"  {source}: {len(spans[source])} exact {exact:.3f}, F1 {f1:.3f}; {told}", flush=True
        )


def _best(likely: NDArray[np.float32], one: Row) -> str:
    size = len(one.given.place)
    both = likely[:size, None, 0] + likely[None, :size, 1]
    near = np.triu(np.ones((size, size), bool)) & ~np.triu(np.ones((size, size), bool), LONGEST)
    first, last = np.unravel_index(np.where(near, both, -np.inf).argmax(), both.shape)
    return one.example.sentence[one.given.spans[first, 0] : one.given.spans[last, 1]].strip()


def _auc(good: Sequence[float], bad: Sequence[float]) -> float:
    order = np.argsort(np.argsort([*good, *bad])) + 1
    return float((order[: len(good)].sum() / len(good) - (len(good) + 1) / 2) / len(bad))
