"""The promises of docs/reliability.md, tried until they break: `make chaos`; `make
test` tries each a few times.
"""
