"""Optimizers with a learning rate a step and a layer, and a weight decay that leaves some parameters alone."""

from collections.abc import Callable

import numpy as np
from mindspore import Parameter, nn

from mindcv_shufflenet.options import names
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.training.optimizers.adamw import AdamW
from mindcv_shufflenet.training.optimizers.adan import Adan
from mindcv_shufflenet.training.optimizers.base import Trained
from mindcv_shufflenet.training.optimizers.lamb import Lamb
from mindcv_shufflenet.training.optimizers.layer_decay import layer_factors
from mindcv_shufflenet.training.optimizers.lion import Lion
from mindcv_shufflenet.training.optimizers.nadam import NAdam
from mindcv_shufflenet.training.optimizers.of_mindspore import SGD, Adagrad, Adam, RMSProp, create_momentum

# Parameters of a MindSpore optimizer that follow from the options and never change.
HYPERPARAMETERS = ("learning_rate", "momentum")


def create_optimizer(config: Config, network: nn.Cell, rates: np.ndarray) -> nn.Optimizer:
    """Return the optimizer of the network's trainable parameters.

    Args:
        config: the optimizer options.
        network: what is trained.
        rates: learning rate of each update, ``[updates]``.
    """
    parameters = network.trainable_params()
    decays = [config.weight_decay * is_decayed(parameter, config.weight_decay_filter) for parameter in parameters]
    factors = layer_factors(network, config.layer_decay) if config.layer_decay else {}
    trained = Trained(parameters, decays, [factors.get(parameter.name, 1.0) for parameter in parameters], rates)
    options = {name: getattr(config, name) for name in names.OPTIMIZERS[config.opt]}
    return OPTIMIZERS[config.opt](trained, **options)


def is_decayed(parameter: Parameter, weight_decay_filter: str) -> bool:
    """Whether weight decay acts on a parameter under mindcv's three filters."""
    kind = parameter.name.rsplit(".", 1)[-1]
    exempt = {"disable": (), "auto": ("gamma", "beta"), "norm_and_bias": ("gamma", "beta", "bias")}
    return kind not in exempt[weight_decay_filter]


# By the name of the option ``opt``; each takes what is trained and the options that `options/names.py` gives it.
OPTIMIZERS: dict[str, Callable[..., nn.Optimizer]] = {
    "sgd": SGD,
    "momentum": create_momentum,
    "adam": Adam,
    "adamw": AdamW,
    "lion": Lion,
    "nadam": NAdam,
    "adan": Adan,
    "rmsprop": RMSProp,
    "adagrad": Adagrad,
    "lamb": Lamb,
}
