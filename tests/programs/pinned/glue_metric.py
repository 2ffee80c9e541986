"""A metric of that name: how many are right."""

import datasets


class Glue(datasets.Metric):
    """Accuracy."""

    def _info(self):
        kinds = datasets.Features(
            {"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}
        )
        return datasets.MetricInfo(description="", citation="", features=kinds)

    def _compute(self, predictions, references):
        return {"accuracy": sum(a == b for a, b in zip(predictions, references)) / len(references)}
