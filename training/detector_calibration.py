"""Probabilities that mean what they say: temperatures and a logistic curve fitted on held-out scenes, and their error.

Pure numpy on what was predicted and what was right.
"""

from __future__ import annotations

import numpy as np

TEMPERATURES = np.geomspace(0.25, 4.0, 241)
"""Steps of 1.2 %: finer than the fit on some thousand things is certain."""
MIN_PROBABILITY = 1e-9


def log_probs(probs: np.ndarray) -> np.ndarray:
    """Logits up to a constant, which a softmax does not see."""
    return np.log(np.clip(probs, MIN_PROBABILITY, 1))


def softmax(logits: np.ndarray) -> np.ndarray:
    """(N, K) -> rows that sum to 1."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: np.ndarray = shifted / shifted.sum(axis=1, keepdims=True)
    return result


def fit_temperature(probs: np.ndarray, truth: np.ndarray) -> float:
    """The temperature that makes the truth likeliest.

    Args:
        probs: (N, K) of temperature 1. truth: (N,) int.

    *Source:* Guo et al. 2017, "On Calibration of Modern Neural Networks".
    """
    logits, rows = log_probs(probs), np.arange(len(truth))
    losses = [-np.log(np.clip(softmax(logits / t)[rows, truth], MIN_PROBABILITY, 1)).mean() for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


def fit_logistic(scores: np.ndarray, is_right: np.ndarray) -> tuple[float, float]:
    """Scale and offset of the logit for which sigmoid(scale * logit + offset) is likeliest, by Newton's method.

    Args:
        scores: (N,) probabilities of scale 1 and offset 0. is_right: (N,) bool.
    """
    clipped = np.clip(scores, 1e-6, 1 - 1e-6)
    design = np.stack([np.log(clipped / (1 - clipped)), np.ones(len(scores))], axis=1)
    weights = np.array([1.0, 0.0])
    for _ in range(50):
        guess = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        slope = design.T @ (guess - is_right)
        curve = (design * (guess * (1 - guess))[:, None]).T @ design + 1e-6 * np.eye(2)
        move = np.linalg.solve(curve, slope)
        weights = weights - np.clip(move, -1, 1)
        if np.abs(move).max() < 1e-8:
            break
    return max(float(weights[0]), 0.05), float(weights[1])


def best_threshold(scores: np.ndarray, is_right: np.ndarray, truths: int, recall_weight: float = 1.0) -> float:
    """The score from which on taking every detection gives the best F measure.

    Args:
        scores, is_right: (N,) of all detections.
        truths: how many things there were.
        recall_weight: beta of the F measure: how many times as much a missed thing costs as a wrong detection.
    """
    order = np.argsort(-scores)
    hits, weight = np.cumsum(is_right[order]), recall_weight**2
    f = (1 + weight) * hits / (np.arange(1, len(order) + 1) + weight * truths)
    return float(scores[order][int(np.argmax(f))])


def calibration_error(confidence: np.ndarray, is_right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error: mean over all of |confidence - accuracy| within bins of equal width, 0..1."""
    which = np.clip((confidence * bins).astype(int), 0, bins - 1)
    gaps = [abs(confidence[which == b].sum() - is_right[which == b].sum()) for b in range(bins)]
    return float(np.sum(gaps) / max(len(confidence), 1))
