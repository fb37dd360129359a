"""``python -m bench``: threads are set before any library that reads their number is imported."""

from __future__ import annotations

import sys

from bench.threads import set_threads

if __name__ == "__main__":
    set_threads(sys.argv[1:])
    from bench.cli import main

    main()
