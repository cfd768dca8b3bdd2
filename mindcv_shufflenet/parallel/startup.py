"""Set up MindSpore for a process: its device, its mode, and its connection with the other ranks."""

import os
import socket
from datetime import timedelta

import mindspore as ms
from mindspore.communication import init

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.parallel.group import Group, current
from mindcv_shufflenet.parallel.rendezvous import JOIN_SECONDS
from mindcv_shufflenet.parallel.world import MPIRUN, MSRUN, find_world
from mindcv_shufflenet.runtime.cores import count_workers
from mindcv_shufflenet.runtime.device import Machine, choose_device, use_device
from mindcv_shufflenet.signals import held


def set_up(config: Config) -> tuple[Machine, list[str]]:
    """Set up MindSpore for this process, and connect it with those of the other ranks.

    Returns:
        The machine, and a line for each option that had to be adapted to it.

    Raises:
        UserError: a device that is not there, or ranks that have not met.
    """
    group = current()
    launched = find_world()
    if launched.size > group.world.size:
        raise UserError(
            f"{launched.launcher} has started {launched.size} ranks, and this one has not met the others: call"
            " mindcv_shufflenet.parallel.group.join(mindcv_shufflenet.parallel.world.find_world()) at the start of the"
            f" script, or start it without {launched.launcher}"
        )
    device = choose_device(config.device_target)
    ms.set_context(mode=ms.GRAPH_MODE if config.mode == 0 else ms.PYNATIVE_MODE)
    if not group.is_connected:  # after that the device cannot be set again
        use_device(device, *([] if device == "CPU" or group.world.size == 1 else [group.world.local_rank]))
        if group.world.launcher == MSRUN or group.world.size > 1:
            with held():  # its threads must not take the signals that the training looks for
                _connect(device, group)
            group.is_connected = True
            group.barrier()  # no rank may go on, and perhaps fail, while another one still waits inside MindSpore
    ms.set_seed(config.seed)
    cores = len(os.sched_getaffinity(0))
    workers, notes = count_workers(config.num_parallel_workers)
    if config.dataset_sink_mode is True:
        notes.append("dataset_sink_mode=True: batches are fed from the host instead; the result is the same")
    if config.distribute and not group.world.launcher:
        notes.append(
            f"distribute=True without a launcher: one rank runs, so a step has {counted(config.batch_size, 'image')};"
            " mpirun -n N python train.py ... runs N ranks with N times as many, and the lr of a recipe for N ranks,"
            " divided by N, fits one"
        )
    return Machine(device, cores, workers, ms.__version__, group.world.size), notes


def _connect(device: str, group: Group) -> None:
    """Start MindSpore's collective communication.

    MindSpore cannot start CPU ranks under mpirun by itself: they connect through a TCP store of rank 0, as its Ascend
    backend does without a scheduler. In all other cases MindSpore's own start is used.
    """
    if device != "CPU" or group.world.launcher != MPIRUN:
        group.await_scheduler()
        init()
        return
    try:
        from mindspore.communication.management import _init_without_sched
        from mindspore.mint.distributed import TCPStore
    except ImportError:
        raise UserError(
            f"mpirun on a CPU needs MindSpore 2.8 and this is {ms.__version__}: install mindspore==2.8.0,"
            " or run one rank, without mpirun"
        ) from None
    port = group.gather(_free_port() if group.is_first else None)[0]
    limit = timedelta(seconds=JOIN_SECONDS)
    store = TCPStore(group.address, port, group.world.size, group.is_first, limit)
    _init_without_sched("mccl", None, int(limit.total_seconds() * 1000), group.world.size, group.world.rank, store)


def _free_port() -> int:
    with socket.create_server(("", 0)) as server:
        return server.getsockname()[1]
