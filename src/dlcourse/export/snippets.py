"""Programs of a few lines that predict with an exported model, without dlcourse."""

TORCH_LOADERS = {
    "torch_export": ('model = torch.export.load("{file}").module()', "import torch"),
    "torchscript": ('model = torch.jit.load("{file}")', "import torch"),
    "state_dict": (
        'weights = torch.load("{file}", weights_only=True)',
        "import torch",
    ),
    "safetensors": (
        'weights = load_file("{file}")',
        "import torch\nfrom safetensors.torch import load_file",
    ),
}
"""The line that opens a file of each format, and what it imports."""


def snippet(facts: dict) -> str:
    """Return a Python program that predicts, as text; it stands in the card."""
    if facts["format"] == "onnx":
        return onnx_snippet(facts)
    if facts["format"] in ("torch_export", "torchscript"):
        return program_snippet(facts)
    return weights_snippet(facts)


def onnx_snippet(facts: dict) -> str:
    """Return the program for ONNX Runtime."""
    taken, made = facts["input"], facts["output"]
    return (
        f"import numpy as np\nimport onnxruntime\n\n"
        f'session = onnxruntime.InferenceSession("{facts["file"]}")\n'
        f"{taken['name']} = np.zeros({two_inputs(facts)}, np.{taken['dtype']})  # yours\n"
        f'({made["name"]},) = session.run(None, {{"{taken["name"]}": {taken["name"]}}})\n'
        f"{last_line(facts, 'argmax(1)')}"
    )


def program_snippet(facts: dict) -> str:
    """Return the program for torch.export and TorchScript."""
    loader, imports = TORCH_LOADERS[facts["format"]]
    taken = facts["input"]
    return (
        f"{imports}\n\n{loader.format(file=facts['file'])}\n"
        f"{taken['name']} = torch.zeros({two_inputs(facts)}, dtype=torch.{taken['dtype']})"
        "  # yours\n"
        "with torch.no_grad():\n"
        f"    {facts['output']['name']} = model({taken['name']})\n"
        f"{last_line(facts, 'argmax(1).tolist()')}"
    )


def weights_snippet(facts: dict) -> str:
    """Return the program that puts the weights into a network of the reader's own."""
    loader, imports = TORCH_LOADERS[facts["format"]]
    taken, made = facts["input"]["name"], facts["output"]["name"]
    start = f"{facts['folds'][0]}." if len(facts["folds"]) > 1 else ""
    if facts["standardize"] == "Whitening":
        how = (
            f'flat = ({taken}.float() - weights["{start}standardize.mean"]).flatten(1)\n'
            f'inputs = (flat @ weights["{start}standardize.scale"]).view({taken}.shape)'
        )
    elif facts["standardize"] == "Imputing":
        how = (
            f'filled = {taken}.where(~{taken}.isnan(), weights["{start}standardize.fill"])\n'
            f'inputs = (filled - weights["{start}standardize.mean"]).float() '
            f'* weights["{start}standardize.scale"]'
        )
    else:
        how = (
            f'inputs = ({taken}.float() - weights["{start}standardize.mean"]) '
            f'* weights["{start}standardize.scale"]'
        )
    own = f'name.removeprefix("{start}")' if start else "name"
    return (
        f"{imports}\n\n{loader.format(file=facts['file'])}  # a dict of tensors by name\n"
        f"network = MyNetwork()  # your code of the same layers, printed below\n"
        f"network.load_state_dict({{{own}: tensor for name, tensor in weights.items()\n"
        f'    if name.startswith("{start}") and "standardize." not in name}})\n'
        f"network.eval()\n{how}\n{made} = network(inputs){activation(facts)}"
    )


def activation(facts: dict) -> str:
    """Return what follows the network's outputs: softmax, sigmoid or nothing."""
    if facts["task"] == "regression":
        return ""
    return ".sigmoid()" if facts["task"] == "multilabel" else ".softmax(1)"


def last_line(facts: dict, largest: str) -> str:
    """Return the line that prints the predictions."""
    made = facts["output"]["name"]
    if facts["task"] != "classification":
        return f"print({made})"
    names = facts["classes"]
    if len(names) > 20:
        return (
            f"print({made}.{largest})  # the numbers of the classes, whose names are in model.json"
        )
    return f"print([{names}[number] for number in {made}.{largest}])"


def two_inputs(facts: dict) -> str:
    """Return the shape of two inputs as text, ``(2, 1, 28, 28)``."""
    return f"({', '.join(map(str, [2, *facts['input']['shape'][1:]]))})"
