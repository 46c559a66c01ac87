"""The fairness tests, one file per question. Installed with specfair, they are `pytest
--pyargs specfair.evals`.
"""
