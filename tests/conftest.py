from __future__ import annotations

from jaxtyping import install_import_hook

# Every array annotation of the package is checked while the tests run.
install_import_hook("gkd_runner", "shape_checks.check")

import torch  # noqa: E402

torch.set_num_threads(1)  # tiny tensors: more threads only wait for each other
