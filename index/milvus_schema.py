"""What a row is in Milvus, and conditions on rows in Milvus' language."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.lexical import K1, B, Counts
from index.parts import Parts
from index.types import Batch

Fact = str | Sequence[str] | None
"""What is known of a group: one value, several, or nothing."""

NAME_BYTES = 512
"""Of ids and groups."""

FACT_BYTES = 1_024
"""Of a fact; what is longer is cut, where it is held and where it is asked for."""

_MOST = 4_096  # elements of an array: Milvus' limit
_NOTHING = 0  # the dimension of a row without any token; tokens' numbers begin at 1


@dataclass(frozen=True, slots=True)
class Chosen:
    """Groups that the server itself works out.

    Attributes:
        condition: in Milvus' language; every value in it has gone through `quoted`.
    """

    condition: str


Groups = Chosen | Collection[str]


def quoted(value: str) -> str:
    """A text as it stands in a condition, whatever it holds.

    A server of 2.5 or later takes values apart from the condition; milvus-lite does not.
    """
    return json.dumps(value, ensure_ascii=False)


def listed(values: Collection[str]) -> str:
    """Some texts as they stand in a condition."""
    return "[" + ", ".join(quoted(value) for value in sorted(values)) + "]"


def within(groups: Groups | None) -> str:
    """The condition that lets through the rows of some groups; "" for all."""
    if groups is None:
        return ""
    return groups.condition if isinstance(groups, Chosen) else f"grp in {listed(groups)}"


def cut(value: str) -> str:
    """As much of a fact as is held."""
    return value.encode()[:FACT_BYTES].decode(errors="ignore")


def columns(dim: int, facts: Mapping[str, bool]) -> list[dict[str, Any]]:
    """The fields of a collection, as `pymilvus` takes them.

    Args:
        dim: the vectors' width.
        facts: names of what is known of each group, and whether one may have several values.
    """
    from pymilvus import DataType

    text = {"datatype": DataType.VARCHAR}
    some = {"datatype": DataType.ARRAY, "max_capacity": _MOST}
    return [
        {"field_name": "id", **text, "is_primary": True, "max_length": NAME_BYTES},
        {"field_name": "grp", **text, "max_length": NAME_BYTES},
        # How many tokens it has, fields weighed, and the lower part of BM25's fraction by the mean
        # length of that day: with it `words` gives back how often each token stands in the row.
        {"field_name": "length", "datatype": DataType.DOUBLE},
        {"field_name": "norm", "datatype": DataType.DOUBLE},
        {"field_name": "tokens", **some, "element_type": DataType.INT64},
        {"field_name": "words", "datatype": DataType.SPARSE_FLOAT_VECTOR},
        {"field_name": "vector", "datatype": DataType.FLOAT_VECTOR, "dim": dim},
        # The vectors of its parts, int8, each in base64.
        {"field_name": "parts", **some, "element_type": DataType.VARCHAR,
         "max_length": 4 * (dim // 3 + 1)},
        *(
            {"field_name": name, **some, "element_type": DataType.VARCHAR, "max_length": FACT_BYTES}
            if several
            else {"field_name": name, **text, "max_length": FACT_BYTES, "nullable": True}
            for name, several in facts.items()
        ),
    ]  # fmt: skip


def rows_of(
    batch: Batch,
    found: Sequence[Counts],
    numbers: Mapping[str, int],
    mean: float,
    facts: Mapping[str, Mapping[str, Fact]],
    several: Mapping[str, bool],
) -> list[dict[str, Any]]:
    """A batch as rows.

    Args:
        batch: the entries, their vectors and parts.
        found: each entry's tokens.
        numbers: every token's number.
        mean: the rows' mean length.
        facts: what is known of each group, by name; one that is missing has none.
        several: as `facts` of `columns`.
    """
    parts = batch.parts or Parts.none(len(batch.entries), batch.vectors.shape[1])
    starts = np.concatenate([[0], parts.ends[:-1]]) if len(parts) else parts.ends
    rows = []
    for place, (entry, counts) in enumerate(zip(batch.entries, found, strict=True)):
        length = sum(counts.values())
        norm = K1 * (1 - B) + K1 * B * length / (mean or 1.0)
        words = {numbers[token]: tf / (tf + norm) for token, tf in counts.items()}
        known = facts.get(entry.group, {})
        codes = parts.codes[starts[place] : parts.ends[place]]
        rows.append(
            {
                "id": entry.id,
                "grp": entry.group,
                "length": length,
                "norm": norm,
                "tokens": sorted(words)[:_MOST],
                "words": words or {_NOTHING: 1.0},
                "vector": batch.vectors[place],
                "parts": [base64.b64encode(code.tobytes()).decode() for code in codes],
                **{name: _held(known.get(name), many) for name, many in several.items()},
            }
        )
    return rows


def _held(fact: Fact, several: bool) -> str | list[str] | None:
    if several:
        values = [fact] if isinstance(fact, str) else fact or ()
        return [cut(value) for value in values][:_MOST]
    return cut(fact) if isinstance(fact, str) else None


def vector_and_parts(
    row: Mapping[str, Any], dim: int
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """A row's vector, (dim,), and its parts, int8, (m, dim)."""
    codes = b"".join(base64.b64decode(code) for code in row["parts"])
    return np.asarray(row["vector"], np.float32), np.frombuffer(codes, "i1").reshape(-1, dim)


def frequencies(row: Mapping[str, Any]) -> dict[int, float]:
    """How often each token stands in a row, by number."""
    norm = row["norm"]
    return {token: weight * norm / (1 - weight) for token, weight in row["words"].items()
            if token != _NOTHING}  # fmt: skip
