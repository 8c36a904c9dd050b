"""Serves the real application over a small archive with an encoder that needs no model.

`python tests/serve_sample.py PORT` is what `make api-check` sends its requests to; the home is a
temporary folder.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import uvicorn
from fakes import HashingEncoder

from api.app import create_app
from api.settings import load
from rag.pipeline import Pipeline

ARTICLE = (
    "---\ntitle: 试验田\nauthors: 王一\ndate: 2024-05-20\n---\n\n今年全县建成试验田三十二块。\n"
)


def main(port: int) -> None:
    """Serve until interrupted."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load(home=Path(folder) / "home", cache=Path(folder))
        pipeline = Pipeline(settings.config(), HashingEncoder())
        pipeline.add_upload("a.md", ARTICLE.encode())
        uvicorn.run(
            create_app(settings, pipeline), port=port, log_level="warning", server_header=False
        )


if __name__ == "__main__":
    main(int(sys.argv[1]))
