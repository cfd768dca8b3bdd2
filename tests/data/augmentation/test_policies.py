"""What policies draw, and what comes out."""

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import mindspore.dataset as ds
import numpy as np
import pytest
from mindspore.dataset.vision import Inter

from mindcv_shufflenet import create_transform
from mindcv_shufflenet.data.augmentation import strengths
from mindcv_shufflenet.data.augmentation.image_operations import Canvas
from mindcv_shufflenet.data.augmentation.policies import AugMix, Chain, Choice, create_policy
from mindcv_shufflenet.data.augmentation.strengths import Strength
from mindcv_shufflenet.data.transforms import train_policy
from mindcv_shufflenet.options.augmentation import Augmentation
from mindcv_shufflenet.options.policy import POLICIES
from mindcv_shufflenet.options.preprocessing import Preprocessing

FILL = (124, 116, 104)
CANVAS = Canvas(FILL, Inter.LINEAR)
EVERY = (
    "randaug-m9-n2-mstd0.5", "randaug-m30-mmax30-n10-mstd101", "randaug-m9-n3-inc1-w0", "randaug-m0-mstd0", "autoaug",
    "autoaugr-mstd0.25", "3a", "trivialaugwide", "augmix", "augmix-m10-w2-d2-a0.3",
)  # fmt: skip

IMAGES = 4000  # that a policy draws for where every combination is counted


def noise(size: int = 20, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)


@pytest.mark.parametrize("text", EVERY)
def test_a_view_has_shape_and_type_of_its_image_and_repeats(text: str) -> None:
    policy, image = create_policy(text, FILL, Inter.LINEAR), noise()
    before = image.copy()
    views = [policy(image, np.random.default_rng(seed)) for seed in range(60)]
    assert {(view.shape, view.dtype) for view in views} == {(image.shape, np.dtype(np.uint8))}
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(policy(image, np.random.default_rng(7)), views[7])
    assert len({view.tobytes() for view in views}) > 8
    assert {policy.split("-")[0] for policy in EVERY} == {*POLICIES}


class Recorded:
    """A table of operations that write down what they are called with."""

    def __init__(self, table: strengths.Strengths) -> None:
        self.calls: list[tuple[str, float]] = []
        self.table = {name: Strength(self._record(name), row.argument) for name, row in table.items()}

    def _record(self, name: str) -> Callable[[np.ndarray, float, Canvas], np.ndarray]:
        def operation(image: np.ndarray, argument: float, canvas: Canvas) -> np.ndarray:
            assert canvas == CANVAS
            self.calls.append((name, argument))
            return image

        return operation


def calls(monkeypatch: pytest.MonkeyPatch, table: str, text: str, count: int = 1000) -> dict[str, list[float]]:
    """The arguments of each operation that a policy draws for a number of images."""
    recorded = Recorded(getattr(strengths, table))
    monkeypatch.setattr(strengths, table, recorded.table)
    policy = create_policy(text, FILL, Inter.LINEAR)
    for seed in range(count):
        policy(noise(4), np.random.default_rng(seed))
    arguments: dict[str, list[float]] = {name: [] for name in recorded.table}
    for name, argument in recorded.calls:
        arguments[name].append(argument)
    return arguments


def test_randaug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of 14 operations, each with probability 1/2, at the magnitude of the string."""
    drawn = calls(monkeypatch, "RAND_AUGMENT", "randaug-m5-n2-mstd0")
    assert sum(map(len, drawn.values())) == pytest.approx(1000, abs=70)
    assert all(len(arguments) == pytest.approx(1000 / 14, abs=32) for arguments in drawn.values())
    values = {name: sorted({round(value, 6) for value in arguments}) for name, arguments in drawn.items()}
    assert values == {
        "AutoContrast": [0.5], "Equalize": [0.5], "Invert": [0.5], "Rotate": [-15, 15], "ShearX": [-0.15, 0.15],
        "ShearY": [-0.15, 0.15], "TranslateX": [-0.225, 0.225], "TranslateY": [-0.225, 0.225], "Posterize": [2],
        "Solarize": [128], "Color": [1.0], "Contrast": [1.0], "Brightness": [1.0], "Sharpness": [1.0],
    }  # fmt: skip


def test_magnitudes_have_noise_and_end_at_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    degrees = np.abs(calls(monkeypatch, "RAND_AUGMENT", "randaug-m5-n4-mstd1.5", 2000)["Rotate"]) / 3
    assert (degrees.mean(), degrees.std()) == (pytest.approx(5, abs=0.3), pytest.approx(1.5, abs=0.25))
    degrees = np.abs(calls(monkeypatch, "RAND_AUGMENT", "randaug-m10-n4-mstd1", 1000)["Rotate"]) / 3
    assert degrees.max() == 10
    assert (degrees == 10).mean() == pytest.approx(0.5, abs=0.15)
    degrees = np.abs(calls(monkeypatch, "RAND_AUGMENT", "randaug-m8-n4-mstd101", 1000)["Rotate"]) / 3
    assert (degrees.mean(), degrees.max()) == (pytest.approx(4, abs=0.5), pytest.approx(8, abs=0.2))


def test_inc_strengthens_with_the_magnitude(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = calls(monkeypatch, "INCREASING", "randaug-m9-n2-mstd0-inc1")
    values = {name: sorted({round(value, 6) for value in arguments}) for name, arguments in drawn.items()}
    assert (values["Posterize"], values["Solarize"]) == ([1], [26])
    assert values["Color"] == values["Contrast"] == values["Brightness"] == values["Sharpness"] == [0.19, 1.81]


def test_w0_draws_by_weights_and_no_operation_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = calls(monkeypatch, "RAND_AUGMENT", "randaug-n1-w0-mstd0", 2000)
    for name, arguments in drawn.items():
        assert len(arguments) == pytest.approx(1000 * strengths.WEIGHTS[name], abs=60), name
    drawn = calls(monkeypatch, "RAND_AUGMENT", "randaug-n10-w0-mstd0", 50)
    assert max(map(len, drawn.values())) <= 50


def test_trivialaugment(monkeypatch: pytest.MonkeyPatch) -> None:
    """One operation an image, its magnitude uniform; m20 ends at 20 of 31 parts of each range."""
    drawn = calls(monkeypatch, "TRIVIAL_AUGMENT", "trivialaugwide-m20", 2000)
    assert sum(map(len, drawn.values())) == 2000
    assert np.abs(drawn["Rotate"]).max() == pytest.approx(135 * 20 / 31, rel=0.1)
    assert np.abs(drawn["Rotate"]).mean() == pytest.approx(135 * 10 / 31, rel=0.2)
    assert np.mean(np.sign(drawn["TranslateX"])) == pytest.approx(0, abs=0.3)
    drawn = calls(monkeypatch, "TRIVIAL_AUGMENT", "trivialaugwide", 3000)
    assert {*drawn["Posterize"]} == {2, 3, 4, 5, 6, 7}
    assert max(drawn["Color"]) == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize(("policy", "bits"), [("autoaug", 7), ("autoaugr", 1)])
def test_autoaugment_draws_one_of_the_pairs_of_the_paper(
    policy: str, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of 25 pairs for 1 image in 25, each operation with its own probability and magnitude, in their order."""
    table, pairs = strengths.AUTO_AUGMENT[policy]
    recorded = Recorded(table)
    monkeypatch.setitem(strengths.AUTO_AUGMENT, policy, (recorded.table, pairs))
    draw = create_policy(f"{policy}-mstd0", FILL, Inter.LINEAR)
    seen: Counter[tuple[str, ...]] = Counter()
    for seed in range(IMAGES):
        recorded.calls.clear()
        draw(noise(4), np.random.default_rng(seed))
        seen[tuple(name for name, _ in recorded.calls)] += 1
    expected: defaultdict[tuple[str, ...], float] = defaultdict(float)
    for (first, p, _), (second, q, _) in pairs:
        chances = {(): (1 - p) * (1 - q), (first,): p * (1 - q), (second,): (1 - p) * q, (first, second): p * q}
        for names, chance in chances.items():
            expected[names] += chance * IMAGES / 25
    assert len(pairs) == 25
    assert {*seen} <= {*expected}
    assert {names: seen[names] for names in expected} == {
        names: pytest.approx(count, abs=4 * count**0.5 + 1) for names, count in expected.items()
    }
    assert recorded.table["Posterize"].argument(0.8, np.random.default_rng(0)) == bits


def test_3a_is_grey_or_solarised_or_blurred(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = Recorded(strengths.THREE_AUGMENT)
    monkeypatch.setitem(strengths.AUTO_AUGMENT, "3a", (recorded.table, strengths.AUTO_AUGMENT["3a"][1]))
    policy = create_policy("3a-mstd0", FILL, Inter.LINEAR)
    for seed in range(600):
        policy(noise(4), np.random.default_rng(seed))
    arguments = {name: [value for other, value in recorded.calls if other == name] for name in recorded.table}
    assert all(len(values) == pytest.approx(200, abs=50) for values in arguments.values())
    assert ({*arguments["Solarize"]}, {*arguments["Desaturate"]}) == ({128}, {0.0})
    assert (min(arguments["GaussianBlur"]), max(arguments["GaussianBlur"])) == (
        pytest.approx(0.1, abs=0.05),
        pytest.approx(2, abs=0.05),
    )


def test_augmix_mixes_chains_and_the_image() -> None:
    """With chains that give 0 and 200 for an image of 100, a view is (1 - m) 100 + m 200 w."""
    image = np.full((2, 2, 3), 100, np.uint8)
    values = iter([0, 200] * 500)
    table = {"any": Strength(lambda image, _, __: np.full_like(image, next(values)), lambda share, _: share)}
    chain = Chain(lambda _: [Choice("any", 1.0, 10)], table, 0.0, CANVAS)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        share, weights = rng.beta(0.7, 0.7), rng.dirichlet([0.7, 0.7])
        view = AugMix(chain, width=2, alpha=0.7)(image, np.random.default_rng(seed))
        np.testing.assert_allclose(view, (1 - share) * 100 + share * 200 * weights[1], atol=0.51)


def test_augmix_draws_one_to_three_operations_a_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = calls(monkeypatch, "AUG_MIX", "augmix-w4", 250)
    assert sum(map(len, drawn.values())) == pytest.approx(2000, abs=120)
    assert "Invert" not in drawn
    assert np.abs(drawn["TranslateX"]).max() == pytest.approx(0.3 * 0.3, rel=0.1)
    assert sum(map(len, calls(monkeypatch, "AUG_MIX", "augmix-w1-d5", 20).values())) == 100


@pytest.mark.parametrize(
    ("options", "fill"),
    [
        ({"mean": (10.0, 20.4, 30.6)}, (10, 20, 31)),
        ({"mean": (10.0, 20.4, 30.6), "channel_order": "bgr"}, (31, 20, 10)),
        ({"mean": (127.5,), "std": (50.0,)}, (128, 128, 128)),
        ({"interpolation": "area"}, (124, 116, 104)),
    ],
)
def test_what_an_image_uncovers_has_the_mean_colour(options: dict[str, Any], fill: tuple[int, ...]) -> None:
    policy = train_policy(Augmentation(auto_augment="trivialaugwide"), Preprocessing(**options))
    assert policy is not None
    image = np.zeros((16, 16, 3), np.uint8)
    colours = {
        tuple(policy(image, np.random.default_rng(seed))[i, j]) for seed in range(60) for i, j in ((0, 0), (-1, -1))
    }
    assert fill in colours


def test_a_transform_has_the_policy_and_draws_by_the_seed_of_the_data() -> None:
    augmentation = Augmentation(hflip=0, scale=(1, 1), ratio=(1, 1), auto_augment="trivialaugwide")
    image, seed = noise(32), ds.config.get_seed()

    def views() -> list[bytes]:
        transform = create_transform(Preprocessing(image_resize=32), is_training=True, augmentation=augmentation)
        return [transform(image).tobytes() for _ in range(6)]

    try:
        ds.config.set_seed(3)
        first, again = views(), views()
        ds.config.set_seed(4)
        other = views()
    finally:
        ds.config.set_seed(seed)
    assert first == again
    assert first != other
    assert len({*first}) > 3
