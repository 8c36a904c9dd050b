"""`python tests/wenju_fake.py ARGUMENTS`: the real command line with a stand-in for the model."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import rag.models
from api.cli import main
from eval.torture_archive import Hashed

rag.models.load_encoder = lambda *_, **__: Hashed()

if __name__ == "__main__":
    main()
