"""Updates of the optimizers against their formulas in numpy."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.options.names import OPTIMIZERS as NAMES
from mindcv_shufflenet.training.optimizers.base import Trained
from mindcv_shufflenet.training.optimizers.create import OPTIMIZERS, create_optimizer, is_decayed
from mindcv_shufflenet.training.record.state import (
    Circumstances,
    Progress,
    arrays_of,
    load_state,
    restore,
    save_state,
)
from tests.small import MODEL
from tests.training.optimizers import references
from tests.training.runs import DATA, MACHINE

RATES = np.array([0.1, 0.05, 0.2])
DECAY, FACTOR = 0.1, 0.5
WEIGHT, GAMMA = np.array([[1.0, -2.0, 0.5]]), np.array([3.0, 0.25])
# Of three steps; signs change, and one gradient is always 0.
WEIGHT_GRADIENTS = np.array([[[0.5, -1.0, 0.0]], [[1.5, 0.25, 0.0]], [[-2.0, 0.1, 0.0]]])
GAMMA_GRADIENTS = np.array([[0.5, -0.01], [-0.7, 0.02], [0.3, 0.3]])

CASES: list[tuple[str, dict[str, Any], references.Reference]] = [
    ("sgd", {}, references.momentum),
    ("sgd", {"use_nesterov": True}, references.nesterov),
    ("momentum", {}, references.momentum),
    ("momentum", {"use_nesterov": True}, references.nesterov),
    ("adam", {}, references.adam),
    ("adam", {"use_nesterov": True}, references.adam_nesterov),
    ("adamw", {}, references.adamw),
    ("lion", {}, references.lion),
    ("nadam", {}, references.nadam),
    ("adan", {}, references.adan),
    ("rmsprop", {}, references.rmsprop),
    ("adagrad", {}, references.adagrad),
    ("lamb", {}, references.lamb),
]


class Tiny(nn.Cell):
    """One decayed and one exempt parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = ms.Parameter(Tensor(WEIGHT, ms.float32), name="dense.weight")
        self.gamma = ms.Parameter(Tensor(GAMMA, ms.float32), name="norm.gamma")


def tiny_optimizer(network: Tiny, opt: str, **options: Any) -> nn.Optimizer:
    config = parse_config({"opt": opt, "weight_decay": DECAY, "eps": references.EPS} | options)
    return create_optimizer(config, network, RATES)


def do_step(optimizer: nn.Optimizer, step: int) -> None:
    optimizer((Tensor(WEIGHT_GRADIENTS[step], ms.float32), Tensor(GAMMA_GRADIENTS[step], ms.float32)))


@pytest.fixture
def recursion_limit() -> Iterator[None]:
    """Let graphs call 100 functions inside of one another at most."""
    ms.set_recursion_limit(100)
    yield
    ms.set_recursion_limit(1000)


@pytest.mark.parametrize("mode", [ms.GRAPH_MODE, ms.PYNATIVE_MODE], ids=["graph", "pynative"])
@pytest.mark.parametrize(("opt", "options", "reference"), CASES)
def test_three_steps(mode: int, opt: str, options: dict[str, Any], reference: references.Reference) -> None:
    ms.set_context(mode=mode)
    network = Tiny()
    optimizer = tiny_optimizer(network, opt, **options)
    for step in range(3):
        do_step(optimizer, step)
    weight, gamma = reference(WEIGHT, DECAY, RATES, WEIGHT_GRADIENTS), reference(GAMMA, 0.0, RATES, GAMMA_GRADIENTS)
    np.testing.assert_allclose(network.weight.asnumpy(), weight, rtol=2e-5, atol=1e-5)
    np.testing.assert_allclose(network.gamma.asnumpy(), gamma, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("opt", OPTIMIZERS)
def test_a_parameter_has_its_own_rate(pynative: None, opt: str) -> None:
    network = Tiny()
    trained = Trained(network.trainable_params(), [DECAY, 0.0], [FACTOR, 1.0], RATES)
    known = {"momentum": 0.9, "use_nesterov": False, "eps": references.EPS}
    optimizer = OPTIMIZERS[opt](trained, **{name: known[name] for name in NAMES[opt]})
    for step in range(3):
        do_step(optimizer, step)
    reference = next(reference for name, _, reference in CASES if name == opt)
    weight = reference(WEIGHT, DECAY, FACTOR * RATES, WEIGHT_GRADIENTS)
    np.testing.assert_allclose(network.weight.asnumpy(), weight, rtol=2e-5, atol=1e-5)
    np.testing.assert_allclose(
        network.gamma.asnumpy(), reference(GAMMA, 0.0, RATES, GAMMA_GRADIENTS), rtol=2e-5, atol=1e-5
    )


def parameters_of(optimizer: nn.Optimizer) -> dict[str, ms.Parameter]:
    return {parameter.name: parameter for parameter in optimizer.get_parameters()}


@pytest.mark.parametrize("opt", OPTIMIZERS)
def test_the_third_step_is_the_same_after_a_resume(pynative: None, tmp_path: Path, opt: str) -> None:
    optimizer, path = tiny_optimizer(Tiny(), opt), tmp_path / "a.state"
    do_step(optimizer, 0)
    do_step(optimizer, 1)
    save_state(path, parameters_of(optimizer), Progress(), Circumstances({}, MACHINE, DATA))
    do_step(optimizer, 2)

    resumed = tiny_optimizer(Tiny(), opt)
    restore(parameters_of(resumed), load_state(path), path)
    do_step(resumed, 2)
    again = arrays_of(parameters_of(resumed))
    for name, array in arrays_of(parameters_of(optimizer)).items():
        np.testing.assert_array_equal(array, again[name], err_msg=name)


@pytest.mark.parametrize("opt", ["adamw", "momentum"])
def test_a_training_of_one_step(pynative: None, opt: str) -> None:
    network = Tiny()
    do_step(create_optimizer(parse_config({"opt": opt}), network, RATES[:1]), 0)
    assert (network.gamma.asnumpy() != GAMMA).all()


def test_no_filter_decays_everything(pynative: None) -> None:
    network = Tiny()
    do_step(tiny_optimizer(network, "momentum", weight_decay_filter="disable"), 0)
    expected = references.momentum(GAMMA, DECAY, RATES[:1], GAMMA_GRADIENTS[:1])
    np.testing.assert_allclose(network.gamma.asnumpy(), expected, rtol=1e-6)


def test_hundreds_of_parameters(recursion_limit: None) -> None:
    # a loop over them would go as deep as there are parameters, and MindSpore's own limit is 1000 calls
    network = nn.Cell()
    for index in range(100):
        network.insert_param_to_cell(f"p{index}", ms.Parameter(Tensor([1.0], ms.float32), name=f"p{index}.weight"))
    optimizer = create_optimizer(parse_config({"opt": "adamw"}), network, RATES)
    optimizer((Tensor([1.0], ms.float32),) * 100)
    assert all(parameter.asnumpy() < 1 for parameter in network.trainable_params())


def test_layers_near_the_classifier_learn_faster(pynative: None) -> None:
    network = create_model(MODEL, num_classes=2)
    before = {parameter.name: parameter.asnumpy().copy() for parameter in network.trainable_params()}
    options = {"opt": "sgd", "momentum": 0, "weight_decay": 0, "layer_decay": 0.5}
    optimizer = create_optimizer(parse_config(options), network, RATES)
    optimizer(tuple(Tensor(np.ones(p.shape), ms.float32) for p in network.trainable_params()))
    distances = {"classifier": 0, "conv_last": 1, "features.2": 2, "features.1": 3, "features.0": 4, "first_conv": 5}
    for parameter in network.trainable_params():
        moved = before[parameter.name] - parameter.asnumpy()
        distance = next(d for prefix, d in distances.items() if parameter.name.startswith(prefix))
        np.testing.assert_allclose(moved, RATES[0] * 0.5**distance, rtol=1e-3, err_msg=parameter.name)


@pytest.mark.parametrize(
    ("weight_decay_filter", "exempt"),
    [("disable", set()), ("auto", {"gamma", "beta"}), ("norm_and_bias", {"gamma", "beta", "bias"})],
)
def test_filters_name_what_they_exempt(weight_decay_filter: str, exempt: set[str]) -> None:
    network = create_model("shufflenet_v2_x0_5", layout="torchvision")
    left_alone = [p.name for p in network.trainable_params() if not is_decayed(p, weight_decay_filter)]
    assert {name.rsplit(".", 1)[-1] for name in left_alone} == exempt
    assert len(left_alone) == len([p for p in network.trainable_params() if p.name.rsplit(".", 1)[-1] in exempt])


def test_each_name_has_its_optimizer() -> None:
    assert set(OPTIMIZERS) == set(NAMES)
