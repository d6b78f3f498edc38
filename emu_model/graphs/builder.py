"""Write an ONNX graph one operation at a time."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 20
"""The first with Gelu; ONNX Runtime has it since 1.17 and OpenVINO since 2024.0."""

IR_VERSION = 9
"""That of opset 20, so that runtimes of its time read the file."""

DTYPES = {
    'float32': TensorProto.FLOAT,
    'int32': TensorProto.INT32,
    'int64': TensorProto.INT64,
    'uint8': TensorProto.UINT8,
}


class GraphBuilder:
    """A growing graph. Tensors are referred to by name.

    Args:
        name: Name of the graph.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, dtype: str, shape: Sequence[int | str]) -> str:
        """Declare an input; a string in the shape names a dynamic axis."""
        self._inputs.append(helper.make_tensor_value_info(name, DTYPES[dtype], shape))
        return name

    def output(self, name: str, dtype: str, shape: Sequence[int | str]) -> None:
        """Declare the tensor `name` an output."""
        self._outputs.append(helper.make_tensor_value_info(name, DTYPES[dtype], shape))

    def constant(self, value, dtype=None, name: str | None = None) -> str:
        """A constant tensor."""
        name = name or f'constant_{len(self._initializers)}'
        array = np.ascontiguousarray(value, dtype).reshape(np.shape(value))
        self._initializers.append(numpy_helper.from_array(array, name))
        return name

    def add(self, operation: str, *inputs: str, output: str | None = None, **attributes) -> str:
        """Append an operation with one output and return the output's name."""
        return self.add_many(operation, *inputs, outputs=[output], **attributes)[0]

    def add_many(
        self, operation: str, *inputs: str, outputs: Sequence[str | None], **attributes
    ) -> list[str]:
        """Append an operation with several outputs; None names an output automatically."""
        count = len(self._nodes)
        names = [
            name or f'{operation.lower()}_{count}' + (f'_{index}' if index else '')
            for index, name in enumerate(outputs)
        ]
        self._nodes.append(
            helper.make_node(operation, list(inputs), names, name=names[0], **attributes)
        )
        return names

    def extend(self, model: onnx.ModelProto) -> None:
        """Append all nodes and constants of another model, whose inputs must exist here."""
        self._nodes.extend(model.graph.node)
        self._initializers.extend(model.graph.initializer)

    def model(self, metadata: Mapping[str, str] | None = None) -> onnx.ModelProto:
        """The graph as a model, with metadata."""
        graph = helper.make_graph(
            self._nodes, self._name, self._inputs, self._outputs, self._initializers
        )
        model = helper.make_model(
            graph,
            producer_name='emuformer',
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid('', OPSET)],
        )
        helper.set_model_props(model, dict(metadata or {}))
        return model
