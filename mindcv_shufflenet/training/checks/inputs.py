"""Checks of what a training names, before anything slow: its images, frozen parts and teacher."""

from mindcv_shufflenet.data.open import check_folder
from mindcv_shufflenet.families import find_family
from mindcv_shufflenet.families.base import plan
from mindcv_shufflenet.models.parts import frozen_names
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.training.teacher import read_teacher


def check_inputs(config: Config) -> None:
    """Refuse what is not there, without a look at the images.

    Args:
        config: the options, with those taken over that belong to the first weights.

    Raises:
        UserError: there is no folder of images, no part that is to be frozen, or no teacher.
    """
    check_folder(config)
    model = config.model_name.model
    family = find_family(model)
    frozen_names(plan(family, model, **family.resolve(model, config.recipe())), config.freeze)
    if config.teacher:
        read_teacher(config.teacher)
