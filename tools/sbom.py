"""Turns what Cargo says of a build into a CycloneDX document: see sbom.sh beside this file.

What runs is "required"; what only helps to build (build scripts, procedural macros) is "excluded": it is in the list,
since it could have changed the binary, but nothing of it is in there.
"""

import datetime
import hashlib
import json
import os
import re
import sys
import uuid

PROGRAM = "jetbackup-remote"


def checksums():
    """The checksum of each crate, by name and version: what Cargo.lock holds it to."""
    found = {}
    with open("Cargo.lock", encoding="utf-8") as lock:
        for block in lock.read().split("[[package]]")[1:]:
            entry = dict(re.findall(r'^(name|version|checksum) = "([^"]*)"$', block, re.MULTILINE))
            found[entry["name"], entry["version"]] = entry.get("checksum")
    return found


def crates(path):
    """The crates that `cargo tree` names: lines such as `serde v1.0.0 (*)`."""
    with open(path, encoding="utf-8") as tree:
        words = [line.split() for line in tree if line.strip()]
    return {(name, version.removeprefix("v")) for name, version, *_ in words}


def purl(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def licences(package):
    # Cargo's old way of writing "or".
    expression = package["license"].replace("/", " OR ") if package.get("license") else None
    return [{"expression": re.sub(r" +", " ", expression)}] if expression else []


def sqlite(package):
    """The SQLite that libsqlite3-sys brings along and compiles in."""
    header = os.path.join(os.path.dirname(package["manifest_path"]), "sqlite3", "sqlite3.h")
    with open(header, encoding="utf-8") as file:
        version = re.search(r'#define SQLITE_VERSION\s+"([0-9.]+)"', file.read()).group(1)
    return {
        "type": "library",
        "bom-ref": f"pkg:generic/sqlite@{version}",
        "name": "sqlite",
        "version": version,
        "description": "compiled in by libsqlite3-sys",
        "scope": "required",
        "licenses": [{"license": {"id": "blessing"}}],
        "purl": f"pkg:generic/sqlite@{version}",
        "externalReferences": [{"type": "website", "url": "https://www.sqlite.org/"}],
    }


def component(package, scope, checksum):
    made = {
        "type": "library",
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
        "description": (package.get("description") or "").strip(),
        "scope": scope,
        "licenses": licences(package),
        "purl": purl(package),
    }
    if checksum:
        made["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package.get("repository"):
        made["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return made


def main():
    target, out, work = sys.argv[1:]
    with open(os.path.join(work, "metadata"), encoding="utf-8") as file:
        metadata = json.load(file)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    program, sums = packages[root], checksums()
    # The metadata is of everything that could be built from the lock file; the trees are of what is.
    runs, trees = crates(os.path.join(work, "runs")), crates(os.path.join(work, "built"))
    built = {each for each, package in packages.items() if (package["name"], package["version"]) in trees}

    components, depends = [], []
    for each in sorted(built, key=lambda each: purl(packages[each])):
        package = packages[each]
        on = {purl(packages[dep["pkg"]]) for dep in nodes[each]["deps"] if dep["pkg"] in built
              and {kind["kind"] for kind in dep["dep_kinds"]} - {"dev"}}
        if package["name"] == "libsqlite3-sys":
            bundled = sqlite(package)
            components.append(bundled)
            depends.append({"ref": bundled["bom-ref"], "dependsOn": []})
            on.add(bundled["bom-ref"])
        depends.append({"ref": purl(package), "dependsOn": sorted(on)})
        if each != root:
            name = package["name"], package["version"]
            scope = "required" if name in runs else "excluded"
            components.append(component(package, scope, sums.get(name)))

    name = f"{PROGRAM}-{program['version']}-{target}"
    whole = {"type": "application", "bom-ref": purl(program), "name": PROGRAM, "version": program["version"],
             "description": program["description"], "licenses": licences(program), "purl": purl(program)}
    binary = os.path.join(out, name)
    if os.path.isfile(binary):
        with open(binary, "rb") as file:
            whole["hashes"] = [{"alg": "SHA-256", "content": hashlib.sha256(file.read()).hexdigest()}]

    moment = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": whole,
            "properties": [{"name": "target", "value": target}],
        },
        "components": components,
        "dependencies": sorted(depends, key=lambda each: each["ref"]),
    }
    content = json.dumps(document, sort_keys=True)
    # The same list has the same number.
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}"
    path = os.path.join(out, f"{name}.cdx.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2, ensure_ascii=False)
        file.write("\n")
    print(path)


main()
