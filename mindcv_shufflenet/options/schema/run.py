"""Options of a run: its length, its directory, and its updates."""

from typing import Annotated, Literal

from pydantic import Field

from mindcv_shufflenet.options.bounds import Count, Epochs
from mindcv_shufflenet.options.group import OptionGroup
from mindcv_shufflenet.options.option import ABSENT, Needs, given, option

_POLICY = Needs("a ckpt_save_policy", lambda c, _: c.ckpt_save_policy is not None)


class RunOptions(OptionGroup):
    """run"""

    epoch_size: Annotated[Epochs, Field(ge=1)] = option(90, "epochs to train", read_by="train", is_common=True)
    ckpt_save_dir: str = option(
        "./ckpt", "run directory", read_by="train", is_common=True, is_path=True, is_resumed=False,
        changes_training=False, min_length=1,
    )  # fmt: skip
    overwrite: bool = option(
        False, "replace an earlier run, or an earlier result",
        read_by="train convert data_prepare fit", of="command", mindcv=ABSENT, is_common=True,
    )  # fmt: skip
    report: bool = option(
        True, "write report.html into the run directory at the end", read_by="train", mindcv=ABSENT,
        changes_training=False,
    )  # fmt: skip
    ckpt_save_interval: Count = option(
        1, "epochs between two numbered checkpoints", read_by="train", needs=given("keep_checkpoint_max")
    )
    ckpt_save_policy: Literal["latest_k", "top_k"] | None = option(
        "latest_k", "numbered checkpoints to keep: the latest, the best by val_top1, or all (null)", read_by="train",
        needs=given("keep_checkpoint_max"),
    )  # fmt: skip
    keep_checkpoint_max: int = option(
        10, "how many numbered checkpoints to keep", read_by="train", needs=_POLICY, ge=0, le=1_000_000
    )
    dataset_sink_mode: bool | Literal["auto"] = option(
        "auto", "feed the device from its own queue", read_by="train", of="machine", mindcv=True
    )
    ema: bool = option(
        False, "keep a moving average of the weights, and validate it beside them; the better of both is the best",
        read_by="train",
    )  # fmt: skip
    ema_decay: Annotated[float, Field(gt=0, lt=1)] = option(
        0.9999, "share of the average that stays at an update; it rises to that with (1 - exp(-updates / 2000))",
        read_by="train", needs=given("ema"),
    )  # fmt: skip
    clip_grad: bool = option(False, "limit the norm of the gradients", read_by="train")
    clip_value: float = option(
        15.0, "limit of the global gradient norm", read_by="train", needs=given("clip_grad"), ge=1e-6, le=1e6
    )
    gradient_accumulation_steps: Count = option(
        1, "batches whose gradients make one update, as one batch of all their images would but in BatchNorm",
        read_by="train",
    )  # fmt: skip
