"""The names of the classes of well-known data sets."""

from mindcv_shufflenet.data.class_names import known_class_names
from mindcv_shufflenet.weights.records.base import SCORED


def test_every_data_set_of_a_record_has_names() -> None:
    for dataset, scored in SCORED.items():
        names = known_class_names(dataset)
        assert names is not None
        assert len(names) == scored.num_classes
    assert known_class_names("folder") is known_class_names(None) is None


def test_cifar100_has_its_fine_labels_in_their_order() -> None:
    names = known_class_names("cifar100")
    assert names is not None
    assert [names[index] for index in (0, 1, 49, 85, 99)] == ["apple", "aquarium_fish", "mountain", "tank", "worm"]
    assert list(names) == sorted(set(names))
