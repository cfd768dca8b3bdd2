"""Networks in PyTorch, for benchmarks beside it: torchvision's ShuffleNetV2, and those of the package pytorchcv."""

from typing import Any

import numpy as np
import torch
from torch import nn

from mindcv_shufflenet.families.shufflenet_v1 import FAMILY as SHUFFLENET_V1
from mindcv_shufflenet.families.shufflenet_v2 import FAMILY as SHUFFLENET_V2


def shufflenet_v2(
    widths: tuple[int, ...], repeats: tuple[int, ...], classes: int = 1000, stem: str = "imagenet"
) -> Any:
    """Torchvision's ShuffleNetV2, with its names of parameters; with the stem ``cifar``, stride 1 and no pool there."""

    def unit(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, relu: bool = True) -> list[Any]:
        conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        return [conv, nn.BatchNorm2d(outputs), *([nn.ReLU(inplace=True)] if relu else [])]

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            half, main = outputs // 2, inputs if stride == 2 else outputs // 2
            proj = [*unit(inputs, inputs, 3, stride, inputs, relu=False), *unit(inputs, half, 1)]
            self.branch1 = nn.Sequential(*(proj if stride == 2 else []))
            self.branch2 = nn.Sequential(
                *unit(main, half, 1), *unit(half, half, 3, stride, half, relu=False), *unit(half, half, 1)
            )
            self.stride = stride

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            left, right = x.chunk(2, 1) if self.stride == 1 else (self.branch1(x), x)
            pair = torch.cat((left, self.branch2(right)), 1)
            n, c, h, w = pair.size()
            return pair.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Sequential(*unit(3, widths[0], 3, 2 if stem == "imagenet" else 1))
            self.maxpool = nn.MaxPool2d(3, 2, 1) if stem == "imagenet" else nn.Identity()
            for index, number in enumerate(repeats):
                inputs, outputs = widths[index : index + 2]
                blocks = [Block(inputs if k == 0 else outputs, outputs, 1 if k else 2) for k in range(number)]
                setattr(self, f"stage{index + 2}", nn.Sequential(*blocks))
            self.conv5, self.fc = nn.Sequential(*unit(widths[-2], widths[-1], 1)), nn.Linear(widths[-1], classes)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.stage4(self.stage3(self.stage2(self.maxpool(self.conv1(x)))))
            return self.fc(self.conv5(x).mean([2, 3]))

    return Network()


def torch_network(
    model: str, state: dict[str, np.ndarray] | None = None, classes: int = 1000, stem: str = "imagenet"
) -> Any:
    """PyTorch's network of a model in inference, with these parameters, or random ones that keep numbers in range.

    Raises:
        ValueError: ``stem`` is not ``imagenet``, in another family than ShuffleNetV2.
    """
    if stem != "imagenet" and model not in SHUFFLENET_V2.variants:
        raise ValueError(f"{model} has no stem for {stem} in PyTorch")
    if model in SHUFFLENET_V2.variants:
        variant = SHUFFLENET_V2.variants[model]
        network = shufflenet_v2(variant.widths, variant.blocks, classes, stem)
    elif model in SHUFFLENET_V1.variants:
        from pytorchcv.models.shufflenet import get_shufflenet

        groups, width = model.removeprefix("shufflenet_v1_g").split("_x")
        network = get_shufflenet(groups=int(groups), width_scale=float(width.replace("_", ".")), num_classes=classes)
    else:
        from pytorchcv.models.mobilenet import get_mobilenet
        from pytorchcv.models.mobilenetv2 import get_mobilenetv2

        create = get_mobilenet if model.startswith("mobilenet_v1") else get_mobilenetv2
        network = create(width_scale=int(model.split("_")[2]) / 100, num_classes=classes)
    torch.manual_seed(0)
    for module in [] if state else network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        elif isinstance(module, torch.nn.BatchNorm2d):
            for tensor, low, high in (
                (module.weight, 0.5, 1.5), (module.bias, -0.3, 0.3), (module.running_mean, -0.3, 0.3),
                (module.running_var, 0.5, 1.5),
            ):  # fmt: skip
                torch.nn.init.uniform_(tensor, low, high)
    if state:
        network.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    return network.eval()
