"""Data sets of questions about passages: read, checked, cut into shards and turned into tasks.

    file --load_dataset--> Dataset --shard--> Dataset --tasks--> [Task], {question id: Refusal}

    bytes --format--> Node --forms--> Passage, DatasetQuestion, Flaw

An error affects only the smallest part around it. Sizes are judged by `Task`, question by question, so that one long
question does not cost the others their answers. A format is one file here, named in `load`.
"""

from spanserve.squad.dataset import Dataset
from spanserve.squad.errors import SquadError
from spanserve.squad.load import load_dataset
from spanserve.squad.passage import DatasetQuestion, Flaw, Passage
from spanserve.squad.shard import WHOLE, Shard, parse_shard

__all__ = [
    "WHOLE",
    "Dataset",
    "DatasetQuestion",
    "Flaw",
    "Passage",
    "Shard",
    "SquadError",
    "load_dataset",
    "parse_shard",
]
