"""Images a second while training: ours, loops that people write, Lightning and Keras.

Every contender sits in a process of its own and trains the same net from the same initial weights
(Keras: from its own) on the same images. They take turns, an epoch each, in a changing order.
The peak is that of the process, or on a GPU that of the memory it reserved there.
"""

from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks.contenders import BASE, CONTENDERS, HALF, MissingError, known, make
from benchmarks.options import Options
from benchmarks.rounds import ratios, say, spread, table, take_turns
from benchmarks.work import BATCH, WORKS

TITLE = "Images a second"
GPU = True


def measure(options: Options) -> Iterator[str]:
    """Yield a table for each model."""
    for name in options.chosen(*WORKS):
        if options.late():
            yield f"The time was over before {name}."
            return
        yield compare(name, options)


def compare(name: str, options: Options) -> str:
    """Let all contenders train one model; return a heading, the table and who was left out."""
    from benchmarks.seat import Seat  # a process each

    work, seconds, out, peaks = WORKS[name], {}, [], {}
    names = [player for player in known() if player not in options.without]
    for repeat in range(options.repeats):
        with ExitStack() as stack:
            seats = {}
            ours = [player for player in names if CONTENDERS[player][0] == "dlcourse"]
            others = [player for player in names if player not in ours]
            # ours may time its first steps: one starts after the other, then all others together
            for group in (*([player] for player in ours), others):
                for player in group:
                    seats[player] = Seat(make, player, work, options)
                    stack.callback(seats[player].close)
                for player in group:
                    try:
                        seats[player].answer()
                        seats[player].ask("epoch", 0)  # not measured: caches fill
                    except (MissingError, RuntimeError) as error:
                        if player == BASE:
                            raise
                        del seats[player]
                        names.remove(player)
                        out.append(left_out(player, error))
            players = {player: asker(seat) for player, seat in seats.items()}
            say(f"speed: {name}, repeat {repeat + 1} of {options.repeats}, {', '.join(players)}")
            for player, figures in take_turns(players, options.rounds).items():
                seconds.setdefault(player, []).extend(figures)
            peaks |= {player: max(peaks.get(player, 0), seats[player].peak()) for player in seats}
    return written(name, options, seconds, peaks, out)


def left_out(player: str, error: Exception) -> str:
    """Say in a line why a contender does not take part; what went wrong is on stderr at length."""
    if isinstance(error, MissingError):
        return f"{player} is left out: {error}."
    say(str(error))
    return f"{player} is left out, it failed: {str(error).strip().splitlines()[-1]}"


def asker(seat):
    """Return a function of an epoch's number that returns its seconds, as told or as timed."""

    def run(number: int) -> float:
        around, own = seat.ask("epoch", number)
        return around if own is None else own

    return run


def written(name: str, options: Options, seconds: dict, peaks: dict, out: list[str]) -> str:
    """Return what one model's contenders came to."""
    work = WORKS[name]
    examples = work.examples(options)
    shown = [player for player in (BASE, HALF) if player in seconds]
    rows = []
    for player, figures in seconds.items():
        rows.append([
            player,
            spread([examples / figure for figure in figures], ",.0f"),
            *("" if player == ours else spread(ratios(figures, seconds[ours])) for ours in shown),
            f"{peaks[player] / 2**20:,.0f}",
        ])  # fmt: skip
    columns = [
        "contender",
        "images/s (quartiles)",
        *(f"{ours} is … times as fast" for ours in shown),
        "peak MiB (of a GPU, its own)",
    ]
    real = options.root if work.data == "mnist" else options.cifar
    images = {"mnist": "MNIST", "cifar": "CIFAR-10"}[work.data] if real else "made-up images"
    extra = ", shifted and mirrored" if work.augment else ""
    head = (
        f"**{name}** on {images}{extra}: epochs of {-(-examples // BATCH)} steps of {BATCH}, "
        f"{work.optim}, {len(seconds[BASE])} epochs each"
    )
    return "\n\n".join([head, table(columns, rows), *out])
