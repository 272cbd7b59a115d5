"""Rows of what the runtime does: questions, steps, memory, evaluation, clips, the ROS 2 node. Data only."""

from __future__ import annotations

from benchmarks.measured.table import Row, Table

RESULTS = "benchmarks/results/"
SEGMENTER, DETECTOR = ("segmenter",), ("detector",)
NANO = SEGMENTER + DETECTOR
MEDIAN_P95 = ("median", "p95")
OLD_DETECTOR = "detector at 320x320"


def _times(what: str, file: str, path: str, *weights: str, peak: str = "", remark: str = "") -> Row:
    figures = (f"{{{path}/median_ms:.0f}} ms", f"{{{path}/p95_ms:.0f}} ms")
    return Row(what, RESULTS + file, (*figures, f"{{{peak}:.0f}} MB") if peak else figures, weights, remark)


def _step(what: str, model: str, arm: str) -> Row:
    arm_path = f"models/[model={model}]/arms/{arm}"
    weights = SEGMENTER if model == "nano" else ()
    remark = "" if model == "nano" else "random weights"
    return _times(what, "bench_tracker.json", arm_path + "/step", *weights, peak=arm_path + "/peak_mb", remark=remark)


def _eval(what: str, figure: str) -> Row:
    return Row(what, RESULTS + "eval.json", (figure,), NANO)


def _clips(what: str, path: str, how_many: str = "true_box") -> Row:
    arms = ("true_box", "dialogue", "tracker_alone") if path != "unseen_kinds/" else ("true_box", "", "tracker_alone")
    j_and_f = tuple(f"{{{path}{arm}/j_and_f:.2f}}" if arm else "" for arm in arms)
    kept = tuple(f"{{{path}{arm}/keeps_identity:.2f}}" for arm in ("true_box", "tracker_alone"))
    figures = (f"{{{path}{how_many}/clips:d}}", *j_and_f, *kept)
    return Row(what, RESULTS + "bench_clips.json", figures, NANO)


def _ros(size: str, profile: bool) -> Row:
    case = (
        f"cases/[case.processes=3;case.size={size};case.transport=raw;case.has_profile={profile};case.threads=1;"
        "case.reliability=reliable;case.rate_hz=30.0]"
    )
    figures = (
        f"{{{case}/latency/median_ms:.0f}} / {{{case}/latency/p95_ms:.0f}} ms",
        f"{{{case}/without_model_and_its_queue/p95_ms:.0f}} ms",
        f"{{{case}/relay/latency/p95_ms:.0f}} ms",
    )
    height, width = size.split("x")
    what = f"{width}x{height}, Fast DDS {'with our profile' if profile else 'as it comes'}"
    return Row(what, RESULTS + "bench_ros.json", figures, NANO, OLD_DETECTOR)


def _lost(what: str, profile: bool) -> Row:
    frames = f"cases/[case.size=480x640;case.has_profile={profile};case.reliability=best_effort]/frames/all"
    figures = (f"{{{frames}/sent:d}}", f"{{{frames}/lost_on_the_way_in:d}}")
    return Row(what, RESULTS + "bench_ros.json", figures, NANO, OLD_DETECTOR)


def _slow_look(where: str, arm: str) -> Row:
    step = f"slow_looks/{arm}/step"
    figures = (f"{{{step}/median_ms:.0f}} / {{{step}/p95_ms:.0f}} ms",)
    what = f"a session's step, median / p95, with looks of 300 ms {where}"
    return Row(what, RESULTS + "bench_rechecks.json", figures, NANO)


def _soak(what: str, figure: str) -> Row:
    return Row(what, RESULTS + "soak_ros.json", (figure,), NANO, OLD_DETECTOR)


CLIPS = (
    "clips",
    "how many",
    "J&F, true box",
    "J&F, dialogue",
    "J&F, tracker alone",
    "identity kept, true box",
    "the same, tracker alone",
)
GROUPS = (
    *("event hidden", "event leaving", "event moving", "crossed by a like thing"),
    *("another thing touches it in the first frame", "small in the picture", "large in the picture"),
    *(f"kind {kind}" for kind in ("ball", "bottle", "box", "can", "mug")),
    *(f"colour {name}" for name in ("black", "blue", "green", "orange", "purple", "red", "white", "yellow")),
)
CLIP_ROWS = (
    _clips("all", ""),
    *(_clips(group, f"groups/{group}/") for group in GROUPS),
    _clips("kinds that no training saw", "unseen_kinds/"),
)
ROS = (
    "image",
    "stamp to mask, median / p95",
    "all but the model and the wait for it, p95",
    "a relay that computes nothing, p95",
)
ROS_ROWS = tuple(_ros(size, profile) for size in ("480x640", "720x1280") for profile in (True, False))

TABLES = {
    "newcomer": Table(
        ("what", "median, or share"),
        (
            Row(
                "from command to question, nano models, 640x480",
                RESULTS + "bench_question.json",
                ("{command_to_question/newest_frame/median_ms:.0f} ms",),
            ),
            Row(
                "one tracker step, nano segmenter, memory full (transformers, the same weights)",
                RESULTS + "bench_tracker.json",
                (
                    "{models/[model=nano]/arms/icseg_fp32/step/median_ms:.0f} ms"
                    " ({models/[model=nano]/arms/transformers_eager/step/median_ms:.0f} ms)",
                ),
            ),
            Row(
                "the same, SAM 2.1 tiny at 512 (transformers)",
                RESULTS + "bench_tracker.json",
                (
                    "{models/[model=sam2.1-tiny-512]/arms/icseg_fp32/step/median_ms:.0f} ms, in INT8"
                    " {models/[model=sam2.1-tiny-512]/arms/icseg_int8/step/median_ms:.0f} ms"
                    " ({models/[model=sam2.1-tiny-512]/arms/transformers_eager/step/median_ms:.0f} ms)",
                ),
            ),
            Row(
                "the right thing is segmented, of 200 ambiguous commands (an option taken by chance)",
                RESULTS + "eval.json",
                ("{ambiguous/icseg/segmented_right_thing:.2f} ({ambiguous/guess/segmented_right_thing:.2f})",),
            ),
            Row(
                "memory of the process, two things over 5,000 frames: at most, and its growth",
                RESULTS + "bench_memory.json",
                ("{largest_later_mb:.0f} MB, {growth:.2%}",),
            ),
        ),
        "short",
    ),
    "question": Table(
        ("from command to question", *MEDIAN_P95),
        tuple(
            _times(what, "bench_question.json", f"command_to_question/{way}", *DETECTOR)
            for what, way in (
                ("newest frame, with closer looks", "newest_frame"),
                ("one look", "glance"),
                ("all six frames, with closer looks", "all_six_frames"),
            )
        ),
    ),
    "step": Table(
        ("one tracker step", *MEDIAN_P95, "peak memory"),
        (
            _step("nano segmenter", "nano", "icseg_fp32"),
            _step("the same, INT8", "nano", "icseg_int8"),
            _step("the same, transformers, eager", "nano", "transformers_eager"),
            _step("the same, transformers, compiled", "nano", "transformers_compiled"),
            _step("SAM 2.1 tiny at 512", "sam2.1-tiny-512", "icseg_fp32"),
            _step("the same, INT8", "sam2.1-tiny-512", "icseg_int8"),
            _step("the same, transformers, eager", "sam2.1-tiny-512", "transformers_eager"),
            _step("the same, transformers, compiled", "sam2.1-tiny-512", "transformers_compiled"),
            _step("SAM 2.1 tiny at 1024", "sam2.1-tiny-1024", "icseg_fp32"),
            _step("the same, INT8", "sam2.1-tiny-1024", "icseg_int8"),
            _step("the same, transformers, eager", "sam2.1-tiny-1024", "transformers_eager"),
            _step("the same, transformers, compiled", "sam2.1-tiny-1024", "transformers_compiled"),
        ),
    ),
    "memory": Table(
        ("resident set, nano models", "figure"),
        (
            Row(
                "two things, {frames:,d} frames, {prompts:d} prompts: after warm-up",
                RESULTS + "bench_memory.json",
                ("{after_warm_up_mb:.0f} MB",),
                SEGMENTER,
            ),
            Row(
                "the same: at most afterwards", RESULTS + "bench_memory.json", ("{largest_later_mb:.0f} MB",), SEGMENTER
            ),
            _soak(
                "the ROS 2 node, candidates policy, twenty minutes of faults: at most",
                "{memory/candidates/greatest_mb:.0f} MB",
            ),
            _soak("the same with a chat server", "{memory/chat/greatest_mb:.0f} MB"),
        ),
    ),
    "eval": Table(
        (
            "`icseg eval`: {ambiguous/commands:d} ambiguous and {unambiguous/commands:d} unambiguous commands",
            "share, or count",
        ),
        (
            _eval("ambiguous: the right thing is segmented", "{ambiguous/icseg/segmented_right_thing:.2f}"),
            _eval("the same, an option taken by chance", "{ambiguous/guess/segmented_right_thing:.2f}"),
            _eval(
                "ambiguous: pointed at without a question, commands",
                "{goals/[what=pointed without asking, ambiguous commands]/value:d}",
            ),
            _eval("unambiguous: asked about all the same", "{unambiguous/icseg/asked:.2f}"),
            _eval("unambiguous: the right thing is segmented", "{unambiguous/icseg/segmented_right_thing:.2f}"),
        ),
    ),
    "demo": Table(
        ("the demo, first {count(scenes/*):d} scenes", "figure"),
        (
            Row("scenes passed", RESULTS + "demo_seeds.json", ("{passed:d} of {count(scenes/*):d}",), NANO),
            Row("mean J over all", RESULTS + "demo_seeds.json", ("{mean(scenes/*/mean_j):.2f}",), NANO),
            Row("the scene with the least J", RESULTS + "demo_seeds.json", ("{min(scenes/*/mean_j):.2f}",), NANO),
        ),
    ),
    "clips": Table(CLIPS, CLIP_ROWS),
    "clips-card": Table(CLIPS, CLIP_ROWS, "bare"),
    "gates": Table(
        ("every third clip, tracker alone", "J&F"),
        (
            Row(
                "with the gates of nano's settings",
                RESULTS + "bench_clips.json",
                ("{what_is_remembered/tracker_alone/j_and_f:.2f}",),
                SEGMENTER,
            ),
            Row(
                "SAM 2's own memory",
                RESULTS + "bench_clips.json",
                ("{what_is_remembered/as_sam2/j_and_f:.2f}",),
                SEGMENTER,
            ),
            Row(
                "J alone, from a true box, on kinds that no training saw",
                RESULTS + "bench_clips.json",
                ("{unseen_kinds/true_box/j:.2f}",),
                NANO,
            ),
        ),
    ),
    "rechecks": Table(
        ("{scenes:d} scenes, whole dialogue", "figure"),
        (
            Row("mean J with rechecks", RESULTS + "bench_rechecks.json", ("{with_rechecks/mean_j:.2f}",), NANO),
            Row("mean J without", RESULTS + "bench_rechecks.json", ("{without/mean_j:.2f}",), NANO),
            Row(
                "one recheck's look, median",
                RESULTS + "bench_rechecks.json",
                ("{one_look/median_ms:.0f} ms",),
                DETECTOR,
            ),
            _slow_look("beside it", "looks_beside_it"),
            _slow_look("within it", "looks_in_the_step"),
            _slow_look("left out", "without"),
        ),
    ),
    "ros": Table(ROS, ROS_ROWS),
    "ros-page": Table(ROS, ROS_ROWS, "bare"),
    "ros-lost": Table(
        ("images of a best-effort camera, 640x480", "sent", "lost on the way"),
        (_lost("Fast DDS with our profile", True), _lost("Fast DDS as it comes", False)),
    ),
    "soak": Table(
        ("the ROS 2 node, {seconds:d} s under faults", "figure"),
        (
            _soak("faults injected, kinds", "{faults_injected:d}, {count(faults/*):d}"),
            _soak("faults shown, recovered from", "{faults_shown:d}, {faults_recovered:d}"),
            _soak(
                "commands, goals and services that ended as expected", "{episodes_as_expected:d} of {episodes_played:d}"
            ),
            _soak("masks", "{invariants/masks:,d}"),
            _soak(
                "masks with the stamp of no image, not of its image's size",
                "{invariants/broken/the stamp of no image:d}, {invariants/broken/not of its image's size:d}",
            ),
            _soak(
                "growth of memory after warm-up: candidates, chat",
                "{memory/candidates/growth:.2%}, {memory/chat/growth:.2%}",
            ),
        ),
    ),
    "own-memory": Table(
        ("part, on a PC's CPU", "memory"),
        (
            Row(
                "runtime with the nano models, one thing",
                RESULTS + "bench_tracker.json",
                ("{models/[model=nano]/arms/icseg_fp32/peak_mb:.0f} MB",),
            ),
            Row(
                "the same, two things, {frames:,d} frames: no growth",
                RESULTS + "bench_memory.json",
                ("{largest_later_mb:.0f} MB",),
            ),
            Row(
                "the ROS 2 node with them, 30 Hz camera, twenty minutes of faults: at most",
                RESULTS + "soak_ros.json",
                ("{max(memory/*/greatest_mb):.0f} MB",),
            ),
        ),
        "short",
    ),
}
