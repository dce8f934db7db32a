"""Which engine trains some lanes, and why, as a line for people."""

from dataclasses import dataclass, field

IN_TURN = "in_turn"


@dataclass(frozen=True)
class EnginePart:
    """The engine of some lanes.

    lanes: their number. measured: the speed of a step of each engine that was tried, in multiples
    of that of training one lane after another. reason: why, without a measurement.
    """

    engine: str
    lanes: int
    measured: dict[str, float] = field(default_factory=dict)
    reason: str = ""

    def __str__(self) -> str:
        ratios = [f"{name} {ratio:.2g}x" for name, ratio in self.measured.items()]
        if self.engine == IN_TURN:
            why = ", ".join([*ratios, *([self.reason] if self.reason else [])])
            text = "1 run alone" if self.lanes == 1 else f"{self.lanes} runs one after another"
            return f"{text} ({why})" if why else text
        own = self.measured.get(self.engine)
        others = [text for text in ratios if not text.startswith(f"{self.engine} ")]
        first = [] if own is None else [f"a step {own:.2g}x as fast as one after another"]
        why = "; ".join([*first, *others, *([self.reason] if self.reason else [])])
        return f"{self.lanes} runs as {self.engine} ({why})"


@dataclass(frozen=True)
class EngineChoice:
    """The engines of all lanes: a part for each architecture, and for each reason to train alone.

    As text it is one line: ``together: 32 runs as stacked (a step 6.1x as fast as one after
    another; products 4x)``.
    """

    parts: tuple[EnginePart, ...]

    @property
    def engine(self) -> str:
        """The engine of most lanes."""
        return max(self.parts, key=lambda part: part.lanes).engine if self.parts else IN_TURN

    def __str__(self) -> str:
        return "together: " + "; ".join(map(str, self.parts))
