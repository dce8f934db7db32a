"""The card of an exported model: ``README.md``."""

import math
from typing import Any

import yaml

from dlcourse.export.formats import FACTS_FILE
from dlcourse.export.snippets import snippet
from dlcourse.export.whole_model import WholeModel

SAFETY = {
    "onnx": "The file holds a computation and numbers. Reading it runs no code of its author.",
    "safetensors": "The file holds numbers alone. Reading it runs no code of its author.",
    "state_dict": "Read it with `weights_only=True`: then no code of its author is run.",
    "torch_export": "The file is a program, and `torch.export.load` can run code of its author. "
    "Open it only if you trust where it is from.",
    "torchscript": "The file is a program, and `torch.jit.load` can run code of its author. "
    "Open it only if you trust where it is from. PyTorch has deprecated TorchScript.",
}


def model_card(facts: dict, model: WholeModel) -> str:
    """Return the card as Markdown; the facts are those of ``model.json``."""
    sections = {
        f"{facts['model']} on {facts['data']['name']}": about_section(facts),
        "How to use it": f"```python\n{snippet(facts)}\n```\n\n{SAFETY[facts['format']]}",
        "Inputs and outputs": inputs_and_outputs_section(facts),
        "Data": data_section(facts),
        "Metrics": metrics_section(facts),
        "Training": training_section(facts),
        "Intended use": "*To fill in: who may use the model, and for what.*",
        "Limits": "*To fill in: on which inputs it fails, and for what it must not be used.*",
        "Verification": verification_section(facts),
        **({} if "weights" not in facts else {"Weights": weights_section(facts, model)}),
        "Config": f"```yaml\n{as_yaml(facts['config'])}```",
    }
    title, *others = sections.items()
    parts = [f"# {title[0]}", title[1], *(f"## {name}\n\n{text}" for name, text in others)]
    return "\n\n".join(parts) + "\n"


def about_section(facts: dict) -> str:
    """Return what the model is, in one paragraph."""
    averaged = ""
    if len(facts["folds"]) > 1:
        averaged = f" It is the average of {len(facts['folds'])} models, one for each fold."
    what = f"{facts['what']}. " if facts["what"] else ""
    versions = facts["versions"]
    return (
        f"{what}{facts['parameters']:,} parameters, trained for {facts['task']} in the run "
        f"`{facts['name']}`.{averaged} Exported on {facts['created'][:10]} as `{facts['format']}` "
        f"with dlcourse {versions['dlcourse']} and PyTorch {versions['torch']}; `{FACTS_FILE}` "
        "holds the facts of this page for programs."
    )


def inputs_and_outputs_section(facts: dict) -> str:
    """Return a table of the inputs and outputs, and what the numbers mean."""
    rows = [["", "name", "shape", "type"]]
    for side in ("input", "output"):
        one = facts[side]
        shape = ", ".join("N" if size is None else str(size) for size in one["shape"])
        rows.append([side, f"`{one['name']}`", f"({shape})", one["dtype"]])
    views = f", and so are the views {', '.join(facts['views'])}" if facts["views"] else ""
    inside = f"Standardisation is part of the model{views}."
    if "weights" in facts:
        inside = "They are standardised as the lines above show."
    raw = "in the units of the data"
    if facts["input"]["name"] == "images":
        raw = "from 0 to 255, channels first"
    elif facts["standardize"] == "Imputing":
        raw += ", with NaN for a missing value"
    lines = [rows_as_markdown(rows), "", f"The {facts['input']['name']} are raw, {raw}. {inside}"]
    columns = facts["input"]["columns"]
    if columns:
        lines.append(f"Columns: {', '.join(columns)}.")
    if facts["encoding"]:
        lines.append(f"`{facts['encoding']}` says how the cells of a table become these columns.")
    lines.append(f"The {facts['output']['name']} belong to: {listed(facts['output']['columns'])}.")
    if facts["output"]["kind"] == "scores" and facts["task"] != "regression":
        lines.append("The loss has no probabilities: these only rank the classes.")
    return "\n".join(lines)


def data_section(facts: dict) -> str:
    """Return the name of the data, its counts and fingerprint."""
    about = facts["data"]
    used = ", ".join(f"{count:,} {part}" for part, count in about["examples"].items())
    lines = [f"`{about['name']}`{f': examples used: {used}' if used else ''}.", ""]
    if len(facts["classes"]) > 1 and about["counts"]:
        header = ["class", *(f"{part} part" for part in about["counts"])]
        rows = [
            [name, *(str(counts.get(name, "")) for counts in about["counts"].values())]
            for name in facts["classes"][:50]
        ]
        lines += ["Examples of the whole data set:", "", rows_as_markdown([header, *rows]), ""]
    for part, digest in about["fingerprint"].items():
        if digest:
            lines.append(f"- Fingerprint of the {part} part: `{digest}`")
    return "\n".join(lines).rstrip()


def metrics_section(facts: dict) -> str:
    """Return a table of the metrics of each part."""
    found = facts["metrics"]
    rows = [
        [f"{part}/{name}", metric_in_card(value)]
        for part in ("val", "test", "out_of_fold", "ensemble")
        for name, value in found.get(part, {}).items()
        if isinstance(value, int | float)
    ]
    for name, value in found.get("mean", {}).items():
        spread = metric_in_card(found["std"][name])
        rows.append([f"{name}, mean of the folds", f"{metric_in_card(value)} ± {spread}"])
    shown = rows_as_markdown([["metric", "value"], *rows]) if rows else "None."
    precision = facts["training"]["precision"]
    if precision in ("bf16", "fp16", "tf32"):
        shown += f"\n\nThey were measured in {precision}; the exported model computes in float32."
    return shown


def training_section(facts: dict) -> str:
    """Return how the model was trained, as a table."""
    about = facts["training"]
    chosen = sorted((group, name) for group, name in facts["choices"].items() if name)
    rows = [["group", "choice"], *([group, name] for group, name in chosen if "/" not in group)]
    lines = [
        rows_as_markdown(rows),
        "",
        f"Overrides: `{' '.join(facts['overrides']) or 'none'}`",
        "",
    ]
    if "epochs" in about:
        lines.append(
            f"{about['epochs']} epochs on {about.get('device')}, seed {about.get('seed')}; the "
            f"weights are those of epoch {about.get('best_epoch')}, the best by "
            f"{about.get('monitor')}."
        )
    versions = about.get("versions", {})
    if versions:
        lines.append(f"Trained with {', '.join(f'{k} {v}' for k, v in versions.items())}.")
    return "\n".join(lines)


def verification_section(facts: dict) -> str:
    """Return how the exported model was compared with the run's."""
    about = facts["verified"]
    unit = "of the largest value" if about["relative"] else "of probability"
    where = "examples of the test part" if about["on"] == "test" else "random inputs"
    batches = ", ".join(map(str, about["batches"]))
    return (
        f"Read back and compared with the run's model on {about['examples']} {where}, in batches "
        f"of {batches}: largest difference {about['difference']:.1e} {unit}.\n\n"
        f"File: {facts['bytes']:,} bytes, SHA-256 `{facts['sha256']}`"
    )


def weights_section(facts: dict, model: WholeModel) -> str:
    """Return the names and shapes of all tensors, and the printed network."""
    rows = [["name", "shape"]]
    rows += [[f"`{name}`", str(tuple(shape))] for name, shape in facts["weights"].items()]
    first: Any = next(iter(model.members.values()))
    return f"{rows_as_markdown(rows)}\n\n```\n{first.network}\n```"


def rows_as_markdown(rows: list[list[str]]) -> str:
    """Return rows as a Markdown table; the first one is the header."""
    lines = [f"| {' | '.join(cell.replace('|', ' ') for cell in row)} |" for row in rows]
    return "\n".join([lines[0], f"|{'---|' * len(rows[0])}", *lines[1:]])


def listed(names: list[str], most: int = 50) -> str:
    """Return names with commas, the first ones of many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def metric_in_card(value: float | None) -> str:
    """Return a metric with four digits."""
    return "undefined" if value is None or math.isnan(value) else f"{value:.4g}"


def as_yaml(config: dict) -> str:
    """Return a config as YAML."""
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
