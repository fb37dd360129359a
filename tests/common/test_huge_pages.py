from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ALLOCATE = """
import gkd_runner, torch
kept = torch.ones(4 << 20)
start = kept.data_ptr()
for line in open("/proc/self/smaps", encoding="ascii"):
    if "-" in line.split(" ")[0]:
        first, last = (int(end, 16) for end in line.split(" ")[0].split("-"))
    if line.startswith("VmFlags") and first <= start + (8 << 20) < last:
        print("hg" in line.split())
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize(("given", "expected"), [(None, "True"), ("0", "False")])
def test_large_tensors_ask_for_huge_pages_unless_the_user_says_otherwise(
    given: str | None, expected: str
) -> None:
    name = "THP_MEM_ALLOC_ENABLE"
    env = {key: value for key, value in os.environ.items() if key != name}
    env |= {name: given} if given else {}
    done = subprocess.run(
        [sys.executable, "-c", ALLOCATE], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == expected
