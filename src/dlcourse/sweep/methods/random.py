"""Random search."""

from collections.abc import Iterator, Sequence
from random import Random

from dlcourse.random_streams import Purpose, mix
from dlcourse.sweep.search_space import Space


def random_points(spaces: Sequence[Space], *, draws: int, seed: int) -> Iterator[tuple[str, ...]]:
    """Yield ``draws`` points with independent random values.

    More draws extend the same sequence. The order of the spaces does not change the values.

    Reference: Bergstra, Bengio, "Random search for hyper-parameter optimization", JMLR 13, 2012.
    """
    generator = Random(mix(seed, 0, Purpose.DRAWS))
    names = sorted(space.name for space in spaces)
    for _ in range(draws):
        shares = {name: generator.random() for name in names}
        yield tuple(value_at_share(space, shares[space.name]) for space in spaces)


def value_at_share(space: Space, share: float) -> str:
    """Return the value of a space at a share in [0, 1)."""
    return space.at(share) if space.is_interval else space.values[int(share * len(space.values))]
