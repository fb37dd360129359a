"""What the lint refuses, and how the versions that CI installs are audited."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

REFUSED = {
    "eval(text)": "S307",
    "exec(text)": "S102",
    "import pickle": "TID251",
    "from pickle import Unpickler": "TID251",
    "import shelve": "TID251",
    "import torch\n\ntorch.load(text)": "TID251",
    "from torch import load": "TID251",
    "import yaml\n\nyaml.load(text)": "S506",
    "import yaml\n\nyaml.load(text, Loader=yaml.UnsafeLoader)": "S506",
    "import subprocess\n\nsubprocess.run(text, shell=True)": "S602",
    "import os\n\nos.system(text)": "S605",
    "import tarfile\n\ntarfile.open(text).extractall()": "S202",
}

# Stands in for `python3 -m venv FOLDER`: pip installs nothing, and pip-audit tells its arguments.
VENV = """#!/bin/sh
echo "$3" > "$TOLD/folder"
mkdir "$3/bin"
printf '#!/bin/sh\\n' > "$3/bin/python"
printf '#!/bin/sh\\necho "$@" > "$TOLD/arguments"\\nexit $FOUND\\n' > "$3/bin/pip-audit"
chmod +x "$3/bin/python" "$3/bin/pip-audit"
"""


@pytest.mark.parametrize("code", REFUSED)
@pytest.mark.parametrize("folder", ["gkd_runner", "scripts"])
def test_the_lint_refuses_code_that_runs_data(code: str, folder: str) -> None:
    options = ("check", "--output-format=concise", f"--stdin-filename={folder}/new.py", "-")
    told = subprocess.run(
        [sys.executable, "-m", "ruff", *options],
        input=f'"""Doc."""\n\n{code}\n',
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 1
    assert f" {REFUSED[code]} " in told.stdout


@pytest.mark.parametrize("found", [0, 1])
def test_the_audit_fails_on_a_finding_and_leaves_no_environment(tmp_path: Path, found: int) -> None:
    venv = tmp_path / "python"
    venv.write_text(VENV)
    venv.chmod(0o755)
    env = os.environ | {"TOLD": str(tmp_path), "FOUND": str(found)}
    done = subprocess.run(["make", "audit", f"PYTHON={venv}"], cwd=ROOT, env=env)
    assert (done.returncode == 0) is (found == 0)
    told = (tmp_path / "arguments").read_text().split()
    assert told[-2:] == ["-r", "constraints.txt"]
    assert "--strict" in told  # or a package that the database lacks would pass in silence
    assert not Path((tmp_path / "folder").read_text().strip()).exists()
