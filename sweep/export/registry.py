"""The trackers by name. Each has an entry here, a file in this folder, a test and a section in docs/export.md."""

from sweep.analysis.names import Entry

_HERE = "sweep.export"

TRACKERS: dict[str, Entry] = {
    "csv": Entry(f"{_HERE}.csv:CsvFile", "one CSV file with a row per run and epoch"),
    "mlflow": Entry(f"{_HERE}.mlflow:MlflowExperiment", "a tracking server or database of MLflow"),
    "tensorboard": Entry(f"{_HERE}.tensorboard:EventFiles", "a folder of event files for TensorBoard"),
    "wandb": Entry(f"{_HERE}.wandb:OfflineRuns", "offline runs of Weights & Biases, for `wandb sync`"),
}
EXPERIMENT = "lecun1989-sweep"
