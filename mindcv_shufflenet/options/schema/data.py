"""Options of the data: which images, where they lie, and how they are batched."""

from typing import Self

from pydantic import ValidationInfo, model_validator

from mindcv_shufflenet.errors import unknown_name
from mindcv_shufflenet.options.bounds import Count
from mindcv_shufflenet.options.group import OptionGroup, Purpose
from mindcv_shufflenet.options.names import DATASETS, traits_of
from mindcv_shufflenet.options.option import ABSENT, Needs, option

*_OTHERS, _LAST = DATASETS
# The verbs of data but `data show`, which reads what `train` reads.
_DATA = "data_prepare data_stats data_check"


class DataOptions(OptionGroup):
    """data"""

    dataset: str = option(
        "imagenet", f"{', '.join(_OTHERS)} or {_LAST}", read_by=f"train validate verify {_DATA} export average",
        of="data", is_common=True, min_length=1,
    )  # fmt: skip
    data_dir: str = option(
        "./", "folder of the data set",
        read_by=f"train validate verify {_DATA} export average report", of="data", is_common=True, is_path=True,
        needs=Needs("another data set", lambda c, _: traits_of(c.dataset).needs_folder), min_length=1,
    )  # fmt: skip
    train_split: str = option(
        "train", "name of the training split", read_by=f"train validate {_DATA} export average", of="data",
        min_length=1,
    )  # fmt: skip
    val_split: str = option(
        "val", "name of the validation split", read_by=f"train validate verify {_DATA} export average", of="data",
        min_length=1,
    )  # fmt: skip
    val_ratio: float = option(
        0.2, "share of the images that is held out where folders have no validation split",
        read_by=f"train validate {_DATA} export", of="data", mindcv=ABSENT, gt=0, lt=1,
    )  # fmt: skip
    dataset_download: bool = option(
        False, "fetch the data set into data_dir if it is not there",
        read_by=f"train validate verify {_DATA} report", of="command", is_common=True,
    )  # fmt: skip
    num_parallel_workers: Count | None = option(
        None, "threads that prepare images; null: number of cores",
        read_by=f"train validate verify {_DATA} export average report fit",
        of="machine", mindcv=8, is_resumed=False, changes_training=False, memory_rank=3,
    )  # fmt: skip
    shuffle: bool = option(True, "read the training images in a new order each epoch", read_by="train")
    num_samples: Count | None = option(
        None, "use this many images, evenly spaced (train: of the training split); null: all",
        read_by="train validate verify export",
    )  # fmt: skip
    batch_size: Count = option(
        128, "images a step of one rank (fit: 32)", read_by="train validate predict verify export average fit",
        is_common=True, memory_rank=1,
    )  # fmt: skip
    drop_remainder: bool = option(
        True, "leave out the last training batch of an epoch if it is not full", read_by="train"
    )
    eval_shuffle: bool = option(False, "validate in a random order", read_by="train validate")

    @model_validator(mode="after")
    def _is_known(self, info: ValidationInfo) -> Self:
        """Refuse an unknown data set, but where options were recorded by a program that had registered it."""
        if self.dataset not in DATASETS and not Purpose.of(info).is_recorded:
            raise ValueError(unknown_name("data set", self.dataset, DATASETS))
        return self
