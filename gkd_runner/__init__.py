"""gkd-runner: distil graph neural networks into MLPs, and compare the methods honestly."""

__version__ = "0.1.0"
