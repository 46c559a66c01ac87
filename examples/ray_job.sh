#!/bin/bash
# One audit by the workers of a Ray cluster, a GPU each. The nodes have specfair (pip install 'specfair[ray]') and see
# /mnt/shared; the job waits for nobody, and submitted again it goes on where it stopped.
set -euo pipefail

ray job submit --address "${RAY_DASHBOARD:-http://127.0.0.1:8265}" -- \
    specfair audit --workers ray \
    --target meta-llama/Llama-3.1-8B --draft meta-llama/Llama-3.2-1B --prompts honest \
    --store /mnt/shared/specfair --out /mnt/shared/reports/llama.json
