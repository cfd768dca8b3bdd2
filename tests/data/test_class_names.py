"""The names of the classes of well-known data sets."""

from mindcv_shufflenet.data.class_names import class_names_of, known_class_names
from mindcv_shufflenet.storage.run_directory import Classes
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


def test_a_network_s_classes_are_the_recorded_ones_or_those_of_its_data_set() -> None:
    recorded = Classes(("ant", "bee"), {"ant": 0, "bee": 1})
    assert class_names_of(recorded, "imagenet", 2) == ("ant", "bee")
    assert class_names_of(recorded, None, 1000) is None
    assert class_names_of(None, "cifar10", 10) == known_class_names("cifar10")
    assert class_names_of(None, "cifar10", 11) is None
    assert class_names_of(None, "folder", 1000) is None


def test_a_thousand_classes_of_which_nothing_is_told_are_imagenet_s() -> None:
    assert class_names_of(None, None, 1000) == known_class_names("imagenet")
    assert class_names_of(None, None, 10) is None
