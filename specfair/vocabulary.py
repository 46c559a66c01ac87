"""Words that several rooms share: what a stage is called, and what stands for the
shipped world.

Knows no figures and loads nothing.
"""

BASE = "base"  # the pair before any fine-tuning, among the stages
TUNED = "tuned"  # the only "dataset" where a ready fine-tuned pair is given
EMBEDDED = "embedded"  # the pair, the prompts and the corpora that the project ships
