"""Grad-CAM: which part of an image raises the score of a class.

Source: Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
arXiv:1610.02391, equations 1 and 2.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mindspore import Tensor, nn, ops
from PIL import Image

from mindcv_shufflenet.evaluation.analysis import Findings
from mindcv_shufflenet.network import open_network
from mindcv_shufflenet.report.figures import any_script, save
from mindcv_shufflenet.runtime.mode import mode_restored


def grad_cam(network: nn.Cell, image: np.ndarray, index: int) -> np.ndarray:
    """Return the heat map of a class at the last convolution.

    Args:
        network: set to inference.
        image: the network's input ``[C, H, W] float32``.
        index: index of the class.

    Returns:
        ``[h, w] float32`` in 0..1, the size of the last convolution's map (a 32nd of the input's with the ``imagenet``
        stem); all zeros where nothing raises the score of the class.
    """
    last_map = network.forward_features(Tensor(image[None]))

    def score(features: Tensor) -> Tensor:
        return ops.sum(network.forward_head(features)[:, index])

    gradient = ms.grad(score)(last_map).asnumpy()[0]
    weights = gradient.mean(axis=(1, 2))
    heat = np.maximum(np.tensordot(weights, last_map.asnumpy()[0], axes=1), 0)
    return (heat / heat.max() if heat.max() > 0 else heat).astype(np.float32)


def explained(findings: Findings, options: Mapping[str, Any]) -> Findings:
    """Return findings whose wrong answers have heat maps.

    Args:
        findings: as :func:`~mindcv_shufflenet.evaluation.analysis.analyse` returns them.
        options: of the evaluation, by name; they name the weights.
    """
    if not findings.wrong:
        return findings
    network = open_network(options, len(findings.class_names)).network.set_train(False)
    with mode_restored():
        ms.set_context(mode=ms.PYNATIVE_MODE)
        wrong = [one._replace(heat=grad_cam(network, one.image, one.answer)) for one in findings.wrong]
    return findings._replace(wrong=wrong)


def draw(
    path: str | Path, pixels: np.ndarray, heat: np.ndarray, classes: Sequence[tuple[str, float]], title: str
) -> None:
    """Write a picture: the image, the heat map over it, and a bar for each class.

    Args:
        path: the PNG file to write.
        pixels: what the network saw, ``[H, W, 3] uint8``.
        heat: ``[h, w]`` in 0..1.
        classes: name and probability, the most probable first.
        title: above the image.

    Raises:
        UserError: the file cannot be written.
    """
    with any_script():
        figure = _figure(pixels, heat, classes, title)
        save(figure, path, "Grad-CAM", dpi=100)


def _figure(pixels: np.ndarray, heat: np.ndarray, classes: Sequence[tuple[str, float]], title: str) -> Figure:
    height, width = pixels.shape[:2]
    smooth = np.asarray(Image.fromarray(heat).resize((width, height), Image.Resampling.BICUBIC))
    figure = Figure(figsize=(12, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3, width_ratios=(1, 1, 1.1))
    axes[0].imshow(pixels)
    axes[0].set_title(title, fontsize=10)
    axes[1].imshow(pixels)
    axes[1].imshow(smooth, cmap="jet", alpha=0.45, vmin=0, vmax=1)
    axes[1].set_title(f"Grad-CAM: {_short(classes[0][0])}", fontsize=10)
    for axis in axes[:2]:
        axis.set_axis_off()
    names = [_short(name) for name, _ in classes]
    bars = axes[2].barh(range(len(names)), [score for _, score in classes], color="tab:blue")
    axes[2].bar_label(bars, [f"{score:.1%}" for _, score in classes], padding=3)
    axes[2].set_yticks(range(len(names)), names)
    axes[2].invert_yaxis()
    axes[2].set_xlim(0, 1.15)
    axes[2].set_xticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    axes[2].set_xlabel("probability")
    axes[2].spines[["top", "right"]].set_visible(False)
    return figure


def _short(label: str) -> str:
    """The first of a class's names, no longer than fits beside a bar."""
    name = label.split(",")[0].strip()
    return name if len(name) <= 26 else f"{name[:25]}…"
