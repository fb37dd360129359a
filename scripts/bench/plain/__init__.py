"""A plain reference: training as the papers' scripts have it, from the papers' formulas.

Features are dense, the distillation loss is a sum over edges, every node passes through the model
in training, and every epoch evaluates the training, validation and test nodes. Nothing here calls
this package's models or losses; tests/scripts/test_bench_plain.py shows that both have the same
losses and take the same steps.
"""
