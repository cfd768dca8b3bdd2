"""Options of the system: device, ranks, seed, validation and logging interval."""

from typing import Annotated, Literal

from mindcv_shufflenet.options.bounds import Count, OneOf
from mindcv_shufflenet.options.group import OptionGroup
from mindcv_shufflenet.options.names import ENGINES
from mindcv_shufflenet.options.option import ABSENT, Needs, given, option


class SystemOptions(OptionGroup):
    """system"""

    engine: Annotated[str | None, OneOf(ENGINES)] = option(
        None, "runtime that computes the network: mindspore, onnxruntime or openvino; null: mindspore for weights,"
        " onnxruntime for a file given as model", read_by="validate predict verify", of="command", mindcv=ABSENT,
        is_common=True,
    )  # fmt: skip
    mode: Literal[0, 1] = option(
        0, "0: graph mode; 1: PyNative mode", read_by="train validate predict verify", of="machine"
    )
    jit: bool = option(
        True, "in PyNative mode compile the training step; --no-jit to debug it line by line",
        read_by="train validate", of="machine", needs=given("mode", 1), mindcv=ABSENT,
    )  # fmt: skip
    device_target: Literal["auto", "Ascend", "GPU", "CPU"] = option(
        "auto", "device to run on; auto takes the first of Ascend, GPU, CPU that is there",
        read_by="train validate predict verify export benchmark", of="machine", mindcv="Ascend", is_resumed=False,
    )  # fmt: skip
    distribute: bool = option(
        False, "data-parallel training; found out from the launcher", read_by="train validate", of="machine",
        needs=Needs("a start without mpirun or msrun", lambda c, ranks: c.distribute or ranks == 1),
    )  # fmt: skip
    sync_bn: bool = option(
        False, "BatchNorm over the images of all ranks instead of each rank's own", read_by="train", mindcv=ABSENT,
        needs=Needs("several ranks", lambda _, ranks: ranks > 1),
    )  # fmt: skip
    # of the data, since it draws the images that are held out of a folder
    seed: int = option(
        42, "seed of weights, order, augmentation and dropout", read_by="train validate data export", of="data",
        ge=0, lt=2**31,
    )  # fmt: skip
    val_while_train: bool = option(True, "validate while training", read_by="train", mindcv=False)
    val_interval: Count = option(1, "epochs between two validations", read_by="train", needs=given("val_while_train"))
    log_interval: Count = option(
        100, "steps between two readings of the loss, for the NaN check; a progress bar reads more often",
        read_by="train", changes_training=False,
    )  # fmt: skip
