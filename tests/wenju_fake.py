"""`python tests/wenju_fake.py ARGUMENTS`: the real command line with a stand-in for the model.

FAKE_SLOW in the environment: seconds that encoding a question with 慢 in it takes.
"""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import rag.models
from api.cli import main
from eval.hashed import Hashed


class Slow(Hashed):
    def encode_queries(self, texts):
        if any("慢" in text for text in texts):
            time.sleep(float(os.environ.get("FAKE_SLOW", "0")))
        return super().encode_queries(texts)


rag.models.load_encoder = lambda *_, **__: Slow()

if __name__ == "__main__":
    main()
