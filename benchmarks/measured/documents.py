"""Which documents have tables, all tables by name, and the commits of files that name none."""

from __future__ import annotations

from benchmarks.measured import rows_models, rows_runtime
from benchmarks.measured.table import Row

RESULTS = "benchmarks/results/"

DOCUMENTS = (
    "README.md",
    "docs/measured.md",
    "docs/jetson.md",
    "docs/ros2.md",
    "docs/tensorrt.md",
    "kernels/README.md",
    "models/nano/README.md",
)

# Files that name no commit, or one that is not in the history (it was rebased): the commit that they came with.
MEASURED_AT = {
    RESULTS + "eval.json": "4f17cff",
    RESULTS + "verify_nano_int8.json": "4a34704",
    RESULTS + "bench_attention.json": "44cfb2e",
    RESULTS + "bench_half.json": "048b3e9",
    RESULTS + "bench_kernels_model.json": "c39b882",
    "models/nano/detector/evaluation.json": "6c5870a",
    "models/nano/segmenter/calibration.json": "b067254",
    "models/nano/segmenter/size_curve.json": "48a0c7c",
}

TABLES = rows_runtime.TABLES | rows_models.TABLES


def traced_rows() -> list[Row]:
    """The rows that stand in a table with their commits."""
    return [row for table in TABLES.values() if table.form == "full" for row in table.rows]
