"""Options of the system: device, ranks, seed, validation and logging interval."""

from typing import Annotated, Literal

from mindcv_shufflenet.options.bounds import Count, Epochs, OneOf
from mindcv_shufflenet.options.group import OptionGroup
from mindcv_shufflenet.options.names import ENGINES
from mindcv_shufflenet.options.option import ABSENT, Needs, given, option
from mindcv_shufflenet.options.size_schedule import SMALLEST


class SystemOptions(OptionGroup):
    """system"""

    engine: Annotated[str | None, OneOf(ENGINES)] = option(
        None, "runtime that computes the network: mindspore, onnxruntime or openvino; null: mindspore for weights,"
        " onnxruntime for a file given as model, and for reports", read_by="validate predict verify report",
        of="command", mindcv=ABSENT, is_common=True,
    )  # fmt: skip
    mode: Literal[0, 1] = option(
        0, "0: graph mode; 1: PyNative mode", read_by="train validate predict verify average", of="machine"
    )
    jit: bool = option(
        True, "in PyNative mode compile the training step; --no-jit to debug it line by line",
        read_by="train validate average", of="machine", needs=given("mode", 1), mindcv=ABSENT,
    )  # fmt: skip
    device_target: Literal["auto", "Ascend", "GPU", "CPU"] = option(
        "auto", "device to run on; auto takes the first of Ascend, GPU, CPU that is there",
        read_by="train validate predict verify export benchmark average selftest fit", of="machine", mindcv="Ascend",
        is_resumed=False,
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
        42, "seed of weights, order, augmentation and dropout", of="data",
        read_by="train validate data_prepare data_stats data_check export fit",
        ge=0, lt=2**31,
    )  # fmt: skip
    val_while_train: bool = option(True, "validate while training", read_by="train", mindcv=False)
    val_interval: Count = option(1, "epochs between two validations", read_by="train", needs=given("val_while_train"))
    early_stopping: Epochs = option(
        0, "end the training when the best validation top-1 has not risen for so many epochs; 0: never",
        read_by="train", needs=given("val_while_train"), mindcv=ABSENT, changes_training=False,
    )  # fmt: skip
    tta: bool = option(
        False, "test-time augmentation: average the logits of each image and of its horizontal flip",
        read_by="validate predict", of="command", mindcv=ABSENT,
    )  # fmt: skip
    tta_shift: int = option(
        0, "pixels by which tta shifts each image too, in 8 directions: 18 views; 0: it does not",
        read_by="validate predict", of="command", needs=given("tta"), mindcv=ABSENT, ge=0, lt=SMALLEST,
    )  # fmt: skip
    tensorboard: bool = option(
        True, "write what log.csv has as TensorBoard's scalars too", read_by="train", mindcv=ABSENT,
        changes_training=False,
    )  # fmt: skip
    log_interval: Count = option(
        100, "steps between two readings of the loss, for the NaN check; a progress bar reads more often",
        read_by="train", changes_training=False,
    )  # fmt: skip
