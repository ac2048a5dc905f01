"""Prints the packages that Home Assistant's always loaded integrations need, and those named as arguments.

Runs within Home Assistant's own environment, and reads the installed manifests.
"""

import json
import pathlib
import re
import sys

import homeassistant

PATH = pathlib.Path(homeassistant.__file__).parent
# The pinned release has no wheel for this version of Python, a later one has. They belong to voice assistants, of which
# nothing but the import is needed.
UNPINNED = {"pymicro-vad", "pyspeex-noise"}

bootstrap = (PATH / "bootstrap.py").read_text()
always = re.search(r"DEFAULT_INTEGRATIONS = \{(.*?)\n\}", bootstrap, re.S)[1]
platforms = (PATH / "generated/entity_platforms.py").read_text()

open_ = {"homeassistant", "isal", *sys.argv[1:]}
open_ |= set(re.findall(r'"(\w+)"', always)) | set(re.findall(r'^    [A-Z_0-9]+ = "(\w+)"', platforms, re.M))
seen, requirements = set(), set()
while open_ - seen:
    name = (open_ - seen).pop()
    seen.add(name)
    manifest = PATH / "components" / name / "manifest.json"
    if not manifest.exists():
        continue
    described = json.loads(manifest.read_text())
    open_ |= set(described.get("dependencies", []))
    for requirement in described.get("requirements", []):
        package = re.split(r"[=<>!~\[]", requirement)[0].lower()
        requirements.add(package if package in UNPINNED else requirement)
print("\n".join(sorted(requirements, key=str.lower)))
