"""Public programs, unmodified, on the emulated SDK: they give what the CPU gives. `make programs` runs them.

They are not ours, so none of their code lies here. A folder that SPANSERVE_PROGRAMS_DIR names holds them, and
SPANSERVE_PROGRAMS_PYTHON an interpreter with the releases that they are pinned to; without these two, the tests skip.

    magicmind_cloud-1.0, -1.1, -1.2, -1.3    Cambricon/magicmind_cloud at its tags
    magicmind_cloud-1.7                      the same at "release v1.7"
    mm_convert                               dx111/mm_convert
    triton                                   xiaoqi25478/triton_python_backend_with_magicmind
    yolox/magicmind_model.py                 the class MagicMindModel of a YOLOX port
    site/transformers-3.4.0, -4.30.2         `pip install --no-deps --target` of that release, with tokenizers 0.9.2, or
                                             tokenizers 0.13.3, safetensors and huggingface-hub

    python3.7 -m venv pinned
    pinned/bin/pip install numpy==1.21.6 torch==1.13.1 torchvision==0.14.1 transformers==3.1.0 onnxruntime==1.14.1 \\
        datasets==2.13.2 dill==0.3.6 multiprocess==0.70.14 pyarrow==12.0.1 pandas==1.3.5 fsspec==2023.1.0 \\
        huggingface-hub==0.16.4 scikit-learn==1.0.2 scipy==1.7.3 opencv-python-headless

A program runs in a copy of its repository, by its own scripts. What it would fetch is put there beforehand: small
seeded checkpoints, a few questions, and what a cache of the hub would hold. What the CPU gives is computed by
`pinned/cpu.py` in the same interpreter, by torch or onnxruntime on the network as it was exported.
"""
