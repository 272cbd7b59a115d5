"""From the camera's stamp to the mask at a subscriber, over real DDS and between real processes.

A camera sends pictures of the shipped recording at 30 Hz, the node tracks one thing in them with the nano models, a
subscriber hears ~/mask. Two processes: camera and subscriber in one, the node in the other; three: each in its own. The
opponent is the same path through a relay that computes nothing: what ROS itself costs.

    make ros
    python benchmarks/bench_ros.py --save        # any Python: it goes on in .venv-ros with ros2_ws/install sourced
    python benchmarks/bench_ros.py --smoke

In a shell in which a ROS 2 workspace with icseg_ros was sourced, that one is measured.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks import ros_env
from benchmarks.ros_process import Process
from benchmarks.ros_split import case_numbers, frame_numbers, goals_of, mask_times, relay_numbers
from benchmarks.timing import publish

HERE = Path(__file__).resolve().parent
SLOW_RATE_HZ = 5.0
"""A camera that the model keeps up with on two cores: no image waits for it."""
WAIT_FOR_LAST_MASK_S = 0.5
"""Seconds from the camera's last image until the node and the subscriber are ended."""
GOALS_MS = {"480x640": 12.0, "720x1280": 25.0}
"""What everything but the model may take at each size, 95th percentile."""
WHAT = (
    "milliseconds from the image's stamp (when the camera gives it to the middleware) to the mask at a subscriber, "
    "tracking one thing with the nano models; all processes on one machine and one clock. without_model: the mask's "
    "own time in the model taken away; and_its_queue: also the time in which its image waited because the model had "
    "the one before. too_old: images older, when their processing began, than a camera period and the model's time "
    "before it"
)


@dataclass(frozen=True, slots=True)
class Case:
    """One measurement.

    Attributes:
        processes: 2 = camera and subscriber share one; 3 = each has its own.
        size: height x width, pixels.
        transport: raw rgb8, or compressed (JPEG).
        reliability: what the camera's publisher offers.
        has_profile: the Fast DDS profile for images, in all processes.
        threads: CPU threads of the model's graphs.
        rate_hz: images that the camera sends a second.
    """

    processes: int
    size: str
    transport: str
    has_profile: bool
    threads: int
    reliability: str = "reliable"
    rate_hz: float = 30.0


@dataclass(frozen=True, slots=True)
class Length:
    """How long things last, seconds."""

    warm_up_s: float
    measured_s: float
    relay_s: float


def all_cases(threads: int) -> list[Case]:
    """The whole matrix; then what a best-effort camera loses, a camera slower than the model, other threads."""
    cases = [
        Case(processes, size, transport, has_profile, threads)
        for size in GOALS_MS
        for transport in ("raw", "compressed")
        for has_profile in (False, True)
        for processes in (2, 3)
    ]
    apart = [case for case in cases if case.processes == 3]
    best_effort = [replace(case, reliability="best_effort") for case in apart if case.transport == "raw"]
    slow = [replace(case, rate_hz=SLOW_RATE_HZ) for case in apart if case.has_profile]
    other = [replace(case, threads=3 - threads) for case in apart if case.has_profile and case.transport == "raw"]
    return [*cases, *best_effort, *slow, *other]


@contextmanager
def ends(case: Case, folder: Path, seconds: float, *extra: str) -> Iterator[tuple[Process, Process]]:
    """Camera and listener, which may be one process."""
    program = [sys.executable, str(HERE / "ros_ends.py")]
    what = ["--size", case.size, "--transport", case.transport, "--reliability", case.reliability]
    what += ["--rate-hz", str(case.rate_hz), "--seconds", str(seconds), *extra]
    env = ros_env.environment(has_profile=case.has_profile)
    roles = [["--camera", "--listener"]] if case.processes == 2 else [["--listener"], ["--camera"]]
    with ExitStack() as running:
        started = []
        for number, role in enumerate(roles):
            argv = [*program, str(folder / f"end{number}.json"), *role, *what]
            name = "camera and listener" if len(roles) == 1 else role[0].lstrip("-")
            started.append(running.enter_context(Process(name, argv, env, folder / f"end{number}.log")))
            if "--listener" in role:
                started[-1].wait_for("listens")
        yield started[-1], started[0]


def stream(camera: Process, listener: Process, middle: Process, length: tuple[float, float]) -> dict[str, Any]:
    """Let the camera run to its end, then end all; what each process used between warm-up and end."""
    began_at = float(camera.wait_for(r"began ([\d.]+)\n")[1])
    begin_s = began_at + length[0]
    time.sleep(max(begin_s - time.monotonic(), 0))
    counted_from, before = time.monotonic(), {one: one.cpu_s() for one in (camera, middle, listener)}
    # a camera of its own process is gone when it has ended
    time.sleep(max(began_at + sum(length) - WAIT_FOR_LAST_MASK_S / 2 - time.monotonic(), 0))
    seconds = time.monotonic() - counted_from
    used = {
        one.name: {
            "cpu_s": round(one.cpu_s() - before[one], 2),
            "cpu_percent_of_a_core": round((one.cpu_s() - before[one]) / seconds * 100, 1),
            "resident_mb": round(one.resident_mb(), 1),
        }
        for one in (camera, middle, listener)
    }
    camera.wait_for("ended", sum(length) + 10)
    time.sleep(WAIT_FOR_LAST_MASK_S)
    for one in dict.fromkeys((middle, listener, camera)):
        one.interrupt()
    return {"begin_s": begin_s, "seconds": sum(length) - length[0], "processes": used}


def measure(case: Case, length: Length) -> dict[str, Any]:
    """One case with the node, then with the relay."""
    seconds = (length.warm_up_s, length.measured_s)
    with tempfile.TemporaryDirectory(prefix="icseg-bench-") as name, ExitStack() as running:
        folder = Path(name)
        env = ros_env.environment(has_profile=case.has_profile)
        camera, listener = running.enter_context(ends(case, folder, sum(seconds)))
        arguments = ["--ros-args", "-p", f"model.threads:={case.threads}", "-p", f"camera.transport:={case.transport}"]
        argv = [sys.executable, str(HERE / "ros_timed_node.py"), str(folder / "node.json"), *arguments]
        node = running.enter_context(Process("node", argv, env, folder / "node.log"))
        used = stream(camera, listener, node, seconds)
        rows = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    listened, filmed, begin_s = rows["end0"], rows.get("end1", rows["end0"]), used["begin_s"]
    times = mask_times(filmed, rows["node"], listened, begin_s)
    return {
        "case": asdict(case),
        **case_numbers(times, 1e3 / case.rate_hz, GOALS_MS[case.size]),
        "frames": frame_numbers(filmed, rows["node"], listened, begin_s, used["seconds"]),
        "processes": used["processes"],
        "relay": measure_relay(case, length),
    }


def measure_relay(case: Case, length: Length) -> dict[str, Any]:
    """The path without icseg, in the same arrangement."""
    seconds = (length.warm_up_s, length.relay_s)
    with tempfile.TemporaryDirectory(prefix="icseg-bench-") as name, ExitStack() as running:
        folder = Path(name)
        env = ros_env.environment(has_profile=case.has_profile)
        camera, listener = running.enter_context(ends(case, folder, sum(seconds), "--no-target"))
        program = [sys.executable, str(HERE / "ros_relay.py"), str(folder / "relay.json")]
        argv = [*program, case.transport, case.size, case.reliability]
        relay = running.enter_context(Process("relay", argv, env, folder / "relay.log"))
        used = stream(camera, listener, relay, seconds)
        rows = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    filmed = rows.get("end1", rows["end0"])
    return {**relay_numbers(filmed, rows["relay"], rows["end0"], used["begin_s"]), "processes": used["processes"]}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each case, after the warm-up")
    parser.add_argument(
        "--threads", type=int, choices=(1, 2), default=1, help="of the model's graphs; 1 of 2 cores is left for images"
    )
    parser.add_argument("--smoke", action="store_true", help="one short case: whether it works, no measurement")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/bench_ros.json")
    args = parser.parse_args()
    ros_env.enter()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # the children are ended on the way out
    cases, length = all_cases(args.threads), Length(3.0, args.seconds, args.seconds / 2)
    if args.smoke:
        cases, length = [Case(3, "480x640", "raw", True, args.threads)], Length(1.0, 1.5, 0.5)
    measured = []
    for number, case in enumerate(cases, 1):
        measured.append(measure(case, length))
        print(f"{number}/{len(cases)}", told(measured[-1]), file=sys.stderr, flush=True)
    results = {
        "what": WHAT,
        "threads": args.threads,
        "measured_s": length.measured_s,
        "relay_s": length.relay_s,
        "ros": ros_env.versions(),
        "goals": goals_of(measured),
        "cases": measured,
    }
    for goal in results["goals"]:
        told_of = f"{goal['what']}: {goal['value']} (goal {goal['goal']})"
        print("met    " if goal["is_met"] else "NOT MET", told_of, file=sys.stderr)
    publish("bench_ros", results, save=args.save)


def told(result: dict[str, Any]) -> str:
    """A case in one line."""
    case = result["case"]
    arrangement = f"{case['processes']} processes {case['size']} {case['rate_hz']:g} Hz {case['transport']}"
    profile = "profile" if case["has_profile"] else "default"
    without, unqueued, latency = (result[name] for name in ("without_model", "without_model_and_its_queue", "latency"))
    return (
        f"{arrangement} {case['reliability']} {profile} {case['threads']} threads: "
        f"latency {latency['median_ms']:.1f} / {latency['p95_ms']:.1f} ms, "
        f"without the model {without['median_ms']:.1f} / {without['p95_ms']:.1f} (goal {without['goal_p95_ms']:g}), "
        f"and its queue {unqueued['median_ms']:.1f} / {unqueued['p95_ms']:.1f}, "
        f"{result['frames']['after_warm_up']['masks_per_s']} masks/s, "
        f"too old {result['age_when_begun']['too_old']}; "
        f"relay {result['relay']['latency']['median_ms']:.1f} / {result['relay']['latency']['p95_ms']:.1f} ms"
    )


if __name__ == "__main__":
    main()
