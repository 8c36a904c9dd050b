"""A result file that several commands write parts of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def keep(path: Path, name: str, found: Mapping[str, Any]) -> None:
    """Put a part into a result file, in place of an older one; its other parts stay."""
    kept = json.loads(path.read_text("utf-8")) if path.exists() else {}
    kept[name] = found
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
