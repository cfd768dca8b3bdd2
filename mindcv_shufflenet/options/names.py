"""The names that options choose from, once: data sets, optimizers, schedules.

Rooms above attach the code to them (``data/datasets``, ``training/optim.py``, ``training/schedules.py``), and tests
hold both sides equal. A data set that is registered at run time adds its name here.
"""

# Names of data sets. A list, since `register_dataset` adds to it.
DATASETS: list[str] = ["digits", "folder", "imagenet", "tiny_imagenet", "cifar10", "mindrecord"]

# Names of optimizers: those that work, and those of mindcv that are not built yet.
OPTIMIZERS = ("sgd", "momentum", "adam", "adamw")
FURTHER_OPTIMIZERS = ("lion", "nadam", "adan", "rmsprop", "adagrad", "lamb")

# Names of learning-rate schedules, likewise.
SCHEDULES = (
    "constant",
    "cosine_decay",
    "exponential_decay",
    "linear_decay",
    "polynomial_decay",
    "step_decay",
    "multi_step_decay",
)
FURTHER_SCHEDULES = ("one_cycle", "cyclic")
