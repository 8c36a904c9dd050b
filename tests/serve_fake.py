"""`python tests/serve_fake.py HOME CACHE`: `wenju serve` with a stand-in for the model, for soaks.

A command of this form is what `python -m eval torture soak --server` takes.
"""

import os
import sys

from wenju_fake import main

if __name__ == "__main__":
    home, os.environ["WENJU_CACHE"] = sys.argv[1:3]
    sys.argv[1:] = ["serve", "--home", home, "--port", "0"]
    main()
