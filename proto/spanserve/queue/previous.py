"""What the previous release calls: workers and clients of both share a queue while a fleet is updated.

Its workers load their own scripts. Its producers may not load any, so workers of this release do it for them: the
bodies are in scripts/previous. For each release this module is written again, from the scripts as they were.
"""

from __future__ import annotations

from typing import Final

#: Script -> SHA-1 of its body.
SHAS: Final = {
    "beat": "9c0504149ceff09d3efe0b194479aea87f9c47a2",
    "cancel": "f4f0a9f5c55a714632d6c277a1ae179f4e83e0b9",
    "claim": "1194854f756895ebea839a290514a13e16826164",
    "dead": "99d68c826d6b4a9e5384a1f26d665d56e60ca853",
    "finish": "c0289901f88cf53317fd82429cd374d16e265dc8",
    "leave": "9767a42c42f138b94ac1787f3d8e4070290a916e",
    "mark": "342d8d7ac53c808c39ccc7ee8db64351cf9e4fa4",
    "provision": "f25a6356aa1eb2c437a17f97c8cd6ac5ac95d9eb",
    "reclaim": "549815c3fbac94da67df7a3326cae7b0ebe04249",
    "release": "e912926fc45d081aa1f07a55cedab6ee71b5da9f",
    "renew": "c988265628ae380f358e9d1bd8eda30bce85a7d7",
    "replay": "94842bbf338323c8ad1358e9a971f2d665842379",
    "submit": "87eb1dcdb422b43a869dce68f48f124a985d42c9",
}
