"""Writing a trained network as an ONNX file, operator by operator.

The graph is small and fixed, so it is written out here: torch's exporters bring a compiler along and change what they
write from version to version. Weights are stored in half precision, which costs no accuracy and half the size; ONNX
Runtime widens them once, when the file is loaded.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from preceptor.deid.tagger.features import COLUMNS
from preceptor.deid.tagger.meanings import SCALE

if TYPE_CHECKING:
    from preceptor.deid.tagger.network import Tagger

_OPSET = 17


def onnx_bytes(network: Tagger, facts: dict[str, Any]) -> bytes:
    """The file's bytes: inputs `features` (notes, tokens, columns; int32) and `mask` (notes, tokens; float32), output
    `probabilities` (notes, tokens, labels). `facts` and the labels stand in its metadata.

    The same network gives the same bytes.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    stored: list[Any] = []

    def weight(name: str, values: Any) -> str:
        half = values.detach().cpu().numpy().astype(np.float16)
        stored.append(numpy_helper.from_array(half, f"{name}.half"))
        nodes.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
        return name

    def constant(name: str, values: list[int]) -> str:
        stored.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def step(operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    parts = []
    for n, table in enumerate(network.tables):
        column = step("Gather", ["features", _index(stored, n)], f"column{n}", axis=2)
        parts.append(step("Gather", [weight(f"table{n}", table.weight), column], f"part{n}"))
    levels = np.rint(network.meanings.weight.detach().cpu().numpy() * SCALE).astype(np.int8)
    stored.append(numpy_helper.from_array(levels, "vectors.levels"))
    nodes.append(helper.make_node("Cast", ["vectors.levels"], ["vectors.wide"], to=TensorProto.FLOAT))
    stored.append(numpy_helper.from_array(np.array(1 / SCALE, np.float32), "vectors.step"))
    vectors = step("Mul", ["vectors.wide", "vectors.step"], "vectors")
    for n, linear in enumerate(network.meant, len(network.tables)):
        column = step("Gather", ["features", _index(stored, n)], f"column{n}", axis=2)
        vector = step("Gather", [vectors, column], f"vector{n}")
        turned = step("Transpose", [weight(f"meant{n}", linear.weight)], f"turned{n}", perm=[1, 0])
        parts.append(step("MatMul", [vector, turned], f"part{n}"))
    added = step("Relu", [step("Sum", parts, "added")], "first")
    inside = step("Unsqueeze", ["mask", constant("axis", [1])], "inside")
    x = step("Mul", [step("Transpose", [added], "channels", perm=[0, 2, 1]), inside], "x")
    for n, (wide, mixer) in enumerate(zip(network.convolutions, network.mixers, strict=True)):
        dilation = network.dilations[n]
        looked = step(
            "Conv", [x, weight(f"wide{n}", wide.weight), weight(f"wide{n}.bias", wide.bias)], f"looked{n}",
            kernel_shape=[3], dilations=[dilation], pads=[dilation, dilation],
        )  # fmt: skip
        bent = step("Relu", [looked], f"bent{n}")
        mixed = step(
            "Conv",
            [bent, weight(f"mix{n}", mixer.weight), weight(f"mix{n}.bias", mixer.bias)],
            f"mixed{n}",
            kernel_shape=[1],
        )
        x = step("Mul", [step("Add", [x, mixed], f"sum{n}"), inside], f"x{n}")
    ended = step("Relu", [x], "ended")
    logits = step(
        "Conv",
        [ended, weight("head", network.head.weight), weight("head.bias", network.head.bias)],
        "logits",
        kernel_shape=[1],
    )
    step("Softmax", [step("Transpose", [logits], "rows", perm=[0, 2, 1])], "probabilities", axis=-1)
    graph = helper.make_graph(
        nodes,
        "tagger",
        [
            helper.make_tensor_value_info("features", TensorProto.INT32, ["notes", "tokens", len(COLUMNS)]),
            helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["notes", "tokens"]),
        ],
        [
            helper.make_tensor_value_info(
                "probabilities", TensorProto.FLOAT, ["notes", "tokens", len(network.labels)]
            )
        ],
        stored,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], producer_name="preceptor"
    )
    model.ir_version = 8
    helper.set_model_props(
        model, {"labels": json.dumps(network.labels), "facts": json.dumps(facts, sort_keys=True)}
    )
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def _index(stored: list[Any], number: int) -> str:
    from onnx import numpy_helper

    stored.append(numpy_helper.from_array(np.array(number, np.int64), f"number{number}"))
    return f"number{number}"
