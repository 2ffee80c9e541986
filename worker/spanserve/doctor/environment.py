"""Variables for the device host: whether a value holds quotes or names that a shell would have replaced."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from spanserve.doctor.finding import Finding, warning

_VARIABLE = re.compile(r"\$(\{?[A-Za-z_]|\()")
_ADVICE = "write the value literally: no quotes, and full paths instead of variables"


def check_environment(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Point out values of --device-env that are taken as they stand and were hardly meant so."""
    for name, value in variables.items():
        text = value.strip()
        if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
            found = f"{name} is {value}: the quotes are part of the value, and go to the device host"
            yield warning("device environment", found, _ADVICE)
        elif _VARIABLE.search(value):
            found = f"{name} is {value}: it is taken literally, $ does not stand for a variable"
            yield warning("device environment", found, _ADVICE)
