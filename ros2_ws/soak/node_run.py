"""One process of the node in a soak, from its start to SIGINT: what is done to it, and what comes of it.

Needs ROS and the built workspace: whoever imports this has entered them.
"""

from __future__ import annotations

import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import ros_env
from benchmarks.ros_process import Process
from ros2_ws.soak.episodes import EPISODES
from ros2_ws.soak.faults import Fault, Occurrence, Surroundings, inject
from ros2_ws.soak.faults_camera import CAMERA_FAULTS
from ros2_ws.soak.faults_node import NODE_FAULTS, POLICY_FAULTS, SPEECH_FAULTS
from ros2_ws.soak.listener import Missed
from ros2_ws.soak.robot import Robot
from ros2_ws.soak.tally import MemorySamples

CHAT_SERVER = Path(__file__).resolve().parents[2] / "benchmarks" / "ros_chat_server.py"
READY_WITHIN_S = 60.0
"""A node that is not ready so soon after its start is given up."""
MEMORY_SAMPLE_PERIOD_S = 2.0
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
"""The node's parameters: the patience of a day, compressed."""


@dataclass
class NodeRun:
    """What came of one node process.

    Attributes:
        policy: candidates or chat.
        occurrences: faults that were injected.
        played: episodes: name, words, whether all that must happen did.
        memory: samples of what the process took.
        exit_code: what it ended with after SIGINT.
        tracebacks: how many the node wrote.
        seconds: from ready to SIGINT.
        died: when it ended by itself; empty = it did not.
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
class Schedule:
    """How long and in which order.

    Attributes:
        seconds: how long each node process runs.
        seed: draws the order of faults and episodes.
        only: names of faults; empty = all.
        once: end a run when every fault was injected once.
        episodes: how many between two faults at most; at least one, unless it is 0.
        threads: CPU threads of the model's graphs.
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
    """The faults that can be injected."""
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
    while not is_over.wait(MEMORY_SAMPLE_PERIOD_S) and node.is_alive:
        try:
            threads, files = (len(list(Path(f"/proc/{node.pid}/{kind}").iterdir())) for kind in ("task", "fd"))
        except OSError:
            return  # it has just ended
        memory.at_s.append(time.monotonic() - began_at)
        memory.mb.append(node.resident_mb())
        memory.threads.append(threads)
        memory.files.append(files)


def play(
    around: Surroundings, run: NodeRun, node: Process, schedule: Schedule, began_at: float, log: Callable[[str], None]
) -> None:
    """Episodes and faults in turn until the time is over, or the node is gone."""
    chance = random.Random(f"{schedule.seed} {run.policy}")
    faults = faults_of(run.policy, has_speech=around.speech is not None, only=schedule.only)
    ends_at = time.monotonic() + schedule.seconds
    if not faults:
        return
    episodes = iter(())  # type: ignore[var-annotated]
    for fault in shuffled(faults, chance, once=schedule.once):
        for _ in range(chance.randint(min(schedule.episodes, 1), schedule.episodes)):
            episode = next(episodes, None)
            if episode is None:
                episodes = iter(chance.sample(EPISODES, len(EPISODES)))
                episode = next(episodes)
            try:
                words, is_right = episode(around, chance), True
            except Missed as missed:
                words, is_right = str(missed), False
            run.played.append((episode.__name__, words, is_right))
            log(f"{episode.__name__}: {'' if is_right else 'MISSED '}{words[:150]}")
        if not node.is_alive:
            run.died = f"the node ended before {fault.name}"
            return
        run.occurrences.append(inject(around, fault, began_at))
        log(str(run.occurrences[-1])[:400])
        if not node.is_alive:
            run.died = f"the node ended during {fault.name}"
            return
        if time.monotonic() > ends_at and not schedule.once:
            return


def run_node(
    policy: str, robot: Robot, schedule: Schedule, folder: Path, began_at: float, log: Callable[[str], None]
) -> NodeRun:
    """One node process from its start to SIGINT."""
    speech, parameters = speech_of(robot)
    port, run = free_port(), NodeRun(policy)
    robot.forget_node()
    with ExitStack() as running:
        around = Surroundings(robot, speech)
        if policy == "chat":
            around.start_server = lambda: start_server(folder, port)
            around.server = around.start_server()
            running.callback(lambda: around.server.kill() if around.server is not None else None)
        node = running.enter_context(node_process(folder, policy, port, schedule.threads, parameters))
        robot.until(lambda: robot.state.name == "idle" or not node.is_alive, "the node to be ready", READY_WITHIN_S)
        ready_at, is_over = time.monotonic(), threading.Event()
        watcher = threading.Thread(target=watch, args=(node, run.memory, is_over))
        watcher.start()
        try:
            play(around, run, node, schedule, began_at, log)
        finally:
            is_over.set()
            watcher.join()
        run.seconds = time.monotonic() - ready_at
        run.exit_code = node.interrupt()
        run.tracebacks = node.text().count("Traceback")
        if run.tracebacks or run.died or run.exit_code:
            print(node.text()[-20_000:], file=sys.stderr)
    if speech is not None:
        speech.close()
    return run


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
