"""The measurements on a CUDA device, in one call: bench/results.json and the table's
rows for it.

Adds nothing to bench/run.py but the choice of device; the pair there has 24 layers
against 2.
"""

import sys

import torch
from run import main

if __name__ == "__main__":
    if not torch.cuda.is_available():
        sys.exit(
            "device 'cuda' is not here; bench/gpu.py measures one. Use "
            "bench/run.py for the CPU."
        )
    sys.exit(main(sys.argv[1:], "cuda"))
