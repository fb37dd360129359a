"""The ONNX model answers as the student does in torch."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from support import LIVELY, config, small_graph

from gkd_runner.exporting.onnx_model import IR_VERSION, OPSET, onnx_model
from gkd_runner.methods import METHODS, build_method
from gkd_runner.models.inputs import row_inputs
from gkd_runner.models.layers import Initializer
from gkd_runner.models.mlp import Mlp, build_student
from gkd_runner.options.schema import Config
from gkd_runner.predict.layers import Layer, layers_of

CPU = torch.device("cpu")
CLASSES = ("one", "two", "drei", "四")


def student(settings: Config, seed: int = 0) -> Mlp:
    graph = small_graph()
    init = Initializer([seed], "student initialisation")
    return build_student(settings.student, graph.num_features, graph.num_classes, init)


def layers(model: Mlp) -> list[Layer]:
    return layers_of({name: value[0].numpy() for name, value in model.state_dict().items()})


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=providers)
    (answer,) = session.run(["probabilities"], {"features": x})
    return answer


@pytest.mark.parametrize("width", [8, 33])
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("method", list(METHODS))
def test_onnx_equals_torch(method: str, depth: int, width: int) -> None:
    shape = (f"student.num_layers={depth}", f"student.hidden_dim={width}")
    settings = config(f"method={method}", *shape, *LIVELY.get(method, ()))
    features, model = build_method(settings.method).features(small_graph()), student(settings)
    with torch.no_grad():
        expected = torch.softmax(model(row_inputs([features], CPU))[0], 1).numpy()

    exported = onnx_model([layers(model)], CLASSES, {})

    np.testing.assert_allclose(run(exported, features.dense()), expected, atol=1e-5)
    single = run(exported, features.dense()[[7]])  # the size of a batch is free
    np.testing.assert_allclose(single, expected[[7]], atol=1e-5)


def test_an_ensemble_is_the_mean_of_its_students_probabilities() -> None:
    models = [layers(student(config(), seed)) for seed in (1, 2, 3)]
    x = np.random.default_rng(0).random((5, small_graph().num_features), dtype=np.float32)

    together = run(onnx_model(models, CLASSES, {}), x)

    alone = [run(onnx_model([model], CLASSES, {}), x) for model in models]
    np.testing.assert_allclose(together, np.mean(alone, axis=0), atol=1e-6)
    np.testing.assert_allclose(together.sum(1), 1, atol=1e-5)


def test_the_model_names_its_classes_its_opset_and_its_ends() -> None:
    model = onnx_model([layers(student(config()))], CLASSES, {"dataset": "mine"})

    stored = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(stored["classes"]) == list(CLASSES)
    assert stored["dataset"] == "mine"
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", OPSET)]
    assert model.ir_version == IR_VERSION
    (given,), (out,) = model.graph.input, model.graph.output
    assert (given.name, out.name) == ("features", "probabilities")
    assert given.type.tensor_type.shape.dim[0].dim_param == "batch"
