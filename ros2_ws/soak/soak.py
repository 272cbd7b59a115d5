"""A day on a robot, compressed: the node's own program, real DDS, and everything that goes wrong with a robot.

A camera sends 30 images a second, people and programs speak to the node every few seconds, and faults are injected on
a seeded schedule: in the camera, the node, the speech service and the policy server. Half of the time the node runs
with the candidates policy, half with a policy server. Every mask is held to the rules of checks.py, every fault must
show itself within seconds and masks must flow again after it, memory must be flat, and SIGINT must end the node with 0.
The camera's pictures, the policy server and the processes are those of the benchmarks.

    make ros
    python ros2_ws/soak/soak.py --save              # 20 minutes; any Python, as benchmarks/bench_ros.py
    python ros2_ws/soak/soak.py --smoke             # every fault once, about five minutes
    python ros2_ws/soak/soak.py --minutes 1 --only camera_stops,bag_loops
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks import ros_env
from benchmarks.timing import publish
from ros2_ws.soak.tally import episode_rows, fault_rows

if TYPE_CHECKING:
    from ros2_ws.soak.node_run import NodeRun, Schedule
    from ros2_ws.soak.robot import Robot

POLICIES = ("candidates", "chat")
"""Each decides in half of the time, in a process of the node of its own."""


def results_of(runs: list[NodeRun], robot: Robot, schedule: Schedule, seconds: float) -> dict[str, Any]:
    """The result document."""
    from ros2_ws.soak.faults import RECOVERED_WITHIN_S
    from ros2_ws.soak.node_run import faults_of

    occurrences = [one for run in runs for one in run.occurrences]
    described = {fault.name: fault for policy in POLICIES for fault in faults_of(policy, has_speech=True, only=())}
    played = [one for run in runs for one in run.played]
    has_speech = speech_is_built()
    return {
        "what": "the node under faults: what was injected, how it showed, and what held all the time",
        "seconds": round(seconds),
        "seed": schedule.seed,
        "camera": "30 Hz, 480x640 and what the faults make of it; Fast DDS profile for images",
        "threads": schedule.threads,
        "ros": ros_env.versions(),
        "speech": "action of icseg_test_msgs" if has_speech else "left out: icseg_test_msgs is not built",
        "invariants": {
            "images_sent": robot.checks.n_images,
            "streams_begun": robot.checks.n_streams,
            "masks": robot.checks.n_masks,
            "targets": robot.checks.n_targets,
            "masks_of_one_image_for_a_new_target": robot.checks.n_shared,
            "broken": dict(robot.checks.summary),
            "broken_texts": robot.checks.texts,
            "node_died": [run.died for run in runs if run.died],
            "exit_code_after_sigint": {run.policy: run.exit_code for run in runs},
            "tracebacks": sum(run.tracebacks for run in runs),
        },
        "faults_injected": len(occurrences),
        "faults_shown": sum(bool(one.shown) for one in occurrences),
        "recovered_bound_s": RECOVERED_WITHIN_S,
        "faults_recovered": sum(one.recovered_after_s is not None for one in occurrences),
        "episodes_played": len(played),
        "episodes_as_expected": sum(is_right for _, _, is_right in played),
        "memory": {run.policy: run.memory.summary() for run in runs},
        "faults": fault_rows(occurrences, described),
        "episodes": episode_rows(played),
    }


def speech_is_built() -> bool:
    """Whether the test types are there."""
    return importlib.util.find_spec("icseg_test_msgs") is not None


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0, help="both runs together")
    parser.add_argument("--seed", type=int, default=0, help="of the schedule")
    parser.add_argument("--threads", type=int, default=1, help="of the model's graphs")
    parser.add_argument("--only", default="", help="names of faults, with commas between")
    parser.add_argument("--episodes", type=int, default=2, help="between two faults, at most")
    parser.add_argument("--policies", default=",".join(POLICIES), help="candidates, chat, or both")
    parser.add_argument("--smoke", action="store_true", help="every fault once")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/soak_ros.json")
    args = parser.parse_args()
    ros_env.enter()
    os.environ.update(ros_env.environment(has_profile=True))
    from ros2_ws.soak.node_run import Schedule, run_node
    from ros2_ws.soak.robot import Robot

    policies = [name for name in args.policies.split(",") if name]
    only = tuple(name for name in args.only.split(",") if name)
    schedule = Schedule(args.minutes * 60 / len(policies), args.seed, only, args.smoke, args.episodes, args.threads)
    began_at = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # the children are ended on the way out

    def log(words: str) -> None:
        print(f"{time.monotonic() - began_at:7.1f} s  {robot.checks.n_masks:6d} masks  {words}", file=sys.stderr)

    runs: list[NodeRun] = []
    with tempfile.TemporaryDirectory(prefix="icseg-soak-") as name:
        robot = Robot()
        try:
            robot.camera.start()
            runs.extend(run_node(policy, robot, schedule, Path(name), began_at, log) for policy in policies)
            results = results_of(runs, robot, schedule, time.monotonic() - began_at)
        finally:
            robot.close()
    publish("soak_ros", results, save=args.save)
    return 0


if __name__ == "__main__":
    sys.exit(main())
