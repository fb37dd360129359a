"""A method may come from a package of one's own, and one that cannot be used is named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from gkd_runner.methods import METHODS

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = REPOSITORY / "examples" / "outside-method"
RUN = ("dataset=synthetic", "preset=none", "tracker=none", "seeds=[0]", "training.max_epochs=3")
METHOD = """
from gkd_runner.methods.base import Method
class Mine(Method):
    name = "{name}"
    colour = "#000000"
"""


def installed(folder: Path, package: str, code: str) -> Path:
    """A folder for ``PYTHONPATH`` with a package that offers a method, as pip would leave it."""
    module = folder / package.replace("-", "_")
    shutil.copytree(EXAMPLE / "gkd_smooth", module)
    if code:
        (module / "__init__.py").write_text(code)
    about = folder / f"{module.name}-0.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.1\n")
    (about / "entry_points.txt").write_text(f"[gkd_runner.methods]\nany = {module.name}\n")
    return folder


def run(*command: str, path: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": f"{REPOSITORY}{os.pathsep}{path}"}
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )


def gkd_train(*arguments: str, path: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return run("-m", "gkd_runner.cli.train", *arguments, path=path, cwd=cwd)


def test_a_method_of_ones_own_has_its_place_in_help_and_checks(tmp_path: Path) -> None:
    path = installed(tmp_path, "gkd-smooth", "")

    help_text = gkd_train("--help", path=path, cwd=tmp_path).stdout
    assert f"method: {', '.join(sorted([*METHODS, 'smooth']))}" in help_text
    assert "[>= 0 and <= 1; with method=smooth]" in " ".join(help_text.split())
    refused = gkd_train("method=smooth", "method.keep=2", path=path, cwd=tmp_path)
    assert "method.keep=2.0 is out of range" in refused.stderr


def test_its_module_may_be_imported_first(tmp_path: Path) -> None:
    path = installed(tmp_path, "gkd-smooth", "")

    code = "import gkd_smooth; from gkd_runner.methods import METHODS; print(list(METHODS))"
    done = run("-c", code, path=path, cwd=tmp_path)
    assert done.stdout.strip().endswith("'adaprop', 'smooth']"), done.stderr


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import nowhere", "cannot be imported (ModuleNotFoundError: No module named 'nowhere')"),
        ("1 / 0", "cannot be imported (ZeroDivisionError: division by zero)"),
        ("x = 1", "no subclass of Method with a name is defined in the module their_method"),
        (METHOD.format(name="glnn"), "method=glnn is in gkd-runner and their-method"),
        (METHOD.format(name="new").replace("colour", "color"), "new has no colour"),
        (METHOD.format(name="new"), "method new has no file"),
    ],
    ids=["missing import", "error", "no method", "same name", "incomplete", "no YAML"],
)
def test_a_package_that_cannot_be_used_is_named(tmp_path: Path, code: str, message: str) -> None:
    path = installed(tmp_path, "their-method", code)

    done = gkd_train("method=glnn", path=path, cwd=tmp_path)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "their-method" in done.stderr
    assert message in done.stderr


def test_a_yaml_file_with_the_name_of_another_method_is_refused(tmp_path: Path) -> None:
    path = installed(tmp_path, "gkd-smooth", "")
    yaml = path / "gkd_smooth" / "conf" / "method" / "smooth.yaml"
    yaml.write_text(yaml.read_text().replace("name: smooth", "name: glnn"))

    done = gkd_train("method=smooth", path=path, cwd=tmp_path)

    assert done.returncode == 1
    assert "has name: glnn, which must be smooth" in done.stderr


@pytest.mark.slow
def test_the_example_runs_beside_the_wheel_in_a_fresh_environment(tmp_path: Path) -> None:
    def check(*command: str | Path) -> str:
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            [str(part) for part in command], cwd=tmp_path, env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    pip, wheels = ("-m", "pip", "-q", "--disable-pip-version-check"), tmp_path / "wheels"
    check(sys.executable, *pip, "wheel", "--no-deps", "-w", wheels, REPOSITORY, EXAMPLE)
    check(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    check(python, *pip, "install", "--no-deps", *wheels.glob("*.whl"))
    site = check(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    # torch and the other dependencies come from the environment of the tests
    (Path(site) / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")

    where = check(python, "-c", "import gkd_runner; print(gkd_runner.__file__)")
    assert where.startswith(site)
    printed = check(tmp_path / "venv" / "bin" / "gkd-train", *RUN, "method=smooth")
    assert "gcn teacher, smooth" in printed
    assert list(tmp_path.glob("outputs/runs/*/*/gcn/smooth/*/result.json"))
