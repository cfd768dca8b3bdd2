"""MindSpore's own optimizers with scheduled learning rates, and with options named as ours are."""

from mindspore import nn

from mindcv_shufflenet.training.optimizers.base import ScheduledOptimizer, Trained


class SGD(ScheduledOptimizer, nn.SGD):
    """Gradient descent with momentum, or Nesterov's (Sutskever et al. 2013)."""

    def __init__(self, trained: Trained, momentum: float, use_nesterov: bool = False) -> None:
        super().__init__(trained, momentum=momentum, nesterov=use_nesterov)


class Momentum(ScheduledOptimizer, nn.Momentum):
    """Gradient descent with momentum (Polyak 1964)."""


class Adam(ScheduledOptimizer, nn.Adam):
    """Adam (Kingma and Ba 2014, arXiv:1412.6980); with ``use_nesterov``, Nesterov's momentum (Dozat 2016)."""


class RMSProp(ScheduledOptimizer, nn.RMSProp):
    """RMSProp (Tieleman and Hinton 2012) with momentum. Its mean square starts at 1."""

    def __init__(self, trained: Trained, momentum: float, eps: float) -> None:
        super().__init__(trained, momentum=momentum, epsilon=eps)


class Adagrad(ScheduledOptimizer, nn.Adagrad):
    """AdaGrad (Duchi et al. 2011). Its sum of squares starts at 0.1."""


def create_momentum(trained: Trained, momentum: float, use_nesterov: bool) -> nn.Optimizer:
    """Return the optimizer with momentum; the CPU kernel of ``nn.Momentum`` leaves Nesterov's form unread."""
    return SGD(trained, momentum, use_nesterov) if use_nesterov else Momentum(trained, momentum=momentum)
