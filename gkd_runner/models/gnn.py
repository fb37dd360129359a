"""The teachers by their names: GCN, GraphSAGE and GAT, replica-batched."""

from __future__ import annotations

from gkd_runner.common.errors import ConfigError
from gkd_runner.models.convolutional import Convolutional, Gcn, Sage
from gkd_runner.models.gat import Gat
from gkd_runner.models.layers import Initializer
from gkd_runner.options.schema import GatConfig, TeacherConfig


def build_teacher(
    config: TeacherConfig, num_features: int, num_classes: int, init: Initializer
) -> Convolutional | Gat:
    """The teacher that ``config`` names, freshly initialised."""
    sizes = [num_features, *[config.hidden_dim] * (config.num_layers - 1), num_classes]
    if isinstance(config, GatConfig):
        return Gat(config, sizes, init)
    kinds: dict[str, type[Convolutional]] = {"gcn": Gcn, "sage": Sage}
    if config.name not in kinds:
        raise ConfigError([f"teacher={config.name} is not one of gcn, sage, gat"])
    return kinds[config.name](config, sizes, init)
