"""Rows of what the models and kernels are: equal to their reference, how accurate, how quick. Data only."""

from __future__ import annotations

from benchmarks.measured.table import Row, Table

RESULTS = "benchmarks/results/"
SEGMENTER, DETECTOR = ("segmenter",), ("detector",)


def _half(what: str, way: str) -> Row:
    path = f"ways/{way}"
    decoder = f"{path}/graphs/mask_decoder"
    figures = (
        f"{{{path}/mean_iou:.4f}}",
        f"{{{path}/min_iou:.3f}}",
        f"{{{decoder}/relative_errors/mask_logits:.1e}}",
        f"{{{decoder}/relative_errors/object_score:.1e}}",
        f"{{{decoder}/casts:d}}",
    )
    return Row(what, RESULTS + "bench_half.json", figures, SEGMENTER)


def _kernels(what: str, figure: str) -> Row:
    return Row(what, RESULTS + "bench_mask_ops.json", (figure,))


def _masks_720p(kind: str) -> str:
    path = f"logits_to_clean_bit_masks_and_statistics/[size=720p;kind={kind}]/times_faster/opencv, 1 thread"
    return f"{{min({path}):.1f}} to {{max({path}):.1f}} times"


def _detector(what: str, figure: str) -> Row:
    return Row(what, "models/nano/detector/evaluation.json", (figure,), DETECTOR)


HALF = ("way to FP16", "mean IoU", "least IoU", "mask logits", "object score", "casts in the mask decoder")
HALF_ROWS = (
    _half("ours", "ours"),
    _half("ours, nothing kept in FP32", "nothing_kept"),
    _half("onnxruntime's converter, the same nodes kept", "onnxruntime"),
)
KERNEL_ROWS = (
    _kernels(
        "masks, logits to clean bit masks with statistics at 720p, against OpenCV's best composition",
        _masks_720p("nano"),
    ),
    _kernels("the same, speckled masks", _masks_720p("speckled")),
    _kernels("the same, noise", _masks_720p("noise")),
    _kernels(
        "COCO RLE, against pycocotools", "at least {min(masks_at_camera_size/*/times_faster/pycocotools):.1f} times"
    ),
    _kernels(
        "`preprocess` to 1024, against OpenCV's best with as many threads",
        "at least {min(preprocess_to_1024/*/times_faster_with_as_many_threads/*):.1f} times",
    ),
)
SIZES = ((192, 32), (256, 32), (320, 16), (320, 24), (320, 32), (320, 48))


TABLES = {
    "int8": Table(
        ("nano segmenter in INT8 against FP32", "figure"),
        tuple(
            Row(what, RESULTS + "verify_nano_int8.json", (template,), SEGMENTER)
            for what, template in (
                ("mean IoU of {streams/with_something_to_see:,d} recurrent masks", "{streams/mean_iou:.3f}"),
                ("the least of them", "{streams/min_iou:.3f}"),
                ("J&F lost against the truth", "{streams/loss_of_j_and_f:.4f}"),
            )
        ),
    ),
    "half": Table(HALF, HALF_ROWS),
    "half-page": Table(HALF, HALF_ROWS, "bare"),
    "half-memory": Table(
        ("activation memory of a plan, TensorRT-RTX's builder", "FP16", "FP16, nothing kept", "FP32"),
        tuple(
            Row(
                what,
                RESULTS + "bench_half.json",
                (
                    f"{{ways/ours/graphs/{graph}/plan/activation_bytes:MB}}",
                    f"{{ways/nothing_kept/graphs/{graph}/plan/activation_bytes:MB}}",
                    f"{{plans_fp32/{graph}/activation_bytes:MB}}",
                ),
                SEGMENTER,
            )
            for what, graph in (("memory attention", "memory_attention"), ("mask decoder", "mask_decoder"))
        ),
    ),
    "parity": Table(
        ("SAM 2.1 {size:s} at {resolution:d}, masks beside transformers' video model, the same weights", "IoU"),
        (
            Row("mean of {masks:d} masks", RESULTS + "bench_parity.json", ("{mean_iou:.4f}",), (), "random weights"),
            Row("the least of them", RESULTS + "bench_parity.json", ("{least_iou:.4f}",), (), "random weights"),
        ),
    ),
    "kernels": Table(("operation, one thread", "icseg is quicker by"), KERNEL_ROWS),
    "kernels-page": Table(("operation, one thread", "icseg is quicker by"), KERNEL_ROWS, "bare"),
    "size": Table(
        ("size of the segmenter: input, width", "a tracked frame", "J after 120 steps from nothing"),
        tuple(
            Row(
                f"{image}, {width}" + (" (ships)" if (image, width) == (320, 32) else ""),
                "models/nano/segmenter/size_curve.json",
                (
                    f"{{sizes/[image={image};width={width}]/step_ms:.0f}} ms",
                    f"{{sizes/[image={image};width={width}]/prompted_j:.2f}}",
                ),
                (),
                "processor without AVX512; weights of its own",
            )
            for image, width in SIZES
        ),
    ),
    "detector": Table(
        ("nano detector, single looks, {things:,d} things", "figure"),
        (
            _detector("recall, precision at IoU 0.5", "{recall:.3f}, {precision:.3f}"),
            _detector("mean IoU of matches", "{mean_iou:.3f}"),
            _detector("kind right, colour right", "{kind_accuracy:.3f}, {colour_accuracy:.3f}"),
            _detector(
                "calibration error (ECE) of score, kind, colour", "{score_ece:.3f}, {kind_ece:.3f}, {colour_ece:.3f}"
            ),
            *(
                _detector(
                    f"{kind}: recall, kind right", f"{{per_kind/{kind}/recall:.3f}}, {{per_kind/{kind}/accuracy:.3f}}"
                )
                for kind in ("mug", "bowl", "bottle", "can", "box", "ball", "plate", "spoon")
            ),
        ),
    ),
    "calibration": Table(
        ("object score's threshold on {scenes:d} validation scenes", "mean J"),
        tuple(
            Row(
                str(threshold),
                "models/nano/segmenter/calibration.json",
                (f"{{thresholds/[threshold={threshold}]/mean_j:.3f}}",),
                SEGMENTER,
            )
            for threshold in (0.0, 1.0, 2.0)
        ),
    ),
}
