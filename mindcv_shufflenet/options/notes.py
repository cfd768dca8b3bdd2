"""Options that have no effect given the other options."""

from collections.abc import Callable, Collection

from mindcv_shufflenet.options.config import Config

_PERIODS = ("cosine_decay", "linear_decay", "step_decay")
_RATES = ("polynomial_decay", "exponential_decay", "step_decay", "multi_step_decay")

# Options, what they need, and whether a training has it.
_NEEDS: tuple[tuple[tuple[str, ...], str, Callable[[Config, int], bool]], ...] = (
    (("jit",), "mode 1", lambda c, _: c.mode == 1),
    (("sync_bn",), "several ranks", lambda _, ranks: ranks > 1),
    (("distribute",), "a start without mpirun or msrun", lambda c, ranks: c.distribute or ranks == 1),
    (("pool",), "stem imagenet", lambda c, _: c.stem == "imagenet"),
    (("ckpt_key",), "ckpt_path", lambda c, _: bool(c.ckpt_path)),
    (("allow_missing",), "ckpt_path or pretrained", lambda c, _: bool(c.ckpt_path) or c.pretrained),
    (("channel_order",), "in_channels 3", lambda c, _: c.in_channels == 3),
    (("data_dir",), "another data set", lambda c, _: c.dataset != "digits"),
    (("val_interval",), "val_while_train", lambda c, _: c.val_while_train),
    (("scale", "ratio"), "a resized train_crop", lambda c, _: c.crops_resized),
    (("crop_padding",), "a padded train_crop", lambda c, _: not c.crops_resized),
    (("re_scale", "re_ratio", "re_value", "re_max_attempts"), "re_prob", lambda c, _: c.re_prob > 0),
    (
        ("mixup", "cutmix"),
        "cutmix_prob above 0 and batch_size above 1",
        lambda c, _: c.cutmix_prob > 0 and c.batch_size > 1,
    ),
    (("cutmix_prob",), "mixup or cutmix", lambda c, _: c.mixup > 0 or c.cutmix > 0),
    (("momentum",), "opt sgd or momentum", lambda c, _: c.opt in ("sgd", "momentum")),
    (("eps",), "opt adam or adamw", lambda c, _: c.opt in ("adam", "adamw")),
    (("clip_value",), "clip_grad", lambda c, _: c.clip_grad),
    (("min_lr",), "scheduler cosine_decay or linear_decay", lambda c, _: c.scheduler in _PERIODS[:2]),
    (("decay_epochs",), f"scheduler {', '.join(_PERIODS)}", lambda c, _: c.scheduler in _PERIODS),
    (("num_cycles", "cycle_decay"), "scheduler cosine_decay", lambda c, _: c.scheduler == "cosine_decay"),
    (("decay_rate",), f"scheduler {', '.join(_RATES)}", lambda c, _: c.scheduler in _RATES),
    (
        ("multi_step_decay_milestones",),
        "scheduler multi_step_decay",
        lambda c, _: c.scheduler == "multi_step_decay",
    ),
    (("warmup_factor",), "warmup_epochs", lambda c, _: c.warmup_epochs > 0),
    (("keep_checkpoint_max",), "a ckpt_save_policy", lambda c, _: c.ckpt_save_policy is not None),
    (("ckpt_save_interval", "ckpt_save_policy"), "keep_checkpoint_max", lambda c, _: c.keep_checkpoint_max > 0),
)


def idle_options(config: Config, given: Collection[str], ranks: int = 1) -> list[str]:
    """Return a line that names the options of the command line that have no effect beside the others."""
    idle = [
        f"{', '.join(unread)} (needs {need})"
        for names, need, has in _NEEDS
        if (unread := [name for name in names if name in given]) and not has(config, ranks)
    ]
    return [f"without effect here: {'; '.join(idle)}"] if idle else []
