"""The simulated table as a camera: scenes rendered by MuJoCo in software, with exact instance maps.

The only file that touches OpenGL. One context per picture size and process, made on first use.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import numpy as np

from icseg.errors import BackendError
from icseg.sim.scene import SceneSpec
from icseg.sim.truth import SimFrame
from icseg.types import Frame

HOW_TO_INSTALL = (
    'pip install "icseg[sim]" for MuJoCo and PyOpenGL, and the software renderer OSMesa from the system '
    "(Debian, Ubuntu: apt-get install libosmesa6)"
)
DEFAULT_HW = (480, 640)
NS_PER_S = 1_000_000_000


class SimulatedTable:
    """Renders scenes; a context manager. Not for use from several threads.

    Args:
        shadow_map_px: side of the shadow map; smaller is faster and coarser.
        samples: per pixel against jagged edges; 0 = off.
        max_hw: largest picture that will be asked for.
        has_unnamed: scenes may hold kinds that have no name; the model compiles longer.

    Raises:
        BackendError: MuJoCo or OSMesa is missing; the text says what to install.
    """

    def __init__(
        self,
        *,
        shadow_map_px: int = 1024,
        samples: int = 0,
        max_hw: tuple[int, int] = DEFAULT_HW,
        has_unnamed: bool = False,
    ) -> None:
        self._mujoco = _import_mujoco()
        from icseg.sim.model import build_table_model

        self._table = build_table_model(shadow_map_px, samples, max_hw, has_unnamed=has_unnamed)
        self._renderers: dict[tuple[int, int], Any] = {}
        self._applied: SceneSpec | None = None
        self._option = self._mujoco.MjvOption()
        self._option.geomgroup[5] = 0
        self._renderer(max_hw)

    def __enter__(self) -> SimulatedTable:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the contexts; may be called more than once."""
        for renderer in self._renderers.values():
            renderer.close()
        self._renderers.clear()

    def render(
        self,
        spec: SceneSpec,
        t_s: float,
        *,
        hw: tuple[int, int] = DEFAULT_HW,
        index: int = 0,
        stamp_ns: int | None = None,
    ) -> SimFrame:
        """One picture of a scene at a time, with its instance map.

        Args:
            spec: the scene; frames of one scene after the other are cheapest.
            t_s: seconds from the scene's beginning.
            hw: size of picture and map, at most the ``max_hw`` of the table.
            index: the frame's running number.
            stamp_ns: the frame's stamp; ``t_s`` in nanoseconds when None.

        Returns:
            A frame whose arrays the caller owns.
        """
        table = self._table
        if self._applied is not spec:
            table.apply_scene(spec)
            self._applied = spec
        table.apply_time(spec, t_s)
        renderer = self._renderer(hw)
        renderer.update_scene(table.data, camera="robot", scene_option=self._option)
        # update_scene resets the flags.
        renderer.scene.flags[self._mujoco.mjtRndFlag.mjRND_SHADOW] = spec.light.casts_shadow
        renderer.scene.flags[self._mujoco.mjtRndFlag.mjRND_REFLECTION] = False
        image = renderer.render()
        renderer.enable_segmentation_rendering()
        segments = renderer.render()
        renderer.disable_segmentation_rendering()
        geom = np.where(segments[..., 1] == int(self._mujoco.mjtObj.mjOBJ_GEOM), segments[..., 0], -1)
        ids = table.thing_of_geom[geom + 1]
        stamp = round(t_s * NS_PER_S) if stamp_ns is None else stamp_ns
        return SimFrame(Frame(np.ascontiguousarray(image), stamp, index), ids, spec.truths)

    def _renderer(self, hw: tuple[int, int]) -> Any:
        if hw not in self._renderers:
            try:
                self._renderers[hw] = self._mujoco.Renderer(self._table.model, height=hw[0], width=hw[1], max_geom=400)
            # FatalError: other code imported mujoco first, and MUJOCO_GL chose a backend that has no display.
            except (self._mujoco.FatalError, RuntimeError, AttributeError, ImportError, OSError) as error:
                raise BackendError(
                    f"simulated table: no OpenGL context ({error}); install: {HOW_TO_INSTALL}"
                ) from error
        return self._renderers[hw]


def _import_mujoco() -> Any:
    """MuJoCo with its OpenGL backend chosen by the environment, or OSMesa when nothing is chosen."""
    os.environ.setdefault("MUJOCO_GL", "osmesa")
    if os.environ["MUJOCO_GL"] == "osmesa":
        os.environ.setdefault("PYOPENGL_PLATFORM", "osmesa")
    try:
        import mujoco
        import mujoco.renderer
    except (ImportError, AttributeError, OSError, RuntimeError) as error:
        raise BackendError(f"simulated table: cannot load the renderer ({error}); install: {HOW_TO_INSTALL}") from error
    return mujoco


def stream(
    table: SimulatedTable,
    spec: SceneSpec,
    *,
    fps: float = 15.0,
    duration_s: float | None = None,
    hw: tuple[int, int] = DEFAULT_HW,
) -> Iterator[SimFrame]:
    """The frames of a scene at a steady rate, as fast as they are asked for.

    Args:
        table: renders them.
        spec: the scene.
        fps: frames a second of the scene's time.
        duration_s: how much of it; all of the scene when None.
        hw: size of the pictures.
    """
    length_s = spec.duration_s if duration_s is None else duration_s
    for index in range(round(length_s * fps)):
        yield table.render(spec, index / fps, hw=hw, index=index)
