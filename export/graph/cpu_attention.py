"""Attention as one operator for ONNX Runtime's CPU provider: it goes through queries and keys in blocks, as
FlashAttention does, and so never holds the scores of all queries. SAM 2.1 at 1024 has 4,096 queries and 28,736 keys:
471 MB of scores.

The operator works in blocks only without a mask. Ours is one number a key, the same for every query, so it goes into
the product: one more column, of ones in the queries and of the mask in the keys. Exact where the mask is 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from export.graph.graph_rewriter import DOMAIN, Rewriter

TO_HEADS, TO_KEY_COLUMNS, KEY_COLUMNS = [0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1]
"""Permutations: (B, L, N, D) to (B, N, L, D); the same to (B, N, D, L); and (1, L, D) to (1, D, L)."""

MIN_SCORES = 1 << 24
"""A single head is gone through in blocks from this many scores on. Fewer, as at 512, take no more memory than the rest
of the graph, and the plain products are quicker: they are divided among threads evenly, and blocks of some 200 queries
are not."""

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Attention:
    """softmax(scale * query @ key^T + bias) @ value, as it was exported.

    Attributes:
        query: tensor as the first product takes it.
        key: the same before it was transposed.
        value: tensor as the second product takes it.
        permutation: axes of the key's transpose.
        bias: (keys,) tensor; None where nothing is masked.
        scale: factor of the scores.
        last: the second product.
    """

    query: str
    key: str
    value: str
    permutation: list[int]
    bias: str | None
    scale: float
    last: onnx.NodeProto


def join_attention(graph: Rewriter, shapes: Shapes, *, min_scores: int = MIN_SCORES) -> None:
    """Replace every attention whose layout is one of the two that our graphs have; others stay as they are.

    Args:
        graph: exported.
        shapes: tensor -> its shape.
        min_scores: a single head with fewer scores stays as it is.
    """
    for node in graph.graph.node:
        found = _find(graph, node, shapes) if node.op_type == "Softmax" else None
        if found is None:
            continue
        rank = len(shapes[found.query])
        if rank == 3 and shapes[found.query][0] == 1 and found.permutation == KEY_COLUMNS:
            if shapes[found.query][1] * shapes[found.key][1] >= min_scores:
                _join_single(graph, found, shapes)
        elif rank == 4 and found.bias is None and found.permutation == TO_KEY_COLUMNS:
            _join_heads(graph, found, shapes)


def _find(graph: Rewriter, softmax: onnx.NodeProto, shapes: Shapes) -> Attention | None:
    last, scores = graph.only_reader(softmax, "MatMul"), softmax.input[0]
    if last is None or last.input[0] != softmax.output[0]:
        return None
    bias, scale = None, 1.0
    if add := graph.maker(scores, "Add"):
        scores, bias = add.input
        if len(shapes[bias]) != 1:
            return None
    elif mul := graph.maker(scores, "Mul"):
        scores, factor = mul.input[0], graph.value(mul.input[1])
        if factor is None or factor.size != 1:
            return None
        scale = float(factor.item())
    product = graph.maker(scores, "MatMul")
    transpose = product and graph.maker(product.input[1], "Transpose")
    if not product or not transpose:
        return None
    return Attention(product.input[0], transpose.input[0], last.input[1], _permutation(transpose), bias, scale, last)


def _join_single(graph: Rewriter, found: Attention, shapes: Shapes) -> None:
    """One head of one batch: (1, L, D) as the operator takes it."""
    nodes, query, key, name = [], found.query, found.key, found.last.name
    if found.bias is not None:
        queries, keys = shapes[query][1], shapes[key][1]
        ones = graph.constant(f"ones_{queries}", np.ones((1, queries, 1), np.float32))
        column = graph.constant(f"column_{keys}", np.array([1, keys, 1], np.int64))
        query, key, mask = f"{name}_query", f"{name}_key", f"{name}_mask"
        nodes = [
            helper.make_node("Reshape", [found.bias, column], [mask], f"{name}_reshape"),
            helper.make_node("Concat", [found.query, ones], [query], f"{name}_concat_query", axis=2),
            helper.make_node("Concat", [found.key, mask], [key], f"{name}_concat_key", axis=2),
        ]
    joined = _operator([query, key, found.value], found.last.output[0], name, heads=1, scale=found.scale)
    graph.replace(found.last, *nodes, joined)


def _join_heads(graph: Rewriter, found: Attention, shapes: Shapes) -> None:
    """Several heads or windows: the operator takes (B, L, N * D) and does the transposes around it itself."""
    sides = [graph.maker(tensor, "Transpose") for tensor in (found.query, found.value)]
    back = graph.only_reader(found.last, "Transpose")
    if sides[0] is None or sides[1] is None or back is None:
        return
    if any(_permutation(node) != TO_HEADS for node in (sides[0], sides[1], back)):
        return
    nodes, operands, name = [], [], found.last.name
    for tensor in (sides[0].input[0], found.key, sides[1].input[0]):
        batch, length, heads, width = shapes[tensor]
        flat = graph.constant(f"flat_{batch}_{length}_{heads * width}", np.array([batch, length, heads * width]))
        operands.append(f"{name}_{len(operands)}")
        nodes.append(helper.make_node("Reshape", [tensor, flat], [operands[-1]], f"{operands[-1]}_reshape"))
    out = shapes[back.output[0]]
    deep = graph.constant(f"deep_{'_'.join(map(str, out))}", np.array(out))
    nodes.append(_operator(operands, f"{name}_flat", name, heads=out[2], scale=found.scale))
    nodes.append(helper.make_node("Reshape", [f"{name}_flat", deep], list(back.output), f"{name}_reshape"))
    graph.replace(back, *nodes)


def _operator(operands: list[str], output: str, name: str, *, heads: int, scale: float) -> onnx.NodeProto:
    return helper.make_node(
        "MultiHeadAttention", operands, [output], f"{name}_attention", domain=DOMAIN, num_heads=heads, scale=scale
    )


def _permutation(transpose: onnx.NodeProto) -> list[int]:
    return list(helper.get_node_attr_value(transpose, "perm"))
