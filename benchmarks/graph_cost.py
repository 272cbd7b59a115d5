"""How much a graph computes and how much it must move, counted from the graph; and the least time that takes on Orin.

Arithmetic, not a measurement: no layer reaches the peak, and no activation between layers is counted as moved.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import onnx

from export.graph.graph_file import widen_weights
from export.graph.graph_rewriter import shapes_of

FLOP_PER_SM_AND_CLOCK = {"float16": 2048, "int8": 4096}
"""Dense, of the tensor cores of one multiprocessor of Orin: 1,024 multiply-adds in FP16, twice as many in INT8."""


@dataclass(frozen=True, slots=True)
class Device:
    """A module at its highest power mode: multiprocessors, their clock, memory bandwidth.

    *Source:* NVIDIA's Jetson Orin data sheets; multiprocessors times clock give their TOPS (33 dense for the Nano).
    """

    name: str
    multiprocessors: int
    clock_ghz: float
    bandwidth_gb_s: float


ORIN = (
    Device("Orin Nano 8 GB (Super)", 8, 1.020, 102.0),
    Device("Orin NX 16 GB", 8, 0.918, 102.4),
    Device("AGX Orin 64 GB", 16, 1.300, 204.8),
)


@dataclass(frozen=True, slots=True)
class GraphCost:
    """What one run costs.

    Attributes:
        layer_flop: in Linear and Conv layers, whose weights are constant.
        product_flop: in products of two activations: attention.
        weight_count: numbers in constants.
        io_count: numbers in the graph's inputs and outputs.
    """

    layer_flop: int
    product_flop: int
    weight_count: int
    io_count: int

    def least_ms(self, device: Device, precision: str) -> float:
        """Whichever is longer, computing or moving; attention is FP16 where layers are INT8."""
        rates = {
            name: per * device.multiprocessors * device.clock_ghz * 1e9 for name, per in FLOP_PER_SM_AND_CLOCK.items()
        }
        compute_s = self.layer_flop / rates[precision] + self.product_flop / rates["float16"]
        weight_bytes = self.weight_count * (1 if precision == "int8" else 2)
        move_s = (weight_bytes + 2 * self.io_count) / (device.bandwidth_gb_s * 1e9)
        return max(compute_s, move_s) * 1e3


def graph_cost(path: Path) -> GraphCost:
    """Count an exported FP32 graph of static shapes."""
    model = onnx.load(path)
    widen_weights(model)
    graph, shapes = model.graph, shapes_of(model)
    constants = {item.name: tuple(item.dims) for item in graph.initializer}
    layer_flop = product_flop = 0
    for node in graph.node:
        if node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
            continue
        out = shapes[node.output[0]]
        weight = constants.get(node.input[1])
        if weight is None:
            product_flop += 2 * math.prod(out) * shapes[node.input[0]][-1]
        elif node.op_type == "ConvTranspose":
            layer_flop += 2 * math.prod(shapes[node.input[0]]) * math.prod(weight[1:])
        elif node.op_type == "Conv":
            layer_flop += 2 * math.prod(out) * math.prod(weight[1:])
        else:
            layer_flop += 2 * math.prod(out) * (math.prod(weight) // out[-1])
    return GraphCost(
        layer_flop,
        product_flop,
        sum(map(math.prod, constants.values())),
        _count(shapes[value.name] for value in (*graph.input, *graph.output)),
    )


def _count(shapes: Iterable[tuple[int, ...]]) -> int:
    return sum(map(math.prod, shapes))
