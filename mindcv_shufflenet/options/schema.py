"""Every option of the suite, once: its name, type, bounds, default and meaning, in groups.

The command line, the YAML files and ``docs/options.md`` are all read from this schema. Names and defaults are mindcv's
unless the description says otherwise.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

Fraction = Annotated[float, Field(ge=0, le=1)]
Pixel = Annotated[float, Field(ge=-10_000, le=10_000)]
BelowOne = Annotated[float, Field(ge=0, le=0.9999)]
Area = Annotated[float, Field(ge=1e-4, le=1)]
AspectRatio = Annotated[float, Field(ge=0.01, le=100)]
Strength = Annotated[float, Field(ge=0, le=100)]
LearningRate = Annotated[float, Field(ge=0)]
DecayFactor = Annotated[float, Field(ge=1e-4, le=1)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Epochs = Annotated[int, Field(ge=0, le=100_000)]
AmpLevel = Literal["O0", "O1", "O2", "O3"]


# Marks of the options on the first page of --help: those of every verb, and those of a training.
COMMON: JsonDict = {"help": "common"}
TRAINING: JsonDict = {"help": "training"}


class _Options(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, coerce_numbers_to_str=True, defer_build=True
    )


class SystemOptions(_Options):
    """system"""

    mode: Literal[0, 1] = Field(0, description="0: graph mode; 1: PyNative mode")
    jit: bool = Field(True, description="in PyNative mode compile the training step; --no-jit to debug it line by line")
    device_target: Literal["auto", "Ascend", "GPU", "CPU"] = Field(
        "auto", description="device to run on; auto takes the first of Ascend, GPU, CPU that is there"
    )
    distribute: bool = Field(False, description="data-parallel training; found out from the launcher")
    sync_bn: bool = Field(False, description="BatchNorm over the images of all ranks instead of each rank's own")
    seed: int = Field(42, ge=0, lt=2**31, description="seed of weights, order, augmentation and dropout")
    val_while_train: bool = Field(True, description="validate while training")
    val_interval: Count = Field(1, description="epochs between two validations")
    log_interval: Count = Field(
        100, description="steps between two readings of the loss, for the NaN check; a progress bar reads more often"
    )


class DataOptions(_Options):
    """data"""

    dataset: str = Field(
        "imagenet",
        min_length=1,
        json_schema_extra=COMMON,
        description="digits, folder, imagenet, tiny_imagenet, cifar10 or mindrecord",
    )
    data_dir: str = Field("./", min_length=1, json_schema_extra=COMMON, description="folder of the data set")
    train_split: str = Field("train", min_length=1, description="name of the training split")
    val_split: str = Field("val", min_length=1, description="name of the validation split")
    val_ratio: float = Field(
        0.2, gt=0, lt=1, description="share of the images that is held out where folders have no validation split"
    )
    dataset_download: bool = Field(
        False, json_schema_extra=TRAINING, description="fetch the data set into data_dir if it is not there"
    )
    num_parallel_workers: Count | None = Field(None, description="threads that prepare images; null: number of cores")
    shuffle: bool = Field(True, description="read the training images in a new order each epoch")
    num_samples: Count | None = Field(
        None, description="use this many images, evenly spaced (train: of the training split); null: all"
    )
    batch_size: Count = Field(128, json_schema_extra=COMMON, description="images a step of one rank")
    drop_remainder: bool = Field(True, description="leave out the last training batch of an epoch if it is not full")
    eval_shuffle: bool = Field(False, description="validate in a random order")


class AugmentationOptions(_Options):
    """augmentation"""

    image_resize: int = Field(
        224, ge=8, le=4096, json_schema_extra=COMMON, description="height and width of the network's input in pixels"
    )
    train_crop: Literal["auto", "resized", "padded"] = Field(
        "auto",
        description="resized: random area and aspect ratio; padded: shift by up to crop_padding pixels;"
        " auto: padded for cifar10, else resized",
    )
    crop_padding: Annotated[int, Field(ge=0, le=4096)] | None = Field(
        None, description="largest shift of a padded crop in pixels; null: an eighth of image_resize"
    )
    scale: tuple[Area, Area] = Field((0.08, 1.0), description="smallest and largest area of a resized crop")
    ratio: tuple[AspectRatio, AspectRatio] = Field((0.75, 1.333), description="narrowest and widest aspect ratio of it")
    hflip: Fraction = Field(0.5, description="probability of a horizontal flip")
    vflip: Fraction = Field(0.0, description="probability of a vertical flip")
    color_jitter: Strength | Annotated[list[Strength], Field(min_length=3, max_length=4)] | None = Field(
        0.4, description="one number, or brightness, contrast, saturation and optionally hue (at most 0.5)"
    )
    interpolation: Literal["bilinear", "nearest", "bicubic", "area"] = Field("bilinear", description="of a resize")
    auto_augment: str | None = Field(None, description="augmentation policy")
    aug_splits: int = Field(0, ge=0, le=1_000_000, description="augmentation splits of AugMix")
    aug_repeats: int = Field(
        0, ge=0, le=1_000_000, description="N above 1: an epoch shows one in N images, each N times; 0 and 1: all once"
    )
    re_prob: Fraction = Field(0.0, description="probability of erasing a rectangle")
    re_scale: tuple[Area, Area] = Field((0.02, 0.33), description="smallest and largest erased area")
    re_ratio: tuple[AspectRatio, AspectRatio] = Field((0.3, 3.3), description="smallest and largest height/width of it")
    re_value: Literal["random"] | Pixel | Annotated[list[Pixel], Field(min_length=1)] = Field(
        0.0, description="what stands in the rectangle, after normalisation: a number, one a channel, or random"
    )
    re_max_attempts: Count = Field(10, description="tries to find a rectangle that fits")
    mean: list[Annotated[float, Field(ge=0, le=255)]] = Field(
        [123.675, 116.28, 103.53], description="mean a channel, of 0..255"
    )
    std: list[Annotated[float, Field(ge=0.001, le=255)]] = Field(
        [58.395, 57.12, 57.375], description="standard deviation a channel, of 0..255"
    )
    channel_order: Literal["rgb", "bgr"] = Field(
        "rgb", description="order of the channels that the network sees (mean and std are in that order)"
    )
    crop_pct: Annotated[float, Field(ge=0.1, le=1)] = Field(
        0.875, description="share of the resized short side that validation crops"
    )
    resize_backend: Literal["opencv", "pillow"] = Field(
        "opencv",
        description="resize of validation: opencv (no antialiasing; mindcv's and our weights) or pillow (antialiased;"
        " torchvision's and most others')",
    )
    mixup: Annotated[float, Field(ge=0, le=1000)] = Field(
        0.0,
        description="alpha of mixup's Beta distribution; 0: none; train_top1 counts the class with the larger share",
    )
    cutmix: Annotated[float, Field(ge=0, le=1000)] = Field(
        0.0, description="the same of CutMix; with mixup too, each has half of the mixed batches"
    )
    cutmix_prob: Fraction = Field(1.0, description="probability of mixing a batch at all, by mixup or CutMix")


class ModelOptions(_Options):
    """model"""

    model: str = Field(
        "shufflenet_v2_x1_0",
        json_schema_extra=COMMON,
        description="name of the network, or NAME.TAG of published weights; `shufflenet models` lists both",
    )
    num_classes: Count | None = Field(
        None, json_schema_extra=COMMON, description="classes; null: as many as the data set has"
    )
    in_channels: Literal[1, 3] = Field(3, description="channels of an image: 3 (RGB) or 1 (grey)")
    layout: Literal["megvii", "torchvision"] | None = Field(
        None, description="megvii (default; mindcv's parameters) or torchvision (even split, classifier with bias)"
    )
    stem: Literal["imagenet", "cifar"] = Field(
        "imagenet",
        description="imagenet: stride 2 and max pool; cifar: stride 1, for images of about 32 pixels",
    )
    pool: Literal["same", "pad"] | None = Field(
        None, description="padding of the max pool: same (mindcv) or pad (Megvii, torchvision); null: by layout"
    )
    drop_rate: Annotated[float, Field(ge=0, le=0.99)] | None = Field(None, description="dropout before the classifier")
    drop_path_rate: Fraction | None = Field(None, description="stochastic depth")
    pretrained: bool = Field(
        False, json_schema_extra=COMMON, description="start from, or validate, the published weights of model"
    )
    ckpt_path: str = Field(
        "",
        json_schema_extra=COMMON,
        description="weights to start from or to validate: a file (.ckpt .safetensors .npz .onnx .pth) or its address",
    )
    ckpt_key: str | None = Field(
        None, description="which set of weights, where ckpt_path holds several: weights, ema, state_dict_ema"
    )
    reset_classifier: bool = Field(False, description="train a new classifier on top of the weights of ckpt_path")
    allow_missing: list[str] = Field(
        [], description="names, with wildcards, of parameters that ckpt_path may lack and that start anew: conv_last.*"
    )
    random_weights: bool = Field(False, description="validate the untrained network")
    resume_opt: bool = Field(
        False,
        json_schema_extra=TRAINING,
        description="go on with the run in ckpt_save_dir, with its options where none are given;"
        " ckpt_path: an earlier checkpoint of it to go back to",
    )


class RunOptions(_Options):
    """run"""

    epoch_size: Annotated[Epochs, Field(ge=1)] = Field(90, json_schema_extra=TRAINING, description="epochs to train")
    ckpt_save_dir: str = Field("./ckpt", min_length=1, json_schema_extra=TRAINING, description="run directory")
    overwrite: bool = Field(
        False, json_schema_extra=TRAINING, description="let a new run replace the one in ckpt_save_dir"
    )
    ckpt_save_interval: Count = Field(1, description="epochs between two numbered checkpoints")
    ckpt_save_policy: Literal["latest_k", "top_k"] | None = Field(
        "latest_k", description="numbered checkpoints to keep: the latest, the best by val_top1, or all (null)"
    )
    keep_checkpoint_max: int = Field(10, ge=0, le=1_000_000, description="how many numbered checkpoints to keep")
    dataset_sink_mode: bool | Literal["auto"] = Field("auto", description="feed the device from its own queue")
    ema: bool = Field(False, description="keep a moving average of the weights")
    ema_decay: Fraction = Field(0.9999, description="decay of the moving average")
    clip_grad: bool = Field(False, description="limit the norm of the gradients")
    clip_value: float = Field(15.0, ge=1e-6, le=1e6, description="limit of the global gradient norm")
    gradient_accumulation_steps: Count = Field(1, description="steps between two updates")


class OptimizerOptions(_Options):
    """optimizer"""

    opt: Literal["sgd", "momentum", "adam", "adamw", "lion", "nadam", "adan", "rmsprop", "adagrad", "lamb"] = Field(
        "momentum", json_schema_extra=TRAINING, description="optimizer"
    )
    momentum: BelowOne = Field(0.9, description="momentum of sgd and momentum")
    weight_decay: float = Field(4e-5, ge=0, le=10, description="L2 penalty; decoupled for adamw")
    weight_decay_filter: Literal["disable", "auto", "norm_and_bias"] = Field(
        "auto", description="no decay for: nothing (disable), BatchNorm (auto), BatchNorm and bias (norm_and_bias)"
    )
    use_nesterov: bool = Field(False, description="Nesterov's momentum")
    eps: float = Field(1e-10, ge=1e-20, le=1, description="term that keeps the denominator of adam and adamw from zero")
    layer_decay: DecayFactor | None = Field(None, description="learning rate decay from layer to layer")


class ScheduleOptions(_Options):
    """schedule"""

    scheduler: Literal[
        "constant",
        "cosine_decay",
        "exponential_decay",
        "linear_decay",
        "polynomial_decay",
        "step_decay",
        "multi_step_decay",
        "one_cycle",
        "cyclic",
    ] = Field("cosine_decay", description="course of the learning rate after the warm-up")
    lr: LearningRate = Field(0.001, json_schema_extra=TRAINING, description="learning rate after the warm-up")
    min_lr: LearningRate = Field(1e-6, description="where cosine_decay and linear_decay end")
    warmup_epochs: Epochs = Field(3, description="epochs of linear warm-up")
    warmup_factor: Fraction = Field(0.0, description="the warm-up starts at lr times this")
    decay_epochs: Annotated[Epochs, Field(ge=1)] | None = Field(
        None,
        description="epochs of linear_decay and of each cycle of cosine_decay, null: to the end of the training;"
        " period of step_decay",
    )
    decay_rate: float = Field(
        0.9, ge=1e-4, le=10, description="factor of step, multi-step and exponential decay; polynomial's power"
    )
    multi_step_decay_milestones: list[Count] = Field([30, 60, 90], description="epochs at which multi_step_decay acts")
    lr_epoch_stair: bool = Field(False, description="change the learning rate each epoch instead of each step")
    num_cycles: Count = Field(1, description="cycles of cosine_decay")
    cycle_decay: DecayFactor = Field(1.0, description="factor of the learning rate from cycle to cycle")


class LossOptions(_Options):
    """loss"""

    loss: Literal["CE", "BCE"] = Field("CE", description="CE: cross entropy; BCE: binary cross entropy")
    label_smoothing: BelowOne = Field(0.0, description="share of the label given to all")
    aux_factor: Strength = Field(0.0, description="weight of auxiliary outputs")
    reduction: Literal["mean", "sum"] = Field("mean", description="of the loss over a batch")


class PrecisionOptions(_Options):
    """precision"""

    amp_level: AmpLevel = Field("O0", description="mixed precision: O0 float32 ... O3 float16 throughout")
    val_amp_level: AmpLevel = Field("O0", description="the same for validation")
    amp_cast_list: list[str] | None = Field(None, description="operations to cast")
    loss_scale_type: Literal["fixed", "dynamic", "auto"] = Field("fixed", description="kind of loss scale")
    loss_scale: float = Field(
        1.0, ge=0.001, le=2**32, description="factor of the loss, taken out of the gradients again"
    )
    drop_overflow_update: bool = Field(False, description="leave out an update whose gradients overflow")
