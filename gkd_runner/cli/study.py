"""``gkd-study``: one of the studies of the papers' claims."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from gkd_runner.cli.arguments import add_overrides, command_parser, parse, whole
from gkd_runner.cli.boundary import command

DESCRIPTION = "Run a study of the papers' claims: its measurements, and whether the claim holds."
EPILOG = """\
  gkd-study influence --teachers gcn --seeds 0-4

hardness   which nodes are hard, whether HGMD helps there, what its subgraphs cost
influence  GNNs that learn from the most or the least influential training nodes
ablation   InfGraND without influence or propagation; pooling; hops
scarcity   10, 20, 40 and 100% of the training labels
recipe     which part of a student carries its accuracy: hops, dropout on features, ...
inference  time, memory and nodes read per node, by batch size (always measured anew)

Cora, Citeseer and Pubmed (inference: six graphs), the gcn teacher (influence, inference: all),
seeds 2022 to 2026 and preset=common unless told otherwise. Measurements go to
<output_dir>/studies/<name>.csv. Options of gkd-train may follow: setting=inductive.
"""


@command("gkd-study", resumes=True)
def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print the table and the sentence."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # torch's profiler announces itself otherwise
    options = parse(_parser(), argv)

    import torch

    from gkd_runner.common.console import make_console, show_log
    from gkd_runner.studies import find_study
    from gkd_runner.studies.cases import study_cases

    show_log()
    if options.threads:
        torch.set_num_threads(options.threads)
    study = find_study(options.study)
    cases = study_cases(study, vars(options), options.overrides, options.max_width)
    output_dir = Path(cases[0].config.output_dir).expanduser()
    measurements = study.measurements(options.study, output_dir)
    measured = study.measure(cases, measurements)
    console = make_console()
    console.print(study.table(measured), crop=False)
    console.print(f"{study.sentence(measured)}\n{measurements.path}", soft_wrap=True)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("gkd-study", DESCRIPTION, EPILOG)
    parser.add_argument("study", help="one of those below")
    for name in ("datasets", "teachers", "seeds"):
        parser.add_argument(f"--{name}", metavar="A,B,...", help=f"only these {name}")
    parser.add_argument(
        "--max-width", type=whole(1), metavar="H", help="cap hidden_dim of teachers and students"
    )
    parser.add_argument("--threads", type=whole(1), metavar="N", help="CPU threads of torch")
    add_overrides(parser)
    return parser


if __name__ == "__main__":
    main()
