"""SAM 2's video algorithm over four graphs, one frame at a time. Holds the model; the stream's state is passed in.

A prompt makes its frame a conditioning frame: the mask comes from the prompt alone, without memory, and is remembered
as the truth. Every other frame is conditioned on the memory of each object and decoded without a prompt.

Source: ``Sam2VideoModel.forward`` of transformers in streaming mode. Ours differs: the memory is bounded; a memory is
binarised only for the object that was prompted, not for all of them; an object can be removed; a frame without objects
is no error; and frames in which the object is not seen well are not remembered, unless the configuration says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from icseg.errors import ConfigError
from icseg.inference.manifest import Manifest
from icseg.inference.runner import Runner
from icseg.mask_ops.image_input import normalise_image
from icseg.mask_ops.mask_ops import MaskOps
from icseg.tracker import graphs
from icseg.tracker.encoded_image import EncodedImage, StageClock
from icseg.tracker.inputs import prompt_tokens
from icseg.tracker.memory_bank import BankShape
from icseg.tracker.selection import Selection, select_mask, uses_multimask
from icseg.tracker.state import UNBOUNDED, ObjectTrack, TrackCapacity, TrackerConfig, TrackState
from icseg.tracker.verdict import Verdict, judge_prompted, judge_tracked
from icseg.types import Array, Frame, ImageU8, Logits, ObjectResult, Prompt, TrackResult
from icseg.window import Window, widened

MAX_ENLARGEMENT = 2.0
"""A window is enlarged to the model's input by this factor at most: beyond, there is nothing more to see."""


@dataclass(frozen=True, slots=True, eq=False)
class _Update:
    """What one object's place becomes when the whole frame has succeeded."""

    track: ObjectTrack
    object_id: int
    verdict: Verdict
    pointer: Logits
    memory: Logits | None
    is_conditioning: bool
    window: Window | None


class Tracker:
    """Segments what a prompt points at and follows it through a stream.

    Args:
        runners: graph name -> runner, for the four names of ``graphs.GRAPH_NAMES``.
        manifest: of the folder the graphs come from; its specs were checked (``load_tracker`` does).
        facts: the manifest's facts.
        config: how the tracker remembers.
        mask_ops: what labels, measures and enlarges its masks.

    Raises:
        ConfigError: more conditioning slots than the graphs have memory slots beside one for recent frames.
    """

    def __init__(
        self,
        runners: Mapping[str, Runner],
        manifest: Manifest,
        facts: graphs.SegmenterFacts,
        config: TrackerConfig,
        mask_ops: MaskOps,
    ) -> None:
        most = min(facts.memory_slots, facts.pointer_slots) - 1
        if config.conditioning_slots > most:
            raise ConfigError(
                f"tracker.conditioning_slots: expected at most {most} with the graphs of {manifest.name}, so that one "
                f"is left for recent images, got {config.conditioning_slots}"
            )
        self.config = config
        self.mask_ops = mask_ops
        self.manifest = manifest
        self._runners = dict(runners)
        self.facts = facts
        self._no_prompt = prompt_tokens(None, (1, 1), facts.image_size, facts.prompt_tokens)
        self._min_window = facts.image_size / MAX_ENLARGEMENT
        side = facts.logits_side
        self._no_mask = {
            "mask_input": np.zeros((1, 1, side, side), np.float32),
            "has_mask_input": np.zeros(1, np.float32),
        }
        self._capacity = TrackCapacity(
            self.config.max_objects,
            BankShape(
                memory_slots=facts.memory_slots,
                pointer_slots=facts.pointer_slots,
                conditioning_slots=self.config.conditioning_slots,
                memory_channels=facts.memory_width,
                feature_side=facts.feature_side,
                pointer_width=facts.hidden_width,
                memory_span=facts.temporal_codes - 1,
                pointer_span=facts.pointer_span - 1,
            ),
        )

    @property
    def runners(self) -> Mapping[str, Runner]:
        """Graph name -> what runs it."""
        return self._runners

    @property
    def backends(self) -> dict[str, str]:
        """Graph name -> the engine that runs it."""
        return {name: runner.backend for name, runner in self._runners.items()}

    def new_state(self) -> TrackState:
        """The state of a stream with no frame and no object; allocates all memory the stream will ever hold."""
        return TrackState(self._capacity)

    def start(self, frame: Frame, prompt: Prompt, object_id: int = 1) -> TrackState:
        """Begin a stream with one object; the frame's result is the state's ``latest``.

        Raises:
            ValueError, BackendError: as ``add_prompt``.
        """
        state = self.new_state()
        self.add_prompt(state, frame, object_id, prompt)
        return state

    def copy_state(self, state: TrackState, into: TrackState) -> None:
        """Keep a state as it is now, to go back to it: ``into`` then goes on as ``state`` would, bit by bit.

        Args:
            state: unchanged.
            into: of this tracker's ``new_state``; what it knew is forgotten. Costs a copy of each object's memories.

        Raises:
            ValueError: the capacities differ: it is another tracker's.
        """
        state.copy_into(into)

    def add_prompt(self, state: TrackState, frame: Frame, object_id: int, prompt: Prompt) -> TrackResult:
        """Say what an object is, in a new frame or in the latest one; a known object is corrected.

        In a new frame every other object is tracked as by ``step``. The prompt replaces what the memory held of the
        latest frame; box and points count together.

        Args:
            state: changed only if nothing is raised.
            frame: of the stream's size and not older than the latest; the same stamp means the latest frame.
            object_id: the caller's number.
            prompt: in pixels of the frame.

        Raises:
            ValueError: the frame does not follow, the prompt has more points than the graphs take, or all places are
                taken.
            BackendError: an engine failed.
        """
        state.check_frame(frame, may_be_latest=True)
        place = state.place_for(object_id)
        image = EncodedImage(frame.image, self._encode_image)
        updates = [self._segment(place, object_id, image, prompt)]
        if not state.is_latest(frame):
            updates += [self._segment(track, known, image) for known, track in state.active() if track is not place]
        return self._commit(state, frame, updates, image.clock)

    def step(self, state: TrackState, frame: Frame) -> TrackResult:
        """Track every object into the next frame. With no objects the result is empty.

        Raises:
            ValueError: the frame has another size than the stream or is not newer than the latest.
            BackendError: an engine failed. The state is unharmed either way.
        """
        state.check_frame(frame, may_be_latest=False)
        image = EncodedImage(frame.image, self._encode_image)
        updates = [self._segment(track, known, image) for known, track in state.active()]
        return self._commit(state, frame, updates, image.clock)

    def segment(self, frame: Frame, prompts: Sequence[Prompt]) -> TrackResult:
        """Segment things in one frame, each by its own prompt, in a window of its own. Nothing is remembered.

        Args:
            frame: any frame: it belongs to no stream.
            prompts: one per thing; their object ids are 1, 2, ... in order.

        Raises:
            ValueError: a prompt has more points than the graphs take.
            BackendError: an engine failed.
        """
        image = EncodedImage(frame.image, self._encode_image)
        objects = {}
        for object_id, prompt in enumerate(prompts, 1):
            window = self._window_of(prompt, frame.hw) or Window.whole(frame.hw)
            verdict = self._by_prompt(object_id, prompt, window, image)[1]
            objects[object_id] = window.result_in_image(verdict.result, frame.hw)
        return TrackResult(frame.stamp_ns, frame.index, objects, image.clock.timings_ms)

    def reject(self, state: TrackState, object_id: int) -> TrackResult:
        """What the latest frame shows as this object is something else: the object is lost there.

        Whatever was remembered of it without a prompt may show the other thing, and is forgotten.

        Returns:
            The latest frame's result with this object lost.

        Raises:
            ValueError: the object is not tracked.
        """
        for known, track in state.active():
            if known == object_id and state.latest is not None:
                track.bank.forget_recent()
                lost = state.latest.objects[object_id].as_lost()
                state.latest = replace(state.latest, objects={**state.latest.objects, object_id: lost})
                return state.latest
        raise ValueError(f"object {object_id}: expected one of {list(state.object_ids)}")

    def remove(self, state: TrackState, object_id: int) -> None:
        """Stop tracking an object; its place is free at once.

        Raises:
            ValueError: the object is not tracked.
        """
        for known, track in state.active():
            if known == object_id:
                track.release()
                return
        raise ValueError(f"object {object_id}: expected one of {list(state.object_ids)}")

    def _encode_image(self, image: ImageU8, clock: StageClock) -> dict[str, Array]:
        manifest = self.manifest
        with clock.stage("preprocess"):
            planes = normalise_image(image, manifest.image_size, manifest.image_mean, manifest.image_std)
        with clock.stage(graphs.IMAGE_ENCODER):
            return dict(self._runners[graphs.IMAGE_ENCODER].run({"image": planes}))

    def _window_of(self, prompt: Prompt, image_hw: tuple[int, int]) -> Window | None:
        """Where to look for what is prompted; None where nothing says how large it is."""
        if prompt.box_image_px is None or self.config.window_scale >= UNBOUNDED:
            return None
        return Window.around(prompt.box_image_px, image_hw, self.config.window_scale, self._min_window)

    def _next_window(self, window: Window, verdict: Verdict, image_hw: tuple[int, int]) -> Window:
        box, extent = verdict.result.box_image_px, verdict.extent
        if box is None or extent is None:
            return window
        # half hidden, it is as large as ever
        cells = verdict.mask_logits.shape[2:]
        width, height = extent.width * window.width / cells[1], extent.height * window.height / cells[0]
        return window.following(widened(box, width, height), image_hw, self.config.window_scale, self._min_window)

    def _segment(
        self, track: ObjectTrack, object_id: int, image: EncodedImage, prompt: Prompt | None = None
    ) -> _Update:
        """One object in one frame, by its prompt, else by its memory. Changes nothing."""
        own = track.window if prompt is None else self._window_of(prompt, image.hw)
        window = own or Window.whole(image.hw)
        if prompt is None:
            selection, verdict = self._by_memory(object_id, track, window, image)
        else:
            selection, verdict = self._by_prompt(object_id, prompt, window, image)
        memory = None
        if verdict.is_remembered:
            feeds = {
                "vision_features": image.features(window)["vision_features"],
                "mask_logits": verdict.mask_logits,
                "object_score": np.full((1, 1), selection.object_score, np.float32),
                "binarize": np.full(1, prompt is not None, np.float32),
            }
            with image.clock.stage(graphs.MEMORY_ENCODER):
                memory = self._runners[graphs.MEMORY_ENCODER].run(feeds)["memory_features"].copy()
        verdict = replace(verdict, result=window.result_in_image(verdict.result, image.hw))
        if own is not None:
            own = self._next_window(window, verdict, image.hw)
            verdict = verdict.seen_through(window, own)
        return _Update(track, object_id, verdict, selection.object_pointer, memory, prompt is not None, own)

    def _by_prompt(
        self, object_id: int, prompt: Prompt, window: Window, image: EncodedImage
    ) -> tuple[Selection, Verdict]:
        """The verdict is in pixels of the window."""
        inside = window.prompt_inside(prompt)
        tokens = prompt_tokens(inside, window.hw, self.facts.image_size, self.facts.prompt_tokens)
        features = image.features(window)
        with image.clock.stage(graphs.MASK_DECODER):
            selection = self._decode(features["vision_features"], features, tokens)
        with image.clock.stage("postprocess"):
            return selection, judge_prompted(object_id, selection, inside, window.hw, self.config, self.mask_ops)

    def _by_memory(
        self, object_id: int, track: ObjectTrack, window: Window, image: EncodedImage
    ) -> tuple[Selection, Verdict]:
        """The verdict is in pixels of the window."""
        features = image.features(window)
        with image.clock.stage(graphs.MEMORY_ATTENTION):
            feeds = {"vision_features": features["vision_features"], **track.bank.attend().as_feeds()}
            conditioned = self._runners[graphs.MEMORY_ATTENTION].run(feeds)["conditioned_features"]
        with image.clock.stage(graphs.MASK_DECODER):
            selection = self._decode(conditioned, features, None)
        with image.clock.stage("postprocess"):
            return selection, judge_tracked(track, object_id, selection, window.hw, self.config, self.mask_ops)

    def _decode(
        self, conditioned: Array, features: Mapping[str, Array], prompt: Mapping[str, Array] | None
    ) -> Selection:
        outputs = self._runners[graphs.MASK_DECODER].run(
            {
                "conditioned_features": conditioned,
                "lacks_memory": np.full(1, prompt is not None, np.float32),
                "high_res_s0": features["high_res_s0"],
                "high_res_s1": features["high_res_s1"],
                **(self._no_prompt if prompt is None else prompt),
                **self._no_mask,
            }
        )
        point_count = 0 if prompt is None else int((prompt["point_labels"] >= 0).sum())
        is_multimask = uses_multimask(self.facts, is_prompted=prompt is not None, point_count=point_count)
        return select_mask(self.facts, **outputs, is_multimask=is_multimask)

    def _commit(self, state: TrackState, frame: Frame, updates: list[_Update], clock: StageClock) -> TrackResult:
        """Everything succeeded: write the memories and the result."""
        objects: dict[int, ObjectResult] = {}
        if state.latest is not None and state.is_latest(frame):
            objects = {
                known: state.latest.objects[known] for known in state.object_ids if known in state.latest.objects
            }
        else:
            state.frame_count += 1
        for update in updates:
            track, is_again = update.track, update.track.written_frame == state.frame_count
            track.object_id = update.object_id
            track.extent, track.before = update.verdict.extent, update.verdict.before
            track.window = update.window
            objects[update.object_id] = update.verdict.result
            if update.memory is not None:
                track.bank.write(
                    update.memory,
                    update.pointer,
                    is_conditioning=update.is_conditioning,
                    replaces_latest=is_again,
                )
                track.written_frame = state.frame_count
        state.image_hw = frame.hw
        state.latest = TrackResult(frame.stamp_ns, frame.index, dict(sorted(objects.items())), clock.timings_ms)
        return state.latest
