"""Going back time and again: how far behind the stream it may fall."""

from __future__ import annotations

import pytest

from icseg import events
from icseg.session.config import FollowingConfig
from icseg.types import Box, Frame, Prompt
from tests.conftest import FRAME_NS
from tests.session.test_recheck_beside import ELSEWHERE, Rig, WatchingPolicy


class NeverContent(WatchingPolicy):
    """Finds every mask wrong, as when half of the target is hidden and the detector draws the whole of it."""

    def check(self, frame: Frame, box_image_px: Box | None) -> Prompt:
        super().check(frame, box_image_px)
        return ELSEWHERE


@pytest.mark.parametrize("frames_per_step", [1, 2, 3])
@pytest.mark.parametrize("steps_per_look", [1, 3])
def test_a_tracker_that_is_put_right_again_and_again_does_not_fall_behind_for_good(
    frames_per_step: int, steps_per_look: int
) -> None:
    rig = Rig(config=FollowingConfig(recheck_doubt_s=0.01), policy=NeverContent())
    rig.begin()
    rig.follow(5)
    behind_ns, steps_since_live, longest, waited = [], 0, 0, 0
    for _ in range(300):
        rig.camera(frames_per_step)
        waited = waited + 1 if rig.executor.jobs else 0
        if waited > steps_per_look:
            rig.executor.run()
        tracked = [event for event in rig.step() if isinstance(event, events.Tracked)]
        steps_since_live = 0 if any(event.is_live for event in tracked) else steps_since_live + 1
        longest = max(longest, steps_since_live)
        behind_ns += [(rig.frames - 1) * FRAME_NS - event.stamp_ns for event in tracked]
    assert len(rig.policy.checked) > 20
    # what was followed during the look, once again, and as many strides for what came meanwhile
    assert longest <= 2 * (steps_per_look + 1) + 1
    assert max(behind_ns) <= longest * frames_per_step * FRAME_NS
