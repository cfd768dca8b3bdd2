"""The ranks' vote to stop, so that all stop after the same training step."""

import mindspore as ms
from mindspore import Tensor

from mindcv_shufflenet import signals
from mindcv_shufflenet.parallel.world import World


class Vote:
    """The vote of one rank: what it wants is decided.

    Attributes:
        needs_step: whether the ranks can only agree in a training step, and not while they validate.
    """

    needs_step = False

    def ballot(self, wish: bool) -> Tensor:
        """Return what this rank gives to a training step: 1 to stop after it, else 0, ``[] float32``."""
        return Tensor(float(wish), ms.float32)

    def count(self, share: Tensor) -> None:
        """Take the outcome of a training step: the share of the ranks that voted to stop, ``[] float32``."""

    def is_carried(self, wish: bool) -> bool:
        """Whether to stop now.

        Args:
            wish: whether this rank wants to.
        """
        return wish

    def close(self) -> None:
        """End the vote; called on all ranks when they stop."""


class CommonVote(Vote):
    """The vote of several ranks: if one wants to stop, all do.

    Args:
        lag: how many steps later the outcome of a step is read, so that nobody waits for the device.
    """

    needs_step = True

    def __init__(self, lag: int) -> None:
        self.lag = lag
        self.shares: list[Tensor] = []

    def count(self, share: Tensor) -> None:
        self.shares.append(share)

    def is_carried(self, _wish: bool) -> bool:
        return len(self.shares) > self.lag and float(self.shares.pop(0).asnumpy()) > 0

    def close(self) -> None:
        signals.ignore()  # the same signal may come later to this rank than to the one that has voted


def create_vote(world: World, device: str) -> Vote:
    """Return the vote of a job.

    On a CPU an outcome is read at once: the step is then done, in which the ranks have waited for each other, before
    they gather anything else. Elsewhere it is read one step later.
    """
    if world.size == 1:
        return Vote()
    return CommonVote(lag=0 if device == "CPU" else 1)
