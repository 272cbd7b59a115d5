"""A thread that takes images from the middleware and does nothing else. Knows no image.

The node's executor watches some forty services, topics and timers in Python, and hands each callback to a pool: an
image waited 2 to 30 ms for it, and half of a core went there at 1280x720 and 30 Hz. A hidden node with an executor of
its own has the image subscriptions alone, as tf2's listener does it.
"""

from __future__ import annotations

import threading
import traceback

from rclpy.executors import ExternalShutdownException, ShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter

STOP_WITHIN_S = 2.0
"""A callback that is running has so long to end when the thread is stopped."""


class ImageThread:
    """Spins its node from the beginning.

    Args:
        owner: whose images they are: names are to be resolved with it, because the hidden node knows no remaps.

    Attributes:
        node: for subscriptions and their timers, with full names of topics.
    """

    def __init__(self, owner: Node) -> None:
        self._logger = owner.get_logger()
        self.node = Node(
            f"_{owner.get_name()}_images",
            namespace=owner.get_namespace(),
            context=owner.context,
            # a remap of the node's name would give this one the same
            use_global_arguments=False,
            enable_rosout=False,
            start_parameter_services=False,
            parameter_overrides=[Parameter("start_type_description_service", value=False)],
        )
        self._is_over = False
        self._executor = SingleThreadedExecutor(context=owner.context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, name="icseg-images", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Call nothing back any more: subscriptions may be destroyed then."""
        self._is_over = True
        self._executor.shutdown(STOP_WITHIN_S)
        self._thread.join(STOP_WITHIN_S)

    def close(self) -> None:
        """Stop, and take the node down."""
        self.stop()
        self.node.destroy_node()

    def _spin(self) -> None:
        while not self._is_over:
            try:
                self._executor.spin()
            except (ExternalShutdownException, ShutdownException):
                return
            except Exception:  # noqa: BLE001  # one image's callback must not end all images
                self._logger.error(traceback.format_exc())
