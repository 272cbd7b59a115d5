"""What a verification found, as Markdown, JSON and a picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from export.ladder import Gates, Verification

REPORT = "report"


def summary_of(result: Verification) -> str:
    """A few lines for a terminal."""
    streams = result.agreement
    loss = streams.loss_of_j_and_f
    lines = [
        f"{check.graph:18} {check.precision:8} relative L2 {check.relative_l2:.2e} ({check.output})"
        for check in result.graphs
    ]
    lines.append(
        f"streams: mean IoU {streams.mean_iou:.4f}, least {streams.min_iou:.4f}, "
        f"drift {streams.drift_per_1000:+.4f} per 1000 frames, identity kept {streams.identity_kept:.4f}"
        + (f", J&F {-loss:+.4f} against the truth" if loss is not None else "")
    )
    lines += [f"FAILED {text}" for text in result.failures] or ["passed"]
    return "\n".join(lines)


def write_report(folder: Path, result: Verification, gates: Gates) -> None:
    """Write report.md, report.json and report.png into a folder.

    Raises:
        OSError: they cannot be written.
    """
    (folder / f"{REPORT}.json").write_text(json.dumps(result.as_mapping(), indent=1) + "\n", encoding="utf-8")
    (folder / f"{REPORT}.md").write_text(_markdown(result, gates), encoding="utf-8")
    _draw(folder / f"{REPORT}.png", result, gates)


def _markdown(result: Verification, gates: Gates) -> str:
    streams, loss = result.agreement, result.agreement.loss_of_j_and_f
    rows = [
        f"| {check.graph} | {check.precision} | {check.output} | {check.relative_l2:.2e} | {check.max_abs:.2e} | "
        f"{gates.graph_error[check.precision]:g} |"
        for check in result.graphs
    ]
    text = [
        f"# Verification: {'passed' if not result.failures else 'FAILED'}",
        "",
        *(f"- {failure}" for failure in result.failures),
        "",
        f"## Single graphs, beside {result.graph_reference}",
        "",
        "| graph | precision | worst output | relative L2 | largest difference | allowed (L2) |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
        f"## Long streams, beside {result.stream_reference}",
        "",
        "| what | value | gate |",
        "|---|---|---|",
        f"| things and frames, with something to see | {sum(streams.seen)} of {len(streams.seen)} | |",
        f"| mean IoU of the masks | {streams.mean_iou:.4f} | at least {gates.mean_iou[result.precision]:g} |",
        f"| least IoU | {streams.min_iou:.4f} | |",
        f"| drift of the IoU per 1000 frames | {streams.drift_per_1000:+.4f} | |",
        f"| identity kept | {streams.identity_kept:.4f} | |",
    ]
    if loss is not None:
        text.append(f"| loss of J&F against the truth | {loss:+.4f} | at most {gates.loss_of_j_and_f:g} |")
    if result.iou_with_one_graph:
        text += ["", "Mean IoU with one graph alone: " + str(result.iou_with_one_graph)]
    return "\n".join([*text, "", "![IoU over the streams](report.png)", ""])


def _draw(path: Path, result: Verification, gates: Gates) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    streams = result.agreement
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), width_ratios=(2, 1), layout="constrained")
    at, iou, seen = np.array(streams.at), np.array(streams.iou), np.array(streams.seen, bool)
    left.plot(at[seen], iou[seen], ".", markersize=2, color="tab:blue", label="a thing in a frame")
    left.axhline(gates.mean_iou[result.precision], color="tab:red", linewidth=1, label="gate of the mean")
    left.axhline(streams.mean_iou, color="tab:green", linewidth=1, label=f"mean {streams.mean_iou:.4f}")
    left.set(xlabel="frame of its stream", ylabel=f"IoU with {result.stream_reference}", ylim=(0, 1.02))
    left.legend(loc="lower left")
    names = [f"{check.graph}\n{check.precision}" for check in result.graphs]
    right.barh(names, [max(check.relative_l2, 1e-9) for check in result.graphs], color="tab:blue")
    right.set(xscale="log", xlabel=f"relative L2 error, beside {result.graph_reference}")
    figure.savefig(path, dpi=110)
    plt.close(figure)
