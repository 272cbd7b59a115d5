"""From a folder of exported graphs to a tracker: the manifest is checked, then every tensor of every graph.

What a model was tuned for travels in its manifest; a folder made before manifests said so runs SAM 2's own memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from icseg.assets import nano_models
from icseg.errors import ConfigError, PlanMismatchError
from icseg.inference.graph_loading import load_graph
from icseg.inference.manifest import MANIFEST_NAME, Manifest, SettingValue, load_manifest, read_manifest
from icseg.inference.runner_onnxruntime import CPU_PROVIDER
from icseg.mask_ops.mask_ops import MaskOpsName, choose_mask_ops
from icseg.settings import described, from_values
from icseg.tracker.graphs import GRAPH_NAMES, SegmenterFacts, graph_specs
from icseg.tracker.state import TrackerConfig
from icseg.tracker.tracker import Tracker

KIND = "segmenter"
GROUP = "tracker"
"""What the full name of a tracker's setting begins with."""
FROM_MANIFEST = "the segmenter's manifest"
FROM_NANO = "the nano models' manifest, whose weights these are"
FROM_SAM2 = "SAM 2's own"
_USERS_OWN = frozenset({"tracker.max_objects"})
"""Settings that say what the user wants of any model."""


@dataclass(frozen=True, slots=True)
class SegmenterSettings:
    """The settings that a segmenter brings with it; what it does not mention is as ``TrackerConfig`` has it.

    Attributes:
        values: full name -> value, e.g. ``tracker.window_scale``.
        source: where they come from, in words: ``FROM_MANIFEST``, ``FROM_NANO`` or ``FROM_SAM2``.
    """

    values: dict[str, SettingValue]
    source: str


def sam2_settings() -> dict[str, SettingValue]:
    """SAM 2's own memory, bounded, by full name: each of ``TrackerConfig``'s defaults but those that are the user's."""
    return {item.name: item.default for item in described(GROUP, TrackerConfig) if item.name not in _USERS_OWN}


def model_settings(manifest: Manifest, *, path: Path = Path(MANIFEST_NAME)) -> SegmenterSettings:
    """The settings that belong to a segmenter.

    A manifest of before says nothing of them: they are SAM 2's own then, unless the weights are those of the nano model
    that ships.

    Args:
        manifest: of the segmenter.
        path: of the manifest, for the texts of errors.

    Raises:
        PlanMismatchError: the manifest names a setting that no tracker has, or a value that it does not allow.
    """
    if manifest.settings is not None:
        check_settings(manifest.settings, path, manifest.rebuild_hint())
        return SegmenterSettings(dict(manifest.settings), FROM_MANIFEST)
    nano = _nano_manifest()
    if nano is not None and nano.settings is not None and nano.source_sha256 == manifest.source_sha256:
        return SegmenterSettings(dict(nano.settings), FROM_NANO)
    return SegmenterSettings(sam2_settings(), FROM_SAM2)


def check_settings(values: Mapping[str, SettingValue], path: Path, hint: str) -> None:
    """Refuse settings that no tracker can have.

    Args:
        values: full name -> value.
        path: where they stand.
        hint: what the user has to do about it.

    Raises:
        PlanMismatchError: an unknown name, or a value of the wrong type or out of range.
    """
    known = {item.name for item in described(GROUP, TrackerConfig)}
    for name, value in values.items():
        if name not in known:
            raise PlanMismatchError(
                f"{path}: settings: {name} = {value!r}: this version of icseg has no such setting of a tracker; {hint}"
            )
    try:
        from_values(GROUP, TrackerConfig, values)
    except ConfigError as error:
        raise PlanMismatchError(f"{path}: settings: {error}; {hint}") from error


def model_config(manifest: Manifest, *, path: Path = Path(MANIFEST_NAME)) -> TrackerConfig:
    """How a segmenter's tracker remembers where the user says nothing; arguments and errors as ``model_settings``."""
    return from_values(GROUP, TrackerConfig, model_settings(manifest, path=path).values)


def _nano_manifest() -> Manifest | None:
    try:
        return read_manifest(nano_models() / KIND)
    except (ConfigError, PlanMismatchError):
        return None  # not installed, or not as it ships: then nothing is known of its weights


def load_tracker(
    folder: Path,
    *,
    providers: Sequence[str] = (CPU_PROVIDER,),
    threads: int = 0,
    config: TrackerConfig | None = None,
    mask_ops: MaskOpsName = "native",
) -> Tracker:
    """A tracker, each graph on the engine that its manifest names.

    Args:
        folder: holds manifest.json and the four graphs.
        providers: ONNX Runtime's execution providers, most wanted first; plans take none.
        threads: of ONNX Runtime, within one operator on the CPU; 0 lets it decide.
        config: how the tracker remembers; None: as ``model_settings`` has it.
        mask_ops: which twin of the mask operations it uses: compiled, or numpy's definition of them.

    Raises:
        PlanMismatchError: the folder is not what its manifest says, or not what this version of icseg uses.
        BackendError: an engine, a provider or a GPU is not available, or cannot load a graph.
        ConfigError: there are no mask operations of that name, or the configuration does not fit the graphs: more
            conditioning slots than they have memory slots.
    """
    manifest = load_manifest(folder, kind=KIND)
    if set(manifest.files) != set(GRAPH_NAMES):
        raise PlanMismatchError(
            f"{folder / MANIFEST_NAME}: expected graphs {sorted(GRAPH_NAMES)}, got {sorted(manifest.files)}; "
            f"{manifest.rebuild_hint()}"
        )
    facts = SegmenterFacts.from_mapping(manifest.image_size, manifest.facts)
    own = model_config(manifest, path=folder / MANIFEST_NAME)
    runners = {
        name: load_graph(
            folder,
            manifest,
            name,
            inputs=spec.inputs,
            outputs=spec.outputs,
            providers=providers,
            threads=threads,
        )
        for name, spec in graph_specs(facts).items()
    }
    return Tracker(runners, manifest, facts, own if config is None else config, choose_mask_ops(mask_ops))
