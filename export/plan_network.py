"""An ONNX file as TensorRT's strongly typed network, and the precisions that are really in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from export.plan_options import Profile
from icseg.errors import BackendError, PlanMismatchError
from icseg.inference.manifest import FLOAT16, FLOAT32, INT8, PRECISIONS

ERRORS_SHOWN = 3


def parse_network(trt: ModuleType, builder: Any, logger: Any, path: Path) -> Any:
    """The network of an ONNX file.

    Raises:
        BackendError: the parser refuses it; names the nodes and what it says of them.
    """
    # since TensorRT 11 every network is strongly typed, and the flag may go
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    network = builder.create_network(0 if flag is None else 1 << int(flag))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(path)):
        errors = [parser.get_error(index) for index in range(parser.num_errors)]
        texts = [f"node {error.node_name() or error.node()}: {error.desc()}" for error in errors[:ERRORS_SHOWN]]
        more = f" and {len(errors) - ERRORS_SHOWN} more" if len(errors) > ERRORS_SHOWN else ""
        raise BackendError(f"{path}: TensorRT's parser refuses it: {'; '.join(texts)}{more}")
    return network


def add_profiles(builder: Any, config: Any, network: Any, profiles: Mapping[str, Profile], path: Path) -> None:
    """One optimization profile, if any input has a dynamic shape.

    Raises:
        ValueError: a dynamic input has no shapes, a static or unknown one has, or they do not fit the input.
    """
    inputs = {tensor.name: tuple(tensor.shape) for tensor in map(network.get_input, range(network.num_inputs))}
    dynamic = {name for name, shape in inputs.items() if -1 in shape}
    if dynamic != profiles.keys():
        raise ValueError(
            f"{path}: expected a profile for each input of dynamic shape, {sorted(dynamic)}, and no other; "
            f"got {sorted(profiles)}"
        )
    if not dynamic:
        return
    profile = builder.create_optimization_profile()
    for name, shapes in profiles.items():
        is_fitting = len(inputs[name]) == len(shapes.usual) and all(
            size in (-1, low) and size in (-1, high)
            for size, low, high in zip(inputs[name], shapes.least, shapes.most, strict=True)
        )
        if not is_fitting:
            raise ValueError(f"{path}: input {name}: expected shapes that fit {inputs[name]}, got {shapes}")
        profile.set_shape(name, shapes.least, shapes.usual, shapes.most)
    config.add_optimization_profile(profile)


def product_precisions(trt: ModuleType, network: Any) -> dict[str, int]:
    """Precision -> number of layers that multiply matrices in it: convolutions and matrix products, where the work is.

    An INT8 product is one whose both factors come out of a dequantization: such a layer runs in INT8, any other with a
    dequantization before it does not.
    """
    kinds = trt.LayerType
    moves = {kinds.SHUFFLE, kinds.IDENTITY, kinds.SLICE, kinds.SQUEEZE, kinds.UNSQUEEZE}
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    makers = {layer.get_output(k).name: layer for layer in layers for k in range(layer.num_outputs)}

    def is_dequantized(tensor: Any) -> bool:
        layer = makers.get(tensor.name) if tensor is not None else None
        while layer is not None and layer.type in moves:
            layer = makers.get(layer.get_input(0).name)
        return layer is not None and layer.type == kinds.DEQUANTIZE

    counts: Counter[str] = Counter()
    for layer in layers:
        if layer.type not in (kinds.CONVOLUTION, kinds.DECONVOLUTION, kinds.MATRIX_MULTIPLY):
            continue
        if layer.num_inputs > 1 and is_dequantized(layer.get_input(0)) and is_dequantized(layer.get_input(1)):
            counts[INT8] += 1
        else:
            dtype = layer.get_output(0).dtype
            counts[{trt.float16: FLOAT16, trt.float32: FLOAT32}.get(dtype, str(dtype))] += 1
    return dict(counts)


def check_precision(asked: str, found: Mapping[str, int], path: Path) -> None:
    """A plan is called after the lowest precision in its network.

    Raises:
        PlanMismatchError: that is not the one that was asked for, or a product is in none that icseg knows; says how to
            get it.
    """
    if others := found.keys() - set(PRECISIONS):
        raise PlanMismatchError(
            f"{path}: expected products in {', '.join(PRECISIONS)}, got {', '.join(sorted(others))}"
        )
    lowest = next((precision for precision in (INT8, FLOAT16) if found.get(precision)), FLOAT32)
    if lowest == asked:
        return
    how = {
        INT8: "quantize the graph first: both factors of a product must come from QuantizeLinear and DequantizeLinear",
        FLOAT16: "convert the graph first with export/graph/half_graph.py",
        FLOAT32: "give the FP32 graph",
    }[asked]
    raise PlanMismatchError(
        f"{path}: asked for {asked}, but its products are {dict(found)}: a plan of it would be {lowest}; {how}"
    )
