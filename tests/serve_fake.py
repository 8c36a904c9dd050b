"""`python tests/serve_fake.py HOME CACHE [SLOW]`: the real server with a stand-in for the model.

SLOW: seconds that a question's encoding takes.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from api.server import serve
from api.settings import load
from eval.torture_archive import Hashed
from rag.pipeline import Pipeline


class Slow(Hashed):
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def encode_queries(self, texts):
        if any("慢" in text for text in texts):
            time.sleep(self.seconds)
        return super().encode_queries(texts)


if __name__ == "__main__":
    settings = load(home=Path(sys.argv[1]), cache=Path(sys.argv[2]), port=0)
    slow = float(sys.argv[3]) if len(sys.argv) > 3 else 0.0
    serve(settings, Pipeline(settings.config(), Slow(slow)))
