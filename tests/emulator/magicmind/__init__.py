"""A stand-in for the Python package of MagicMind, Cambricon's inference SDK: strict, and computing for real.

It has the calls that public code is known to make, and no others, in every order and form in which that code makes
them: `make programs` runs some of it unmodified. Whatever the SDK is known or feared to
refuse it refuses: with a failing Status, with None, or with an exception, as the SDK does at that place;
the reason of a None is printed to stderr. Put the folder above this one on the path of the interpreter.

Networks are executed on the CPU, in float32 whatever precision was asked for: TorchScript by torch, ONNX by
onnxruntime or else OpenVINO, nodes that a program adds by numpy, and a JSON file
`{"emulator": "hash", "vocab_size": N}` as a pure function of the token ids, which refuses a mask and types that are no
window's. A serialised model is a zip file of ours: build.json and the network.

Environment:

    MM_EMULATOR_CARDS         cards in the machine (1); CN_VISIBLE_DEVICES and MLU_VISIBLE_DEVICES are obeyed,
                              the UUID of card N is N in eight hexadecimal digits and -2157-0000-0000-000000000000
    MM_EMULATOR_CLUSTERS      clusters of a card (8)
    MM_EMULATOR_ARCH          architecture of the cards (mtp_372)
    MM_EMULATOR_VERSION       of the SDK (1.7.0): parsers of 1.0 and older lack operators
    MM_EMULATOR_REMOTE        addresses of other machines with such cards, IP:PORT separated by commas (none)
    MM_EMULATOR_VARYING_DIMS  how many dimensions of an input may vary in a mutable graph (2); public pages
                              disagree whether the SDK takes one or two
    MM_EMULATOR_OUTPUT_TYPE   what a model says that its outputs are (FLOAT32)
    MM_EMULATOR_RESULTS       what calls give that only do something: `status` (the default); `none`: nothing; `object`:
                              the object that they were called on, and Tensor.to another tensor. The latter two raise
                              where the first gives a failing Status
    MM_EMULATOR_FAIL          what goes wrong, separated by commas:

        METHOD@N          the N-th call of this method in the process fails as the SDK would fail it
        METHOD:CODE@N     the same, the Status carries this CN driver code: sync:100124@2
        hang:METHOD@N     the call never returns; `hang@N` is `hang:sync@N`
        abort:METHOD@N    the call ends the process with SIGABRT; `abort@N` is `abort:sync@N`
        raise:METHOD@N    the call raises what it would otherwise fail with; raise:METHOD:CODE@N too
        exit:METHOD@N     the call raises SystemExit
        slow:SECONDS      every batch takes that much longer
        slow:METHOD:SECONDS   every call of the method takes that much longer
        gil:SECONDS       every sync keeps the interpreter's lock for that long
        garble@N          from the N-th batch on the logits are those of the row read backwards; of one queue, in
                          the order they are made, or of batches of so many tokens: garble:q1@N, garble:q1l128@N
        wrong_device      no card can be activated: the id is not one of this machine's

      METHOD is the name of a method of the SDK, `import`, or `batch`: a batch on the card. `@N+` means
      the N-th call and all after it.
      `2/METHOD@N` holds only in the second process that counts itself in MM_EMULATOR_LIVES, and so on.
    MM_EMULATOR_LIVES         a folder in which every process that loads the package counts itself
"""
