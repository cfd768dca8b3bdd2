"""Checks before the first step: errors for what would fail, notes for what may surprise."""

from pathlib import Path

from mindspore import nn

from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.loader import Loader
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.models.batch_norm import moving_norms
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.storage.run_directory import Classes, HeldOut
from mindcv_shufflenet.training.schedules import end_of_decay
from mindcv_shufflenet.weights.records import find_record


def check_batch_norm(config: Config, network: nn.Cell, loader: Loader) -> None:
    """Refuse a batch that leaves BatchNorm one value a channel: its variance is 0/0, and the weights become NaN.

    Raises:
        UserError: a batch has one image, and the network's last map one pixel.
    """
    ranks = loader.ranks if config.sync_bn else 1
    size = min(config.stages).size
    if not moving_norms(network) or size > network.stride or loader.smallest_batch * ranks > 1:
        return
    count, images = config.batch_size, len(loader.split)
    if count == 1:
        which, advice = "a batch has", "--batch_size 2 or more, or " if images > 1 else ""
    else:
        which = f"the last batch of an epoch ({images} images, {count} a batch) has"
        advice = "--drop_remainder, another --batch_size, or " if len(loader) > 1 else ""
    raise UserError(
        f"{which} one image, and image_resize={size} gives a last map of one pixel: BatchNorm cannot"
        f" compute the variance of one value; use {advice}--image_resize {network.stride + 1} or more"
    )


def check_same_classes(config: Config, split: Split, val_split: Split) -> None:
    """Refuse to validate on other classes than those that are trained.

    Raises:
        UserError: they differ.
    """
    if val_split.class_to_index != split.class_to_index:
        raise UserError(f"the classes of {config.val_split} are not those of {config.train_split}; they must agree")


def schedule_notes(config: Config) -> list[str]:
    """Return a line for each schedule that does not end with the training: of the learning rate, of the image size."""
    notes = []
    end = end_of_decay(config)
    if end not in (None, config.epoch_size):
        notes.append(
            f"{config.scheduler} ends at epoch {end}, which warmup_epochs and decay_epochs give, and the training at"
            f" {config.epoch_size}; without decay_epochs they meet"
        )
    if late := [f"{stage.size}@{stage.epoch}" for stage in config.stages if stage.epoch >= config.epoch_size]:
        notes.append(
            f"image_resize_schedule: {' '.join(late)} is not reached, since the training ends after"
            f" epoch_size={config.epoch_size}"
        )
    return notes


def precision_notes(config: Config) -> list[str]:
    """Return a line if small float16 gradients vanish until a dynamic loss scale has risen."""
    if config.loss_scale_type != "dynamic" or config.loss_scale != 1 or config.amp_level == "O0":
        return []
    return [
        "the dynamic loss scale begins at 1 and doubles every 2000 updates, so small float16 gradients vanish at first;"
        " --loss_scale 65536 is a usual start"
    ]


def loader_notes(loader: Loader) -> list[str]:
    """Return a line if an epoch reads some images twice."""
    images = loader.filled_up
    return [f"an epoch reads {counted(images, 'image')} once more, so that all ranks have as many"] if images else []


def network_notes(config: Config, network: nn.Cell, *, has_weights: bool) -> list[str]:
    """Return lines about weights that begin at random, and auxiliary outputs that are not there.

    Args:
        config: the options.
        network: what is trained.
        has_weights: whether it begins with weights of an earlier training.
    """
    notes = []
    if not has_weights and find_record(config.model):
        notes.append(f"the weights begin at random; --pretrained begins with those of {config.model}")
    if config.freeze and not has_weights:
        notes.append(
            f"freeze={' '.join(config.freeze)} keeps weights that are drawn at random: give trained ones by"
            " --pretrained or --ckpt_path"
        )
    if config.aux_factor and not network.has_auxiliary_outputs:
        notes.append(f"without effect here: aux_factor ({config.model} has no auxiliary outputs)")
    return notes


def class_notes(config: Config, split: Split, recorded: Classes | None) -> list[str]:
    """Return a line if the classifier was trained on as many classes, but others.

    Args:
        config: the options.
        split: the training images.
        recorded: the classes that the first weights were trained on; None: nothing tells them.
    """
    if config.reset_classifier or not recorded or recorded.indices == split.class_to_index:
        return []
    if len(recorded.names) != split.num_classes:
        return []
    return [
        f"{config.ckpt_path} was trained on other classes ({', '.join(recorded.names[:3])} ...); its classifier is"
        " kept; --reset_classifier starts a new one"
    ]


def held_out_here(held_out: HeldOut | None, data_dir: Path) -> HeldOut | None:
    """Return the images that the run of the first weights held out, if they are of this data set.

    The weights were not trained on these images, so they are held out again. None: there are none, or they are of
    another data set.
    """
    return held_out if held_out and any((data_dir / file).exists() for file in held_out.files) else None
