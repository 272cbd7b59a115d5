"""The build from checkpoint to policy.json: with Edge-LLM's own exporter where it is installed, scripted elsewhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from export import build_policy as command
from export.policy import plan
from export.policy.calibration import write_calibration
from export.policy.edge_llm import DATASET_VARIABLE, EdgeLlm
from export.policy.memory import GB, Available, memory_needs
from export.policy.models import find_policy
from export.policy.platform_check import Platform
from export.stages import LEDGER_NAME
from icseg.errors import ConfigError
from icseg.policy_server.entry import load_entry
from tests.export.policy.tiny_policy import make_checkpoint, write_adapter
from tests.policy_server.scripted_edge_llm import free_port, install, is_running

ROOT = Path(__file__).parents[2]
REAL_TOOLS = ROOT / ".venv-edge-llm" / "bin"
needs_edge_llm = pytest.mark.skipif(
    not (REAL_TOOLS / "tensorrt-edgellm-export").is_file(), reason="no Edge-LLM here; make edge-llm installs it"
)
BARE = Platform("x86_64", None, None, None, None, None)
ORIN = Platform("aarch64", "7.2", "13.0", "10.16.0.72", 87, None)

# Stands for python, quantize and export: answers the version, copies the checkpoint, notes each call.
_TOOL = """#!{python}
import json, os, shutil, sys, time
from pathlib import Path
here = Path(__file__).parent
if "-c" in sys.argv:
    print("0.11.0" if "metadata" in sys.argv[2] else "")
    sys.exit()
with (here / "calls.jsonl").open("a") as file:
    file.write(json.dumps([*sys.argv, os.environ.get("{variable}", "")]) + "\\n")
print("working on it", flush=True)
if (here / "fails").exists():
    sys.exit("RuntimeError: out of memory in layer 3")
if (here / "hangs").exists():
    (here / "pid").write_text(str(os.getpid()))
    time.sleep(600)
if "--model_dir" in sys.argv:
    value = lambda name: sys.argv[sys.argv.index(name) + 1]
    shutil.copytree(value("--model_dir"), value("--output_dir"))
    (Path(value("--output_dir")) / "preprocessor_config.json").unlink()
else:
    Path(sys.argv[2]).mkdir()
    (Path(sys.argv[2]) / "model.onnx").write_text("graph")
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("tiny") / "tiny-vl")


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    folder = tmp_path / "tools"
    install(folder)
    for name in ("python", "tensorrt-edgellm-export", "tensorrt-edgellm-quantize"):
        (folder / name).write_text(_TOOL.format(python=sys.executable, variable=DATASET_VARIABLE))
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def run(
    tmp_path: Path, model: Path, tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    # a whole set takes seconds, and the program that would read it is scripted
    monkeypatch.setattr(plan, "SAMPLES", 7)

    def call(*args: str, platform: Platform = BARE) -> tuple[int, str, str]:
        monkeypatch.setattr(command, "detect_platform", lambda python: platform)
        given = [] if "--finish" in args else [str(model), "--output", str(tmp_path / "policy")]
        code = command.main([*given, "--tools", str(tools), *args])
        return code, *capsys.readouterr()

    return call


def calls(tools: Path) -> list[list[str]]:
    path = tools / "calls.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


@pytest.mark.parametrize(("flag", "method"), [(None, "int4_awq"), ("--int8", "int8_sq")])
def test_quantized(run: Any, tmp_path: Path, tools: Path, flag: str | None, method: str) -> None:
    code, out, err = run(*([flag] if flag else []), "--device", "cpu", "--json")
    assert code == 0, err
    said = json.loads(out)
    assert list(said["seconds"]) == ["calibrate", "quantize", "export"]
    assert not said["is_built"]
    assert "CUDA not found" in said["not_built_because"][0]
    quantize, export = calls(tools)
    assert Path(quantize[1]).name == "edge_llm_quantize.py"
    assert quantize[2] == "llm"
    assert quantize[quantize.index("--quantization") + 1] == method
    assert quantize[quantize.index("--image_dataset") + 1] == "icseg"
    assert quantize[-1] == str(tmp_path / "policy" / "calibration")
    assert ("--externalize-weights" in export) == (method == "int4_awq")
    entry = load_entry(tmp_path / "policy")
    assert (entry.precision, entry.model) == (method, "tiny-vl")
    assert entry.limits.max_image_tokens == 2688
    # what the quantizer did not save is put back
    assert (tmp_path / "policy" / "checkpoint" / "preprocessor_config.json").is_file()
    made = {"calibration", "checkpoint", "logs", "onnx", "policy.json", LEDGER_NAME}
    assert {path.name for path in (tmp_path / "policy").iterdir()} == made


def test_resumed_and_done_again_when_an_input_changed(run: Any, tools: Path, tmp_path: Path) -> None:
    assert run("--fp16")[0] == 0
    plain = load_entry(tmp_path / "policy").source_sha256
    assert len(calls(tools)) == 1
    _, _, err = run("--fp16")
    assert "copy: done already" in err
    assert "export: done already" in err
    assert len(calls(tools)) == 1
    write_adapter(tmp_path / "lora")
    code, out, err = run("--fp16", "--lora", str(tmp_path / "lora"), "--json")
    assert code == 0, err
    assert list(json.loads(out)["seconds"]) == ["merge", "export"]
    assert load_entry(tmp_path / "policy").source_sha256 != plain
    assert len(calls(tools)) == 2
    # the merged weights lie where the plain ones lay
    _, _, err = run("--fp16")
    assert "copy: done already" not in err
    assert load_entry(tmp_path / "policy").source_sha256 == plain
    assert len(calls(tools)) == 3


def test_a_dry_run_says_why_each_stage_would_run(run: Any, tmp_path: Path) -> None:
    def reasons(*args: str) -> dict[str, str | None]:
        code, out, err = run("--fp16", "--dry-run", "--json", *args)
        assert code == 0, err
        return {stage["stage"]: stage["reason"] for stage in json.loads(out)["stages"]}

    never = "never ran"
    assert reasons() == {"copy": never, "export": never, "build": never}
    assert run("--fp16")[0] == 0
    assert reasons() == {"copy": None, "export": None, "build": never}
    assert "copy the checkpoint\n   done already" in run("--fp16", "--dry-run")[1]
    write_adapter(tmp_path / "lora")
    lora = reasons("--lora", str(tmp_path / "lora"))
    assert lora == {"merge": never, "export": "changed: checkpoint", "build": never}
    (tmp_path / "policy" / "onnx" / "model.onnx").unlink()
    assert reasons()["export"] == "its files are missing or changed"


def test_a_record_of_an_older_form_means_that_stages_run_again(run: Any, tools: Path, tmp_path: Path) -> None:
    assert run("--fp16")[0] == 0
    (tmp_path / "policy" / LEDGER_NAME).write_text('{"copy": "0f3a", "export": "77b1"}')
    code, _, err = run("--fp16")
    assert code == 0
    assert "done already" not in err
    assert len(calls(tools)) == 2


def test_a_stage_fails_and_what_was_there_stays(run: Any, tools: Path, tmp_path: Path) -> None:
    assert run("--fp16")[0] == 0
    (tools / "fails").touch()
    code, _, err = run("--device", "cpu")
    assert code == 2
    assert "quantize: python ended with code 1; last lines of" in err
    assert "RuntimeError: out of memory in layer 3" in err
    assert load_entry(tmp_path / "policy").precision == "fp16"
    assert (tmp_path / "policy" / "checkpoint" / "model.safetensors").is_file()
    (tools / "fails").unlink()
    code, _, err = run("--device", "cpu")
    assert code == 0
    assert "calibrate: done already" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_stage_and_its_program(
    model: Path, tools: Path, tmp_path: Path, number: signal.Signals
) -> None:
    (tools / "hangs").touch()
    args = [str(model), "--output", str(tmp_path / "policy"), "--tools", str(tools), "--fp16"]
    process = subprocess.Popen(
        [sys.executable, "-m", "export.build_policy", *args], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 300  # it imports torch first, which takes its time on a busy machine
    while not (tools / "pid").is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    pid = int((tools / "pid").read_text())
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted; run it again to go on" in err
    assert not is_running(pid)


def test_built_on_the_device(run: Any, tools: Path, tmp_path: Path) -> None:
    port = free_port()
    code, out, err = run("--fp16", "--no-onnx", "--port", str(port), "--json", platform=ORIN)
    assert code == 0, err
    assert json.loads(out)["is_built"]
    argv = json.loads((tools / "argv.json").read_text())
    assert argv[argv.index("--cache-dir") + 1] == str(tmp_path / "policy" / "engines")
    assert not is_running(int((tools / "pids").read_text()))
    _, _, err = run("--finish", str(tmp_path / "policy"), platform=ORIN)
    assert "build: done already" in err
    _, out, _ = run("--fp16", "--no-onnx", "--port", str(port), "--dry-run", "--json", platform=ORIN)
    assert [stage["reason"] for stage in json.loads(out)["stages"]] == [None, None]
    # engines are of the checkpoint that they were built from, not of one that lies there now
    ledger = tmp_path / "policy" / LEDGER_NAME
    entries = json.loads(ledger.read_text())
    entries["copy"]["fingerprint"] = "another"
    ledger.write_text(json.dumps(entries))
    _, _, err = run("--finish", str(tmp_path / "policy"), platform=ORIN)
    assert "build: done already" not in err


def test_finished_on_the_device(run: Any, tools: Path, tmp_path: Path) -> None:
    policy = str(tmp_path / "policy")
    assert run("--fp16", "--no-onnx", "--port", str(free_port()))[0] == 0
    code, _, err = run("--finish", policy)
    assert code == 2
    assert "this machine cannot build the engines: CUDA not found" in err
    (tools / "mode").write_text("dies")
    code, _, err = run("--finish", policy, platform=ORIN)
    assert code == 2
    assert "CUDA out of memory while building the visual engine" in err
    assert not (tmp_path / "policy" / "built.json").exists()
    (tools / "mode").write_text("serves")
    code, out, _ = run("--finish", policy, platform=ORIN)
    assert code == 0
    assert f"icseg serve-policy {policy}" in out


def test_dry_run_starts_nothing(run: Any, tools: Path, tmp_path: Path) -> None:
    code, out, _ = run("--dry-run")
    assert code == 0
    assert f"{tools}/python" in out
    assert "edge_llm_quantize.py llm --model_dir" in out
    assert "--host 127.0.0.1 --port 8000" in out
    assert "needs: quantize: 1.0 GB of gpu, available 0.0 GB" in out
    assert calls(tools) == []
    assert not (tmp_path / "policy").exists()


def test_refused_before_it_starts(run: Any, tools: Path, tmp_path: Path) -> None:
    for args, message in (
        ((), "not enough memory: quantize: 1.0 GB of gpu, available 0.0 GB"),
        (("--build", "yes"), "this machine cannot build the engines"),
        (("--fp16", "--kv-tokens", "3000"), "max_image_tokens: expected less than max_input_tokens"),
        (("--fp16", "--port", "80"), "port of 1024..65535"),
        (("--fp16", "--lora", str(tmp_path)), "adapter_config.json is missing"),
        (("--fp16", "--ready-timeout", "0"), "ready_timeout_s: expected"),
    ):
        code, _, err = run(*args)
        assert code == 2
        assert message in err
    assert calls(tools) == []
    assert run("--ignore-memory", "--no-onnx")[0] == 0
    assert command.main([]) == 2


def test_edge_llm_of_another_version(tools: Path) -> None:
    program = tools / "python"
    program.write_text(program.read_text().replace("0.11.0", "0.12.1"))
    with pytest.raises(ConfigError, match=r"expected TensorRT Edge-LLM 0\.11\.0, got 0\.12\.1"):
        EdgeLlm(tools).check_version()


def test_memory_of_a_real_size(model: Path) -> None:
    tiny = find_policy(str(model))
    sized = type(tiny)(tiny.folder, "8B", tiny.architecture, "8B", tiny.weights, 17 * GB, 5 * GB)
    stages = ("merge", "calibrate", "quantize", "export", "build")
    needs = {need.stage: need for need in memory_needs(sized, stages, "int4_awq", "cuda", Available(16 * GB, None, 0))}
    assert needs["quantize"].needed > 17 * GB
    assert needs["quantize"].is_met, "an unknown amount does not refuse"
    assert needs["build"].needed < 16 * GB
    assert not needs["all stages"].is_met
    assert str(needs["merge"]) == "merge: 16.0 GB of ram, available 16.0 GB"


@needs_edge_llm
def test_the_real_exporter(model: Path, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    options = command.PolicyOptions(str(model), tmp_path / "policy", precision="fp16", build="no", tools=REAL_TOOLS)
    built = command.build_policy(options)
    assert list(built.seconds) == ["copy", "export"]
    graph = onnx.load(tmp_path / "policy" / "onnx" / "llm" / "model.onnx", load_external_data=False).graph
    assert sum(node.op_type == "AttentionPlugin" for node in graph.node) == 2
    vision = onnx.load(tmp_path / "policy" / "onnx" / "visual" / "model.onnx", load_external_data=False).graph
    assert len(vision.output) >= 1


@needs_edge_llm
def test_the_real_quantizer_knows_our_dataset(tmp_path: Path) -> None:
    write_calibration(tmp_path, 3)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import edge_llm_quantize\n"
        "from tensorrt_edgellm.quantization.datasets import get_dataset\n"
        "for image, text in get_dataset('image', 'icseg')(): print(image.size, image.mode, text[:18])\n"
        "sys.argv[1:] = ['llm', '--help']; edge_llm_quantize.main()"
    )
    done = subprocess.run(
        [str(REAL_TOOLS / "python"), "-c", code, str(ROOT / "export" / "policy")],
        env={**os.environ, DATASET_VARIABLE: str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[:3] == ["(448, 448) RGB You find one thing"] * 3
    shown = " ".join(done.stdout.split())
    assert "Available: icseg, mmmu" in shown
    line = EdgeLlm(REAL_TOOLS).quantize(tmp_path, tmp_path, method="int8_sq", device="cpu")
    assert all(option in shown for option in line if option.startswith("--"))
