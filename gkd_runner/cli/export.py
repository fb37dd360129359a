"""``gkd-export``: a finished run's student as a folder that answers without the run."""

from __future__ import annotations

import argparse
from pathlib import Path

from gkd_runner.cli.arguments import command_parser, whole
from gkd_runner.cli.boundary import command
from gkd_runner.common.extras import require

DESCRIPTION = "Write a student of a finished run to a folder that gkd-predict and onnxruntime read."
EPILOG = """\
  gkd-export RUN                                  # the folder that gkd-train names at its end
  gkd-export RUN --ensemble --out cora-student

The folder has the layout of the Hugging Face hub: config.json, model.safetensors, model.onnx, and
README.md as the model card. Neither the cache of teachers nor the data folder is needed.
"""


@command("gkd-export")
def main() -> None:
    """Write the folder and say what it holds."""
    arguments = _parser().parse_args()

    require("gkd-export", "export", "onnx", "onnxruntime")
    from gkd_runner.common.console import make_console, show_log
    from gkd_runner.exporting.choice import find_run
    from gkd_runner.exporting.export import Options, export_run

    show_log()
    chosen = {name: getattr(arguments, name) for name in ("seed", "ensemble", "table", "int8")}
    exported = export_run(find_run(arguments.run), arguments.out, Options(**chosen))
    console = make_console()
    for note in exported.notes:
        console.print(note, soft_wrap=True)
    done = "replaced" if exported.replaced else "wrote   "
    console.print(f"{done} {exported.folder}", soft_wrap=True)
    console.print(f"answer   gkd-predict {exported.folder} --all", soft_wrap=True)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("gkd-export", DESCRIPTION, EPILOG)
    parser.add_argument(
        "run", type=Path, nargs="+", help="folder of a finished run, or one above a single run"
    )
    parser.add_argument(
        "--out", type=Path, help="folder to write (default: exported/<dataset>-<method>-<seed>)"
    )
    parser.add_argument(
        "--seed", type=whole(0), help="whose student (default: the best on the validation nodes)"
    )
    parser.add_argument("--ensemble", action="store_true", help="the mean answer of all seeds")
    parser.add_argument(
        "--table",
        default="float32",
        help="type of the stored propagated features: float32 (default) or float16",
    )
    parser.add_argument(
        "--int8", action="store_true", help="an 8-bit model too, if as accurate and faster here"
    )
    return parser


if __name__ == "__main__":
    main()
