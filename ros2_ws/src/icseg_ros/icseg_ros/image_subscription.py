"""A topic of large messages, subscribed to with the reliability that its publishers offer. Knows nothing of images.

A best-effort subscriber matches every publisher but loses most frames that do not fit Fast DDS's default shared memory;
a reliable one loses none but gets nothing from a best-effort publisher. So: reliable unless a publisher is best effort.

At most two subscriptions are made, one of each reliability. The one that is not in use is passed over by a flag and
stays, because destroying one while a multi-threaded executor spins can end the process on Humble. It costs nothing
when the publishers are best effort (it matches none of them), and a second copy of each message when a best-effort
camera was started again as a reliable one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
from rclpy.subscription import Subscription

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

RELIABILITIES = ("auto", "reliable", "best_effort")
PUBLISHERS_CHECK_PERIOD_S = 0.5
"""How often ``auto`` checks who publishes, on the steady clock: simulated time may stand still."""
_POLICIES = {"reliable": ReliabilityPolicy.RELIABLE, "best_effort": ReliabilityPolicy.BEST_EFFORT}


class ImageSubscription:
    """One topic, KEEP_LAST 1, volatile.

    Args:
        node: is not spun here.
        kind: message class.
        topic: relative names and remaps are resolved.
        callback: gets each message, in the node's default callback group, which is mutually exclusive.
        reliability: of ``RELIABILITIES``. ``auto`` subscribes when the first publisher is there.

    Attributes:
        topic: its full name.
        reliability: the one in use; empty while no publisher is there.
        incompatible_qos: publishers met, while subscribed, whose offer did not match.
        qos_error: what does not match and what to do; empty when it does.
    """

    def __init__(
        self,
        node: Node,
        kind: type[Any],
        topic: str,
        callback: Callable[[Any], None],
        *,
        reliability: str = "auto",
    ) -> None:
        self.topic = node.resolve_topic_name(topic)
        self.reliability = ""
        self.incompatible_qos, self.qos_error = 0, ""
        self._node, self._kind, self._callback = node, kind, callback
        self._subscriptions: dict[str, Subscription] = {}
        self._timer = None
        if reliability == "auto":
            clock = Clock(clock_type=ClockType.STEADY_TIME)
            self._timer = node.create_timer(PUBLISHERS_CHECK_PERIOD_S, self._look, clock=clock)
            self._look()
        else:
            self._use(reliability)

    def close(self) -> None:
        """Unsubscribe. On Humble, not while a multi-threaded executor spins the node."""
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._timer = None
        for subscription in self._subscriptions.values():
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()
        self.reliability = ""

    def _look(self) -> None:
        offered = [info.qos_profile.reliability for info in self._node.get_publishers_info_by_topic(self.topic)]
        if offered:
            # an offer that is not known is met by best effort too
            self._use("reliable" if all(one == ReliabilityPolicy.RELIABLE for one in offered) else "best_effort")

    def _use(self, reliability: str) -> None:
        if reliability == self.reliability:
            return
        self.reliability, self.qos_error = reliability, ""
        if reliability not in self._subscriptions:
            qos = QoSProfile(
                depth=1,
                history=HistoryPolicy.KEEP_LAST,
                durability=DurabilityPolicy.VOLATILE,
                reliability=_POLICIES[reliability],
            )
            self._subscriptions[reliability] = self._node.create_subscription(
                self._kind,
                self.topic,
                partial(self._on_message, reliability),
                qos,
                event_callbacks=SubscriptionEventCallbacks(
                    incompatible_qos=partial(self._on_incompatible, reliability)
                ),
            )

    def _on_message(self, reliability: str, message: Any) -> None:
        if reliability == self.reliability:
            self._callback(message)

    def _on_incompatible(self, reliability: str, event: Any) -> None:
        if reliability != self.reliability:
            return
        self.incompatible_qos += event.total_count_change
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        self.qos_error = (
            f"{self.topic}: a publisher offers {policy} that a {reliability} subscription does not accept, so nothing "
            "is received from it; set the reliability to auto or best_effort, or the camera's to reliable"
        )
        if self._timer is not None:
            self._look()
