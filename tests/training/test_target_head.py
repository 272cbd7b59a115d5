"""The memory's own judge: it tells features that say where a thing is from features that do not."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from training.target_head import TargetHead  # noqa: E402


def cells(masks: torch.Tensor) -> torch.Tensor:
    """(N, 16, 16) masks at the features' resolution, as +-1."""
    return 2 * torch.nn.functional.interpolate(masks[:, None], size=(4, 4), mode="area")[:, 0] - 1


def test_features_that_point_cost_less_than_features_that_point_elsewhere() -> None:
    head = TargetHead(3)
    with torch.no_grad():
        head.layer.weight.copy_(torch.tensor([8.0, 0, 0]).view(1, 3, 1, 1))
        head.layer.bias.zero_()
    masks = torch.zeros(2, 16, 16)
    masks[0, :4, :4] = masks[1, 8:12, 4:12] = 1
    features = torch.zeros(2, 3, 4, 4)
    features[:, 0] = cells(masks)
    visible = torch.tensor([True, True])
    right = head.loss(features, masks, visible)
    assert right < 0.02
    assert head.loss(features.flip(0), masks, visible) > 1
    # the second is not visible any more: cells that still say yes cost, and those that all say no do not
    gone, absent = torch.stack([masks[0], torch.zeros(16, 16)]), torch.tensor([True, False])
    assert head.loss(features, gone, absent) > right + 0.1
    features[1, 0] = -1
    assert head.loss(features, gone, absent) < 0.02


def test_it_teaches_the_features() -> None:
    torch.manual_seed(0)
    head, masks = TargetHead(3), torch.zeros(1, 16, 16)
    masks[0, 4:12, :8] = 1
    features = torch.zeros(1, 3, 4, 4, requires_grad=True)
    head.loss(features, masks, torch.tensor([True])).backward()
    assert features.grad is not None
    inside = cells(masks)[0] > 0
    said = (features.grad[0] * head.layer.weight[0].detach()).sum(0)
    assert (said[inside] < 0).all()  # going down the gradient raises what the head says inside, and lowers it outside
    assert (said[~inside] > 0).all()
