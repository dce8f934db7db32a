"""The names of the files in the folder of a run or of a sweep."""

CONFIG = ".hydra/config.yaml"
OVERRIDES = ".hydra/overrides.yaml"
HYDRA = ".hydra/hydra.yaml"
ENVIRONMENT = ".hydra/environment.json"  # digests of the variables that the config refers to
RESULT = "result.json"
PREVIOUS = "result.previous.json"  # the result of a finished run that is resumed with a later end
FAILURE, PRUNED = "failure.json", "pruned.json"  # in place of the result of a sweep's job
DATA = "data.npz"  # the fingerprint of the run's data
TABLE = "table.json"  # how the columns of a user's own table become features
PICKS = "runtime.json"  # the options that ``runtime=auto`` has chosen
TOGETHER = "together.json"  # the engine that trains a run together with others
LOG = "train.log"
OUTPUT = "output.txt"  # what a job of a sweep prints
HISTORY = "history.jsonl"  # the metrics of each epoch
METRICS_TABLE = "metrics.csv"  # the same as a table, by the observer csv
DIAGNOSTICS = "diagnostics.jsonl"  # the measurements of the observer diagnostics
DIAGNOSIS = "diagnostics.json"  # what they mean in words, and the last of them
CHECKPOINTS = "checkpoints"
LAST_CHECKPOINT = f"{CHECKPOINTS}/last.pt"  # from which the run is resumed
PREVIOUS_CHECKPOINT = f"{CHECKPOINTS}/previous.pt"  # the one before, for when that is damaged
BEST_WEIGHTS = f"{CHECKPOINTS}/best.pt"
PREDICTIONS = "predictions.npz"  # of a run, or of a fold, on its validation and test part
OUT_OF_FOLD = "out_of_fold.npz"  # the predictions of all folds on their validation parts
MANIFEST = "sweep.json"  # of a sweep, in the folder above its jobs
PLOTS = "plots"  # the folder of a run's and of a sweep's plots
PROFILE = "profile/trace.pt.trace.json.gz"  # of the observer profiler
OVERFIT = "overfit.json"  # the verdict of the observer overfit
TRAJECTORY = "trajectory"  # the folder of the weights over the epochs, a file each
LOOKS = "look"  # the folder of what ``dlcourse look`` draws
REPORT = "report.html"  # of a run or of a sweep; ``report.md`` next to it
EVALUATED_PARTS = (
    "test",
    "val",
    "train",
    "all",
)  # what a run can be evaluated on; all: of other data
