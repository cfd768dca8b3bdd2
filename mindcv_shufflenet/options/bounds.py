"""Types that several options have: their bounds, and the names that they choose from."""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import core_schema

from mindcv_shufflenet.errors import nearest

Fraction = Annotated[float, Field(ge=0, le=1)]
Pixel = Annotated[float, Field(ge=-10_000, le=10_000)]
BelowOne = Annotated[float, Field(ge=0, le=0.9999)]
Area = Annotated[float, Field(ge=1e-4, le=1)]
AspectRatio = Annotated[float, Field(ge=0.01, le=100)]
Strength = Annotated[float, Field(ge=0, le=100)]
LearningRate = Annotated[float, Field(ge=0)]
DecayFactor = Annotated[float, Field(ge=1e-4, le=1)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Epochs = Annotated[int, Field(ge=0, le=100_000)]


class OneOf(NamedTuple):
    """A text that is one of ``names``, as ``Literal`` has it, of names that stand elsewhere; None is let through."""

    names: Sequence[str]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, name: str | None) -> str | None:
        if name is not None and name not in self.names:
            *others, last = map(repr, self.names)
            raise ValueError(f"it must be {', '.join(others)} or {last}{nearest(name, self.names)}")
        return name
