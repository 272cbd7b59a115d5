"""One MuJoCo model that holds every scene: a pool of things, textures, lights and a camera. Compiled once.

A scene is then only state: ``apply_scene`` shows and colours the members, ``apply_time`` puts them where they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt

from icseg.sim.scene import FINISHES, SceneSpec, SurfaceSpec
from icseg.sim.textures import SIDE_PX, table_textures, wall_textures
from icseg.sim.things import KIND_SHAPES, SIZE_SCALE, Kind, unnamed_shapes
from icseg.sim.view import camera_at
from icseg.types import ImageU8

POOL_COPIES = 4
HIDDEN_GROUP = 5
SHINE = {"matte": (0.05, 0.1), "satin": (0.3, 0.4), "glossy": (0.8, 0.8)}
TABLE_HALF_M = (1.25, 0.62, 0.02)
FLOOR_M = -0.74
ROOM_HALF_M = (2.1, 1.5)
WALL_HEIGHT_M = 2.4


@dataclass(slots=True)
class TableModel:
    """The compiled model and where its parts are.

    Attributes:
        model, data: MuJoCo's.
        pool: (kind, size) -> per copy: mocap index and geom ids, the coloured body first.
        thing_of_geom: (ngeom + 1,) uint8, geom id + 1 -> thing id of the present scene, 0 for everything else.
    """

    model: Any
    data: Any
    pool: dict[tuple[str, str], list[tuple[int, list[int]]]]
    thing_of_geom: npt.NDArray[np.uint8]
    members: list[tuple[int, int]]

    def geom(self, name: str) -> int:
        """Id of a named geom."""
        return int(self.model.geom(name).id)

    def apply_scene(self, spec: SceneSpec) -> None:
        """Show the scene's things in their colours, its surfaces and its light; hide the rest of the pool.

        Raises:
            ValueError: more things of one kind and size than the pool has.
        """
        model = self.model
        self.thing_of_geom[:] = 0
        self.members = []
        for copies in self.pool.values():
            for _, geoms in copies:
                model.geom_group[geoms] = HIDDEN_GROUP
        used: dict[tuple[str, str], int] = {}
        for index, thing in enumerate(spec.things):
            key = (thing.truth.kind, thing.truth.size)
            copy = used.get(key, 0)
            if copy >= POOL_COPIES:
                raise ValueError(f"scene: expected at most {POOL_COPIES} things of {key}, got more")
            used[key] = copy + 1
            mocap, geoms = self.pool[key][copy]
            model.geom_group[geoms] = 0
            model.geom_rgba[geoms[0]] = (*thing.rgb, 1.0)
            model.geom_matid[geoms[0]] = model.material(thing.finish).id
            self.thing_of_geom[np.array(geoms) + 1] = thing.truth.id
            self.members.append((mocap, index))
        self._apply_room(spec)

    def _paint(self, geom_names: tuple[str, ...], surface: SurfaceSpec, prefix: str = "surface") -> None:
        for name in geom_names:
            geom = self.geom(name)
            self.model.geom_matid[geom] = self.model.material(f"{prefix}_{surface.texture}").id
            self.model.geom_rgba[geom] = (*surface.tint, 1.0)

    def _apply_room(self, spec: SceneSpec) -> None:
        model, light = self.model, spec.light
        self._paint(("table",), spec.table)
        self._paint(("wall_back", "wall_left", "wall_right"), spec.wall)
        self._paint(("floor",), spec.floor)
        mat = self.geom("mat")
        model.geom_group[mat] = HIDDEN_GROUP
        if spec.mat is not None:
            self._paint(("mat",), spec.mat.surface, "small")
            model.geom_group[mat] = 0
            model.geom_size[mat, :2] = spec.mat.half_m
            model.geom_pos[mat, :2] = spec.mat.x_m, spec.mat.y_m
            model.geom_quat[mat] = _yaw_quat(spec.mat.yaw_rad)
        key, fill = model.light("key").id, model.light("fill").id
        model.light_castshadow[key] = light.casts_shadow
        for index, position, rgb in (
            (key, light.key_position_m, light.key_rgb),
            (fill, light.fill_position_m, light.fill_rgb),
        ):
            model.light_pos[index] = position
            towards = -np.asarray(position)
            model.light_dir[index] = towards / np.linalg.norm(towards)
            model.light_diffuse[index] = rgb
        model.light_specular[key] = np.asarray(light.key_rgb) * 0.6
        model.vis.headlight.ambient[:] = light.ambient_rgb

    def apply_time(self, spec: SceneSpec, t_s: float) -> None:
        """Put things and camera where they are at a time; ``spec`` is the scene applied last."""
        for mocap, index in self.members:
            pose = spec.things[index].motion.pose_at(t_s)
            self.data.mocap_pos[mocap] = (pose.x_m, pose.y_m, pose.z_m)
            self.data.mocap_quat[mocap] = _yaw_quat(pose.yaw_rad)
        camera = camera_at(spec.camera, t_s)
        quat = np.empty(4)
        mujoco.mju_mat2Quat(quat, camera.axes.ravel())
        self.model.cam_pos[0], self.model.cam_quat[0] = camera.position_m, quat
        self.model.cam_fovy[0] = camera.fovy_deg
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)


def _yaw_quat(yaw_rad: float) -> tuple[float, float, float, float]:
    return float(np.cos(yaw_rad / 2)), 0.0, 0.0, float(np.sin(yaw_rad / 2))


def _add_material(spec: Any, name: str, texture: str, repeat: tuple[float, float]) -> None:
    material = spec.add_material(name=name, texrepeat=repeat, specular=0.1, shininess=0.2)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = texture


def _add_surfaces(spec: Any) -> None:
    textures: dict[str, ImageU8] = {**table_textures(), **wall_textures()}
    for name, image in textures.items():
        texture = spec.add_texture(
            name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, width=SIDE_PX, height=SIDE_PX, nchannel=3
        )
        texture.data = image.tobytes()
        _add_material(spec, f"surface_{name}", name, (3.0, 3.0))
        _add_material(spec, f"small_{name}", name, (1.0, 1.0))
    for finish in FINISHES:
        specular, shininess = SHINE[finish]
        spec.add_material(name=finish, specular=specular, shininess=shininess)
    spec.add_material(name="trim", specular=0.7, shininess=0.6)


def _add_room(spec: Any) -> None:
    world, plane, block = spec.worldbody, mujoco.mjtGeom.mjGEOM_PLANE, mujoco.mjtGeom.mjGEOM_BOX
    half_x, half_y = ROOM_HALF_M
    middle = FLOOR_M + WALL_HEIGHT_M / 2
    root = float(np.sqrt(0.5))
    world.add_geom(name="table", type=block, size=TABLE_HALF_M, pos=(0, 0, -TABLE_HALF_M[2]))
    world.add_geom(name="mat", type=block, size=(0.2, 0.15, 0.001), pos=(0, 0, 0.0))
    world.add_geom(name="floor", type=plane, size=(half_x, half_y, 0.1), pos=(0, 0, FLOOR_M))
    # A plane's front is its +z: these turn it to face the table.
    side = (half_y, WALL_HEIGHT_M / 2, 0.1)
    world.add_geom(
        name="wall_back", type=plane, size=(half_x, side[1], 0.1), pos=(0, half_y, middle), quat=(root, root, 0, 0)
    )
    world.add_geom(name="wall_left", type=plane, size=side, pos=(-half_x, 0, middle), quat=(0.5, 0.5, 0.5, 0.5))
    world.add_geom(name="wall_right", type=plane, size=side, pos=(half_x, 0, middle), quat=(0.5, 0.5, -0.5, -0.5))
    light = mujoco.mjtLightType.mjLIGHT_SPOT
    world.add_light(name="key", type=light, cutoff=50.0, exponent=1.0, castshadow=True, pos=(0, 0, 1.5))
    world.add_light(name="fill", type=light, cutoff=80.0, exponent=1.0, castshadow=False, pos=(0, -1, 1.3))
    world.add_camera(name="robot", pos=(0, -0.6, 0.5))


def _add_pool(spec: Any, shapes: Mapping[str, Kind]) -> None:
    mesh_type = mujoco.mjtGeom.mjGEOM_MESH
    for kind, shape in shapes.items():
        parts = [("body", shape.body())] + ([("trim", shape.trim())] if shape.trim else [])
        for size, scale in SIZE_SCALE.items():
            for part, mesh in parts:
                asset = spec.add_mesh(name=f"{kind}_{size}_{part}", inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL)
                asset.uservert = (mesh.vertices * scale).ravel()
                asset.userface = mesh.faces.ravel()
            for copy in range(POOL_COPIES):
                body = spec.worldbody.add_body(name=f"{kind}_{size}_{copy}", mocap=True)
                for part, _ in parts:
                    geom = body.add_geom(
                        name=f"{kind}_{size}_{copy}_{part}", type=mesh_type, meshname=f"{kind}_{size}_{part}"
                    )
                    geom.contype = geom.conaffinity = 0
                    if part == "trim":
                        geom.material, geom.rgba = "trim", (*shape.trim_rgb, 1.0)


def build_table_model(
    shadow_map_px: int, samples: int, max_hw: tuple[int, int], *, has_unnamed: bool = False
) -> TableModel:
    """Compile the model.

    Args:
        shadow_map_px: side of the shadow map.
        samples: per pixel, against jagged edges in the picture (never in the masks); 0 = off.
        max_hw: largest picture.
        has_unnamed: the pool holds the kinds that have no name too.
    """
    shapes = KIND_SHAPES | unnamed_shapes() if has_unnamed else KIND_SHAPES
    spec = mujoco.MjSpec()
    _add_surfaces(spec)
    _add_room(spec)
    _add_pool(spec, shapes)
    spec.stat.extent, spec.stat.center = 1.0, (0.0, 0.0, 0.0)
    # MuJoCo lights by vertex; a spot on a plane needs more of them than its default grid has.
    spec.visual.quality.numquads = 14
    spec.visual.quality.shadowsize, spec.visual.quality.offsamples = shadow_map_px, samples
    spec.visual.map.znear, spec.visual.map.zfar = 0.05, 10.0
    spec.visual.headlight.diffuse, spec.visual.headlight.specular = (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)
    spec.visual.global_.offheight, spec.visual.global_.offwidth = max_hw
    model = spec.compile()
    pool: dict[tuple[str, str], list[tuple[int, list[int]]]] = {}
    for kind, shape in shapes.items():
        names = ["body"] + (["trim"] if shape.trim else [])
        for size in SIZE_SCALE:
            pool[kind, size] = [
                (
                    int(model.body(f"{kind}_{size}_{copy}").mocapid[0]),
                    [int(model.geom(f"{kind}_{size}_{copy}_{part}").id) for part in names],
                )
                for copy in range(POOL_COPIES)
            ]
    return TableModel(model, mujoco.MjData(model), pool, np.zeros(model.ngeom + 1, dtype=np.uint8), [])
