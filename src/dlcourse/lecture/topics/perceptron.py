"""The perceptron on AND, OR and XOR."""

from dlcourse.lecture.bench import Bench

SMOKE = ("max_epochs=1",)
FULL = ()


def measure(bench: Bench) -> None:
    """Train a perceptron on each gate, and a network with a hidden layer on XOR."""
    gates = bench.sweep("experiment=lecture/perceptron")
    accuracy = {run.config["data"]["gate"]: run.result["test"]["accuracy"] for run in gates.runs}
    runs = {run.config["data"]["gate"]: run for run in gates.runs}
    for gate in ("and", "or", "xor"):
        bench.number(f"{gate}_gate", accuracy[gate])
    bench.figure("xor", bench.look(runs["xor"], "boundary")[0])
    bench.claim("The perceptron learns AND", accuracy["and"], at_least=1)
    bench.claim("The perceptron learns OR", accuracy["or"], at_least=1)
    bench.claim("The perceptron never gets XOR right", accuracy["xor"], at_most=0.75)
