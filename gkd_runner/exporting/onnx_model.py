"""The student as an ONNX model, from its layers, without a tracing exporter."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from gkd_runner.common.version import __version__
from gkd_runner.predict.layers import Layer

OPSET = 17
IR_VERSION = 8
"""Both are read by onnxruntime 1.13 and later."""


def onnx_model(
    models: Sequence[Sequence[Layer]], classes: Sequence[str], metadata: Mapping[str, str]
) -> ModelProto:
    """``features`` ``[batch, d]`` float32 in, ``probabilities`` ``[batch, C]`` float32 out.

    Each of ``models`` is a chain of ``Gemm`` and ``Relu`` that ends in ``Softmax``; of several, the
    mean is returned. ``metadata`` and the names of the classes are stored with the model.
    """
    parts: list[NodeProto] = []
    weights: list[TensorProto] = []
    single = len(models) == 1
    outputs = ["probabilities"] if single else [f"probabilities.{i}" for i in range(len(models))]
    for output, layers in zip(outputs, models, strict=True):
        prefix = "" if single else f"{output.rpartition('.')[2]}."
        weights += _initializers(prefix, layers)
        parts += _chain(prefix, len(layers), output)
    if not single:
        parts.append(helper.make_node("Mean", outputs, ["probabilities"]))
    graph = helper.make_graph(
        parts,
        "student",
        [_value("features", len(models[0][0][0]))],
        [_value("probabilities", len(classes))],
        weights,
    )
    model = helper.make_model(
        graph,
        producer_name="gkd-runner",
        producer_version=__version__,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    helper.set_model_props(model, {**metadata, "classes": json.dumps(list(classes))})
    onnx.checker.check_model(model, full_check=True)
    return model


def _value(name: str, columns: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", columns])


def _initializers(prefix: str, layers: Sequence[Layer]) -> Iterator[TensorProto]:
    for number, (weight, bias) in enumerate(layers):
        yield numpy_helper.from_array(weight, f"{prefix}weights.{number}")
        yield numpy_helper.from_array(bias, f"{prefix}biases.{number}")


def _chain(prefix: str, count: int, output: str) -> Iterator[NodeProto]:
    """The layers of one student; its logits pass through the softmax."""
    given = "features"
    for number in range(count):
        names = [f"{prefix}{part}.{number}" for part in ("weights", "biases", "linear", "relu")]
        yield helper.make_node("Gemm", [given, *names[:2]], [names[2]])
        given = names[2]
        if number < count - 1:
            yield helper.make_node("Relu", [given], [names[3]])
            given = names[3]
    yield helper.make_node("Softmax", [given], [output], axis=1)
