"""What a configured node is made of: built together, taken down together. Knows no transitions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node

from icseg.models import Models
from icseg.runtime_settings import RuntimeSettings
from icseg.settings import Effective
from icseg_ros.announcer import Announcer
from icseg_ros.camera import CameraInput
from icseg_ros.depth import DepthInput
from icseg_ros.image_thread import ImageThread
from icseg_ros.outputs import Outputs
from icseg_ros.parameters import Settings
from icseg_ros.speech.speech import Speech
from icseg_ros.speech.words import Heard

Load = Callable[[Effective[RuntimeSettings]], Models]


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Everything between ``configure`` and ``cleanup``."""

    settings: Settings
    models: Models
    images: ImageThread
    camera: CameraInput
    depth: DepthInput
    outputs: Outputs
    speech: Speech
    announcer: Announcer

    @classmethod
    def build(
        cls,
        node: Node,
        settings: Settings,
        load: Load,
        on_heard: Callable[[Heard], None],
        on_speech_error: Callable[[str], None],
        control: CallbackGroup,
    ) -> Parts:
        """Load the models, then make publishers and subscriptions; nothing stays behind when one of them fails.

        Args:
            control: callback group of everything but images.

        Raises:
            IcsegError: a model, an engine, or a speech package is not there, or not what it should be.
        """
        models = load(settings.runtime)
        with ExitStack() as made:
            images = ImageThread(node)
            made.callback(images.close)
            camera = CameraInput(node, settings.camera, spun=images.node)
            made.callback(camera.close)
            depth = DepthInput(node, settings.depth, spun=images.node)
            made.callback(depth.close)
            made.callback(images.stop)
            outputs = Outputs(node, settings.publish)
            made.callback(outputs.close)
            speech = Speech(node, settings.speech, on_heard, on_speech_error, control)
            made.callback(speech.close)
            announcer = Announcer(node, speech, answer_timeout_s=settings.session.dialogue.answer_timeout_s)
            made.pop_all()
        return cls(settings, models, images, camera, depth, outputs, speech, announcer)

    def set_active(self, is_active: bool) -> None:
        """Take images and publish, or pass over everything."""
        for part in (self.outputs, self.depth, self.camera):
            part.set_active(is_active)

    def close(self) -> None:
        """Take everything down."""
        self.images.stop()
        for part in (self.announcer, self.speech, self.outputs, self.depth, self.camera, self.images):
            part.close()
