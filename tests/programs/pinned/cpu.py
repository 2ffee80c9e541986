"""What the CPU gives, and what programs would have fetched. Runs under the Python of the programs: `cpu.py TASK ...`.

checkpoint FOLDER CLASS LABELS     a small seeded checkpoint of a transformers class, strict enough for 3.1.0
answers FOLDER QUESTIONS LENGTH    answers of a question answering checkpoint, as JSON: id to text
balance FOLDER TEXTS LENGTH        make the checkpoint put two lines of a file into the first class, the others into
                                   the second; two texts in a line are parted by a tab: prints the classes
pictures FOLDER COUNT              images of random colours: their names
scores FILE PREPROCESS LIST FOLDER class of every image of a list, by an ONNX file and the program's own preparation
trace FOLDER FILE                  the trace of a question answering checkpoint
run FILE ARRAYS OUT                outputs of an ONNX file or a trace for the arrays of an .npz, written to another
"""

import json
import os
import sys
import warnings

import numpy as np

warnings.filterwarnings("ignore")

#: Tensors that are made larger, so that outputs follow words and places with clear leads.
LOUD = ("word_embeddings", "position_embeddings", "qa_outputs.weight", "classifier.weight")


def checkpoint(folder, name, labels):
    import torch
    import transformers

    with open(os.path.join(folder, "vocab.txt"), encoding="utf-8") as file:
        vocabulary = file.read().splitlines()
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        num_labels=int(labels),
    )
    torch.manual_seed(20)
    model = getattr(transformers, name)(config)
    tensors = model.state_dict()
    for key, value in tensors.items():
        if any(loud in key for loud in LOUD):
            value.mul_(50)
    torch.save(tensors, os.path.join(folder, "pytorch_model.bin"))
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(dict(config.to_dict(), model_type="bert", architectures=[name]), file)


def answers(folder, questions, length):
    import torch
    from torch.utils.data import DataLoader
    from transformers import BertForQuestionAnswering, BertTokenizer, squad_convert_examples_to_features
    from transformers.data.metrics.squad_metrics import compute_predictions_logits
    from transformers.data.processors.squad import SquadResult, SquadV1Processor

    tokenizer = BertTokenizer.from_pretrained(folder, do_lower_case=False)
    examples = SquadV1Processor().get_dev_examples("", filename=questions)
    features, dataset = squad_convert_examples_to_features(
        examples=examples,
        tokenizer=tokenizer,
        max_seq_length=int(length),
        doc_stride=128,
        max_query_length=64,
        is_training=False,
        return_dataset="pt",
    )
    model = BertForQuestionAnswering.from_pretrained(folder).eval()
    results = []
    for ids, mask, types, place, _, _ in DataLoader(dataset, batch_size=1):
        with torch.no_grad():
            start, end = model(ids, mask, types)[:2]
        results.append(SquadResult(features[place.item()].unique_id, start[0].tolist(), end[0].tolist()))
    return dict(
        compute_predictions_logits(
            examples,
            features,
            results,
            20,
            30,
            False,
            "/dev/null",
            "/dev/null",
            None,
            False,
            False,
            0.0,
            tokenizer,
        )
    )


def balance(folder, texts, length):
    import torch
    from transformers import BertForSequenceClassification, BertTokenizer

    tokenizer = BertTokenizer.from_pretrained(folder, do_lower_case=False)
    model = BertForSequenceClassification.from_pretrained(folder).eval()
    leads = []
    with open(texts, encoding="utf-8") as file:
        for line in file.read().splitlines():
            encoded = tokenizer(
                *line.split("\t"),
                padding="max_length",
                truncation=True,
                max_length=int(length),
                return_tensors="pt",
            )
            with torch.no_grad():
                scores = model(**encoded)[0][0]
            leads.append(float(scores[1] - scores[0]))
    between = sum(sorted(leads)[1:3]) / 2
    tensors = model.state_dict()
    tensors["classifier.bias"][0] += between
    torch.save(tensors, os.path.join(folder, "pytorch_model.bin"))
    return [int(lead > between) for lead in leads]


def pictures(folder, count):
    from PIL import Image

    generator = np.random.RandomState(7)
    names = []
    for number in range(int(count)):
        names.append(f"ILSVRC2012_val_{number + 1:08}.JPEG")
        blocks = generator.randint(0, 256, (4, 4, 3)).astype(np.uint8).repeat(70, 0).repeat(80, 1)
        Image.fromarray(blocks).save(os.path.join(folder, names[-1]))
    return names


def scores(file, preprocess, listed, folder):
    import onnxruntime

    sys.path.insert(0, preprocess)
    from preprocess import imagenet_dataset
    from preprocess import preprocess as prepare

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    found = []
    for image, _ in imagenet_dataset(listed, folder):
        prepared = prepare(image, transpose=False, normalization=True)
        found.append(int(session.run(None, {"image": prepared[None]})[0].argmax()))
    return found


def trace(folder, file):
    import torch
    from transformers import BertForQuestionAnswering

    model = BertForQuestionAnswering.from_pretrained(folder).eval()
    example = torch.zeros((1, 128), dtype=torch.long)
    torch.jit.trace(model, (example, example, example)).save(file)


def run(file, arrays, out):
    loaded = np.load(arrays)
    fed = [loaded[name] for name in sorted(loaded.files)]
    if file.endswith(".onnx"):
        import onnxruntime

        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        names = [entry.name for entry in session.get_inputs()]
        found = session.run(None, dict(zip(names, fed)))
    else:
        import torch

        with torch.no_grad():
            found = torch.jit.load(file)(*[torch.from_numpy(array) for array in fed])
        found = [one.numpy() for one in (found if isinstance(found, tuple) else (found,))]
    np.savez(out, *found)


if __name__ == "__main__":
    result = globals()[sys.argv[1]](*sys.argv[2:])
    if result is not None:
        print("\n" + json.dumps(result))
