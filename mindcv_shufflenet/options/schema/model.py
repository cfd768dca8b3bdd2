"""Options of the network and of the weights that it starts from."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mindcv_shufflenet.options.bounds import Count, OneOf
from mindcv_shufflenet.options.group import OptionGroup
from mindcv_shufflenet.options.names import ACTIVATIONS, CHANNEL_SHUFFLES, LAYOUTS, POOLS, STEMS, WEIGHTS_SUFFIXES
from mindcv_shufflenet.options.option import ABSENT, Needs, given, option


class ModelOptions(OptionGroup):
    """model"""

    model: str = option(
        "shufflenet_v2_x1_0", "name of the network, or NAME.TAG of published weights (`shufflenet models` lists both);"
        " validate and predict take an exported FILE.onnx",
        read_by="train validate predict convert verify export fit",
        of="weights", mindcv="mobilenet_v2_035_224", is_common=True,
    )  # fmt: skip
    num_classes: Count | None = option(
        None, "classes; null: as many as the data set has",
        read_by="train validate predict models export benchmark", of="weights",
        is_common=True,
    )  # fmt: skip
    in_channels: Literal[1, 3] = option(
        3,
        "channels of an image: 3 (RGB) or 1 (grey)",
        read_by="train validate predict models export benchmark",
        of="network",
    )
    layout: Annotated[str | None, OneOf(LAYOUTS)] = option(
        None, "order of the channels: in ShuffleNetV2 megvii (default; mindcv's parameters) or torchvision (even"
        " split, classifier with bias); in ShuffleNetV1 mindcv (default), megvii, mmpretrain or imgclsmob",
        read_by="train validate predict convert models export benchmark", of="network", mindcv=ABSENT,
    )  # fmt: skip
    stem: Annotated[str | None, OneOf(STEMS)] = option(
        None, "imagenet (default): stride 2 and max pool; cifar: stride 1, for images of about 32 pixels; for families"
        " that have stems", read_by="train validate predict models export benchmark", of="network", mindcv=ABSENT,
    )  # fmt: skip
    pool: Annotated[str | None, OneOf(POOLS)] = option(
        None, "padding of the max pool, and of ShuffleNetV1's average pools: same (mindcv) or pad (Megvii,"
        " torchvision); null: by layout; for families that have such a pool",
        read_by="train validate predict models export benchmark",
        of="network", mindcv=ABSENT,
    )  # fmt: skip
    channel_shuffle: Annotated[str | None, OneOf(CHANNEL_SHUFFLES)] = option(
        None, "view of the channels in ShuffleNetV1's shuffle: deinterleave (mindcv, Megvii) or interleave (the paper,"
        " mmpretrain, imgclsmob); null: by layout",
        read_by="train validate predict models", of="network", mindcv=ABSENT,
    )  # fmt: skip
    activation: Annotated[str | None, OneOf(ACTIVATIONS)] = option(
        None, "of ShuffleNetV2: relu (default) or leaky_relu (NanoDet's backbones)",
        read_by="train validate predict models export benchmark", of="network", mindcv=ABSENT,
    )  # fmt: skip
    se: bool | None = option(
        None, "squeeze-and-excitation at the end of each block's main branch; null: as the model has it; for"
        " ShuffleNetV2", read_by="train validate predict models export benchmark", of="network", mindcv=ABSENT,
    )  # fmt: skip
    residual: bool | None = option(
        None, "a shortcut around the main branch of each block of stride 1; null: as the model has it; for"
        " ShuffleNetV2", read_by="train validate predict models export benchmark", of="network", mindcv=ABSENT,
    )  # fmt: skip
    drop_rate: Annotated[float, Field(ge=0, le=0.99)] | None = option(
        None, "dropout before the classifier; null: as the model has it, 0.2 in MobileNetV2, ShuffleNetV2+ and Megvii's"
        " large network", read_by="train",
    )  # fmt: skip
    drop_path_rate: Annotated[float, Field(ge=0, le=0.99)] | None = option(
        None, "stochastic depth: share of the images whose residual branch is left out in the last block, less in those"
        " before it; for ShuffleNetV1, MobileNetV2, and ShuffleNetV2 with residual", read_by="train",
    )  # fmt: skip
    freeze: list[str] = option(
        [], "parts that keep weights and BatchNorm statistics: backbone (all but the classifier), stages (stage2), or"
        " names of cells and parameters, with wildcards (features.0.*)", read_by="train average", mindcv=ABSENT,
    )  # fmt: skip
    pretrained: bool = option(
        False, "start from, or validate, the published weights of model",
        read_by="train validate predict export fit", of="weights", is_common=True,
    )  # fmt: skip
    ckpt_path: str = option(
        "", f"weights to start from or to validate: a file ({' '.join(WEIGHTS_SUFFIXES)}) or its address",
        read_by="train validate predict verify export fit",
        of="weights", is_common=True, is_path=True, changes_training=False,
    )  # fmt: skip
    ckpt_key: str | None = option(
        None, "which set of weights, where ckpt_path holds several: weights, ema, state_dict_ema",
        read_by="train validate predict convert verify export fit", of="weights", needs=given("ckpt_path"),
        mindcv=ABSENT,
    )  # fmt: skip
    reset_classifier: bool = option(
        False, "train a new classifier on top of the weights of ckpt_path", read_by="train", of="weights",
        mindcv=ABSENT,
    )  # fmt: skip
    allow_missing: list[str] = option(
        [], "names, with wildcards, of parameters that ckpt_path may lack and that start anew: conv_last.*",
        read_by="train convert", of="weights", mindcv=ABSENT,
        needs=Needs("ckpt_path or pretrained", lambda c, _: bool(c.ckpt_path) or c.pretrained),
    )  # fmt: skip
    random_weights: bool = option(
        False, "validate or export the untrained network", read_by="validate export", of="command", mindcv=ABSENT
    )
    resume_opt: bool = option(
        False, "go on with the run in ckpt_save_dir, with its options where none are given; ckpt_path: an earlier"
        " checkpoint of it to go back to", read_by="train", of="command", is_common=True,
    )  # fmt: skip

    @model_validator(mode="after")
    def _weights_agree(self) -> Self:
        if self.random_weights and self.ckpt_path:
            raise ValueError("random_weights and ckpt_path are both given; leave one out")
        if self.reset_classifier and not self.ckpt_path and not self.pretrained:
            raise ValueError("reset_classifier is for the weights of ckpt_path or pretrained, and neither is given")
        return self
