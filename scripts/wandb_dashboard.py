r"""Create a workspace and a report in W&B that compare the runs of a project.

    python scripts/wandb_dashboard.py --entity me --project gkd-runner
    python scripts/wandb_dashboard.py --entity me --project gkd-runner \
        --where protocol=infgrand --where setting=transductive --where preset=common
    python scripts/wandb_dashboard.py --entity me --project gkd-runner --dry-run dashboard.json

The workspace is for looking around: a line, bar or point per configuration, over its seeds. The
report is for comparing: its runs are grouped by all that names a configuration, less what --where
fixes to one value, so that no protocol is averaged into another. Each call makes new ones.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gkd_runner.cli.boundary import command
from gkd_runner.common.errors import GkdError, nearest
from gkd_runner.tracking.base import cause_of
from gkd_runner.tracking.metrics import IDENTITY

try:
    import wandb
    import wandb_workspaces.reports.v2 as wr
    import wandb_workspaces.workspaces as ws
except ImportError as error:
    sys.exit(
        f"wandb_dashboard: wandb-workspaces cannot be imported ({error});"
        ' pip install "gkd-runner[dashboard]"'
    )

from gkd_runner.reporting.wandb_panels import (
    SHOWN,
    SUMMARIES,
    Where,
    accuracy_panels,
    curve_panels,
    diagnostic_panels,
    filters,
    grouped,
    runs,
    scatter_panels,
)

TITLE = "GNN-to-MLP distillation"


@command("wandb_dashboard")
def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    options = _parser().parse_args(argv)
    where = read_where(options.where)
    made = workspace(options.entity, options.project, where)
    text = report(options.entity, options.project, where)
    if options.dry_run:
        options.dry_run.write_text(json.dumps(specifications(made, text), indent=2) + "\n")
        print(options.dry_run)
    else:
        save(made, text)


def read_where(conditions: Sequence[str]) -> dict[str, list[str]]:
    """Read every ``NAME=VALUE,VALUE``; raises ``GkdError`` for an unknown or repeated name."""
    where: dict[str, list[str]] = {}
    for condition in conditions:
        name, equals, values = condition.partition("=")
        if name not in IDENTITY or not equals or "" in values.split(","):
            raise GkdError(
                f"--where {condition}: not NAME=VALUE,... with NAME one of"
                f" {', '.join(IDENTITY)}{nearest(name, IDENTITY)}"
            )
        if name in where:
            raise GkdError(
                f"--where {condition}: {name} is given twice; list its values with commas"
            )
        where[name] = values.split(",")
    return where


def workspace(entity: str, project: str, where: Where) -> ws.Workspace:
    """A saved view: all panels, one line, bar or point per configuration."""
    sections = {
        "Accuracy": accuracy_panels(),
        "Student and teacher": scatter_panels(),
        "Learning curves": curve_panels(),
        "How the student follows": diagnostic_panels(),
    }
    return ws.Workspace(
        entity=entity,
        project=project,
        name=TITLE,
        sections=[ws.Section(name=n, panels=p, is_open=True) for n, p in sections.items()],
        settings=ws.WorkspaceSettings(max_runs=SHOWN),
        runset_settings=ws.RunsetSettings(
            filters=filters(where),
            groupby=[ws.Metric("Group")],
            pinned_columns=[f"summary:{name}" for name in SUMMARIES[:2]],
        ),
    )


def report(entity: str, project: str, where: Where) -> wr.Report:
    """Text, panels and the run table; scatter plots have a point per seed, the rest groups."""
    fixed = ", ".join(f"{name} {' or '.join(values)}" for name, values in where.items())
    return wr.Report(
        entity=entity,
        project=project,
        title=TITLE,
        description=f"Runs of gkd-runner: {fixed or 'all'}.",
        width="fluid",
        blocks=[
            wr.H2("Accuracy by dataset and method"),
            wr.P("Test accuracy of the epoch with the best validation accuracy, over the seeds."),
            wr.PanelGrid(runsets=[grouped(where)], panels=accuracy_panels()),
            wr.H2("Student against teacher"),
            wr.P(
                "A point per seed. A student that lies low beside a teacher of low confidence"
                " (mean top probability before calibration) has collapsed on flat soft labels."
            ),
            wr.PanelGrid(runsets=[runs(where)], panels=scatter_panels()),
            wr.H2("Learning curves"),
            wr.P("Seeds stop at different epochs: late ones are over fewer seeds."),
            wr.PanelGrid(runsets=[grouped(where)], panels=curve_panels()),
            wr.H2("How the student follows"),
            wr.P("Over the test nodes; the teacher as it teaches, calibrated."),
            wr.PanelGrid(runsets=[grouped(where)], panels=diagnostic_panels()),
            wr.H2("Runs"),
            wr.PanelGrid(runsets=[runs(where)]),
        ],
    )


def specifications(made: ws.Workspace, text: wr.Report) -> dict[str, Any]:
    """The specifications that W&B would be sent, without the project's internal number."""
    return {
        name: item._to_model().model_dump(mode="json", by_alias=True, exclude_none=True)
        for name, item in (("workspace", made), ("report", text))
    }


def save(made: ws.Workspace, text: wr.Report) -> None:
    """Create both in W&B and print where. Raises ``GkdError`` without a key or a server."""
    instead = "or look at what would be made with --dry-run FILE"
    wandb.setup(settings=wandb.Settings(silent=True))  # it would print the addresses, too
    if not wandb.login(prompt=False, verify=False):
        raise GkdError(f"W&B has no API key; run wandb login or set WANDB_API_KEY, {instead}")
    for block in text.blocks:
        for runset in block.runsets if isinstance(block, wr.PanelGrid) else ():
            # Only here: with a project W&B is asked for its number, and whether there is one.
            runset.entity, runset.project = text.entity, text.project
    try:
        text.save()
        print(f"report     {text.url}")
        made.save()
        print(f"workspace  {made.url}")
    except Exception as error:
        raise GkdError(
            f"W&B did not take it ({cause_of(error)}); look at --entity, --project and the"
            f" network, {instead}"
        ) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "wandb_dashboard.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--entity", required=True, help="user or team that owns the project")
    parser.add_argument("--project", required=True, help="as in gkd-train tracker.project")
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="NAME=VALUE,...",
        help=f"compare only these runs; NAME is one of {', '.join(IDENTITY)}",
    )
    parser.add_argument(
        "--dry-run", type=Path, metavar="FILE", help="write both as JSON and ask no server"
    )
    return parser


if __name__ == "__main__":
    main()
