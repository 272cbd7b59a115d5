"""A day on a robot, compressed: the node's own program, real DDS, and everything that goes wrong with a robot.

A camera sends 30 images a second, people and programs speak to the node every few seconds, and faults are injected on
a seeded schedule: in the camera, the node, the speech service and the policy server. Half of the time the node runs
with the candidates policy, half with a policy server. Every mask is held to the rules of checks.py, every
fault must show itself within seconds and masks must flow again after it, memory must be flat, and SIGINT must end the
node with 0.

    make ros
    python ros2_ws/soak/soak.py --save              # 20 minutes; any Python, as bench_ros.py
    python ros2_ws/soak/soak.py --smoke             # every fault once, about five minutes
    python ros2_ws/soak/soak.py --minutes 1 --only camera_stops,bag_loops
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks import ros_env
from benchmarks.ros_process import Process
from benchmarks.timing import publish
from ros2_ws.soak.tally import MemorySamples, episode_rows, fault_rows

if TYPE_CHECKING:
    from ros2_ws.soak.faults import Fault, Occurrence, Stage
    from ros2_ws.soak.robot import Robot

ROOT = Path(__file__).resolve().parents[2]
CHAT_SERVER = ROOT / "benchmarks" / "ros_chat_server.py"
READY_S = 60.0
SAMPLE_S = 2.0
POLICIES = ("candidates", "chat")
PARAMETERS: Mapping[str, object] = {
    "session.dialogue.answer_timeout_s": 3.0,
    "session.dialogue.question_repeats": 1,
    "session.following.search_timeout_s": 10.0,
    "chat.connect_timeout_s": 1.0,
    "chat.first_token_timeout_s": 3.0,
    "chat.idle_timeout_s": 2.0,
    "chat.total_timeout_s": 8.0,
    "chat.max_retries": 1,
}
"""Of the node: the patience of a day, compressed."""


@dataclass
class Part:
    """What came of one node process.

    Attributes:
        policy: candidates or chat.
        occurrences, played: of faults and episodes.
        memory: samples.
        exit_code: after SIGINT.
        tracebacks: in what the node wrote.
        seconds: from ready to SIGINT.
    """

    policy: str
    occurrences: list[Occurrence] = field(default_factory=list)
    played: list[tuple[str, str, bool]] = field(default_factory=list)
    memory: MemorySamples = field(default_factory=MemorySamples)
    exit_code: int | None = None
    tracebacks: int = 0
    seconds: float = 0.0
    died: str = ""


@dataclass(frozen=True)
class Plan:
    """How long and in which order.

    Attributes:
        seconds: of each part.
        seed: of the schedule.
        only: names of faults; empty = all.
        once: end a part when every fault was injected once.
        episodes: between two faults at most; at least one, unless it is 0.
        threads: of the model's graphs.
    """

    seconds: float
    seed: int
    only: tuple[str, ...]
    once: bool
    episodes: int
    threads: int


def node_process(folder: Path, policy: str, port: int, threads: int, speech: Mapping[str, object]) -> Process:
    """The node's own program with the soak's parameters."""
    values = {**PARAMETERS, **speech, "model.policy": policy, "model.threads": threads}
    values["chat.url"] = f"http://127.0.0.1:{port}/v1"
    argv = [str(ros_env.node_executable()), "--ros-args"]
    for name, value in values.items():
        argv += ["-p", f"{name}:={value}"]
    env = ros_env.environment(has_profile=True) | {"ROS_PYTHON_CHECK_FIELDS": "1"}
    return Process("node", argv, env, folder / f"node_{policy}.log")


def faults_of(policy: str, *, has_speech: bool, only: tuple[str, ...]) -> list[Fault]:
    """Those that can be injected."""
    from ros2_ws.soak.faults_camera import CAMERA_FAULTS
    from ros2_ws.soak.faults_node import NODE_FAULTS, POLICY_FAULTS, SPEECH_FAULTS

    faults = [*CAMERA_FAULTS, *NODE_FAULTS]
    faults += SPEECH_FAULTS if has_speech else ()
    faults += POLICY_FAULTS if policy == "chat" else ()
    return [fault for fault in faults if not only or fault.name in only]


def shuffled(faults: list[Fault], chance: random.Random, *, once: bool) -> Iterator[Fault]:
    """Every fault once in a random order, then all again in another, unless once is enough."""
    while True:
        yield from chance.sample(faults, len(faults))
        if once:
            return


def watch(node: Process, memory: MemorySamples, is_over: threading.Event) -> None:
    """Sample the node's memory until it is over."""
    began_at = time.monotonic()
    while not is_over.wait(SAMPLE_S) and node.is_alive:
        try:
            threads, files = (len(list(Path(f"/proc/{node.pid}/{kind}").iterdir())) for kind in ("task", "fd"))
        except OSError:
            return  # it has just ended
        memory.at_s.append(time.monotonic() - began_at)
        memory.mb.append(node.resident_mb())
        memory.threads.append(threads)
        memory.files.append(files)


def play(stage: Stage, part: Part, node: Process, plan: Plan, began_at: float, log: Callable[[str], None]) -> None:
    """Episodes and faults in turn until the time is over, or the node is gone."""
    from ros2_ws.soak.faults import inject
    from ros2_ws.soak.robot import Missed
    from ros2_ws.soak.talk import EPISODES

    chance = random.Random(f"{plan.seed} {part.policy}")
    faults = faults_of(part.policy, has_speech=stage.speech is not None, only=plan.only)
    ends_at = time.monotonic() + plan.seconds
    if not faults:
        return
    episodes = iter(())  # type: ignore[var-annotated]
    for fault in shuffled(faults, chance, once=plan.once):
        for _ in range(chance.randint(min(plan.episodes, 1), plan.episodes)):
            episode = next(episodes, None)
            if episode is None:
                episodes = iter(chance.sample(EPISODES, len(EPISODES)))
                episode = next(episodes)
            try:
                words, is_right = episode(stage, chance), True
            except Missed as missed:
                words, is_right = str(missed), False
            part.played.append((episode.__name__, words, is_right))
            log(f"{episode.__name__}: {'' if is_right else 'MISSED '}{words[:150]}")
        if not node.is_alive:
            part.died = f"the node ended before {fault.name}"
            return
        part.occurrences.append(inject(stage, fault, began_at))
        log(str(part.occurrences[-1])[:400])
        if not node.is_alive:
            part.died = f"the node ended during {fault.name}"
            return
        if time.monotonic() > ends_at and not plan.once:
            return


def run_part(policy: str, robot: Robot, plan: Plan, folder: Path, began_at: float, log: Callable[[str], None]) -> Part:
    """One node process from its start to SIGINT."""
    from ros2_ws.soak.faults import Stage

    speech, parameters = speech_of(robot)
    port, part = free_port(), Part(policy)
    robot.forget_node()
    with ExitStack() as running:
        stage = Stage(robot, speech)
        if policy == "chat":
            stage.start_server = lambda: start_server(folder, port)
            stage.server = stage.start_server()
            running.callback(lambda: stage.server.kill() if stage.server is not None else None)
        node = running.enter_context(node_process(folder, policy, port, plan.threads, parameters))
        robot.until(lambda: robot.state.name == "idle" or not node.is_alive, "the node to be ready", READY_S)
        ready_at, is_over = time.monotonic(), threading.Event()
        watcher = threading.Thread(target=watch, args=(node, part.memory, is_over))
        watcher.start()
        try:
            play(stage, part, node, plan, began_at, log)
        finally:
            is_over.set()
            watcher.join()
        part.seconds = time.monotonic() - ready_at
        part.exit_code = node.interrupt()
        part.tracebacks = node.text().count("Traceback")
        if part.tracebacks or part.died or part.exit_code:
            print(node.text()[-20_000:], file=sys.stderr)
    if speech is not None:
        speech.close()
    return part


def speech_of(robot: Robot) -> tuple[Any, Mapping[str, object]]:
    """The speech service and the node's parameters for it; nothing when its types are not built."""
    try:
        from ros2_ws.soak.speech import PARAMETERS as FOR_SPEECH
        from ros2_ws.soak.speech import SoakSpeech
    except ImportError:
        return None, {}
    return SoakSpeech(robot.node), FOR_SPEECH


def start_server(folder: Path, port: int) -> Process:
    """The policy server, when it listens."""
    argv = [sys.executable, str(CHAT_SERVER), str(port)]
    server = Process("policy server", argv, ros_env.environment(has_profile=False), folder / "server.log")
    server.wait_for("listens")
    return server


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def results_of(parts: list[Part], robot: Robot, plan: Plan, seconds: float) -> dict[str, Any]:
    """The result document."""
    from ros2_ws.soak.faults import RECOVERED_S

    occurrences = [one for part in parts for one in part.occurrences]
    described = {fault.name: fault for policy in POLICIES for fault in faults_of(policy, has_speech=True, only=())}
    played = [one for part in parts for one in part.played]
    has_speech = speech_is_built()
    return {
        "what": "the node under faults: what was injected, how it showed, and what held all the time",
        "seconds": round(seconds),
        "seed": plan.seed,
        "camera": "30 Hz, 480x640 and what the faults make of it; Fast DDS profile for images",
        "threads": plan.threads,
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
            "node_died": [part.died for part in parts if part.died],
            "exit_code_after_sigint": {part.policy: part.exit_code for part in parts},
            "tracebacks": sum(part.tracebacks for part in parts),
        },
        "faults_injected": len(occurrences),
        "faults_shown": sum(bool(one.shown) for one in occurrences),
        "recovered_bound_s": RECOVERED_S,
        "faults_recovered": sum(one.recovered_after_s is not None for one in occurrences),
        "episodes_played": len(played),
        "episodes_as_expected": sum(is_right for _, _, is_right in played),
        "memory": {part.policy: part.memory.summary() for part in parts},
        "faults": fault_rows(occurrences, described),
        "episodes": episode_rows(played),
    }


def speech_is_built() -> bool:
    """Whether the test types are there."""
    import importlib.util

    return importlib.util.find_spec("icseg_test_msgs") is not None


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0, help="both parts together")
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
    from ros2_ws.soak.robot import Robot

    policies = [name for name in args.policies.split(",") if name]
    only = tuple(name for name in args.only.split(",") if name)
    plan = Plan(args.minutes * 60 / len(policies), args.seed, only, args.smoke, args.episodes, args.threads)
    began_at = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # the children are ended on the way out

    def log(words: str) -> None:
        print(f"{time.monotonic() - began_at:7.1f} s  {robot.checks.n_masks:6d} masks  {words}", file=sys.stderr)

    parts: list[Part] = []
    with tempfile.TemporaryDirectory(prefix="icseg-soak-") as name:
        robot = Robot()
        try:
            robot.camera.start()
            parts.extend(run_part(policy, robot, plan, Path(name), began_at, log) for policy in policies)
            results = results_of(parts, robot, plan, time.monotonic() - began_at)
        finally:
            robot.close()
    publish("soak_ros", results, save=args.save)
    return 0


if __name__ == "__main__":
    sys.exit(main())
