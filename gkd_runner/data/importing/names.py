"""The names, in small letters, that people give to the columns of tables."""

from __future__ import annotations

ENDS = (
    ("source", "target"),
    ("src", "dst"),
    ("from", "to"),
    ("id_1", "id_2"),
    ("id1", "id2"),
    ("node_1", "node_2"),
    ("node1", "node2"),
    ("source_id", "target_id"),
    ("u", "v"),
    ("citing", "cited"),
)
INDEX = "index"
"""A column without a name, as pandas writes its row numbers, is called so."""
IDS = ("id", "node_id", "node", "node_ids", "new_id", INDEX, "name")
LABELS = (
    "label", "labels", "class", "target", "y", "category", "node_label", "mature", "ml_target",
    "page_type",
)  # fmt: skip
"""The last three are those of the MUSAE graphs (Rozemberczki et al., 2019)."""
FEATURES = ("feature", "feature_id", "feat", "word", "word_id", "attribute")
VALUES = ("value", "val", "count", "weight")
"""With ``FEATURES``: columns of long tables, which have a row per node and feature."""
