# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Flow definitions as NiFi exports and imports them: what counts in them, made comparable. Knows no network.

NiFi gives every component of an uploaded definition identifiers of its own, so that two equal flows have no identifier in
common. Here each component is known by its name instead: ``normalised()`` of a file and of what a NiFi runs are equal
exactly when the flows are. Private to this collection; imports nothing from ansible.
"""

from __future__ import annotations

import json
import re
import typing as t

Definition = dict[str, t.Any]

# Kinds of components, by the key of their list.
COMPONENTS = (
    "processors",
    "controllerServices",
    "inputPorts",
    "outputPorts",
    "funnels",
    "labels",
    "remoteProcessGroups",
)
# Identifiers, what follows from the place in the tree, and what an installation adds by itself.
NOT_COMPARED = frozenset(
    ("identifier", "instanceIdentifier", "groupIdentifier", "componentType", "scheduledState", "controllerServiceApis")
)
# Processors in Python. They carry versions of their own, while NiFi's other bundles have NiFi's.
PYTHON_BUNDLE = "python-extensions"
PARAMETER = re.compile(r"#\{\s*(?:'([^']+)'|([A-Za-z0-9 ._-]+?))\s*\}")


class FlowError(ValueError):
    """A definition that cannot be deployed. The message names the component and what to do."""


def normalised(definition: Definition) -> Definition:
    """What counts in a definition, components by their names.

    :raises FlowError: no definition, or two components of one group that have the same name
    """
    contents = definition.get("flowContents")
    if not isinstance(contents, dict):
        raise FlowError("the definition has no flowContents: give what NiFi's 'download flow definition' writes")
    names: dict[str, str] = {}
    _collect(contents, "", names)
    group = _group(contents, names)
    # Where the group lies on the canvas, and what it is called, is the deployment's.
    for key in ("position", "name"):
        group.pop(key, None)
    return group


def text(normal: Definition) -> str:
    """One normalised definition as lines to read and to compare."""
    return json.dumps(normal, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def parameters_used(definition: Definition) -> set[str]:
    """Names of the parameters that properties refer to."""
    found: set[str] = set()
    for component in _components(definition["flowContents"]):
        for value in (component.get("properties") or {}).values():
            for quoted, plain in PARAMETER.findall(value or ""):
                found.add(quoted or plain)
    return found


def snapshot(definition: Definition, name: str, parameters: t.Mapping[str, str]) -> Definition:
    """The definition as it is sent: with the group's name, bound to the parameter context of that name.

    :raises FlowError: a parameter that the flow uses has no value
    """
    missing = sorted(parameters_used(definition) - set(parameters))
    if missing:
        raise FlowError(
            f"the flow {name} uses parameters without a value: {', '.join(missing)}; add them to parameters"
        )
    contents = {**definition["flowContents"], "name": name}
    contexts: dict[str, t.Any] = {}
    if parameters:
        contents["parameterContextName"] = name
        contexts[name] = {
            "name": name,
            "componentType": "PARAMETER_CONTEXT",
            "inheritedParameterContexts": [],
            "parameters": [
                {"name": key, "value": parameters[key], "sensitive": False, "provided": False, "description": ""}
                for key in sorted(parameters)
            ],
        }
    return {**definition, "flowContents": contents, "parameterContexts": contexts}


def portable(definition: Definition) -> Definition:
    """A downloaded definition without what belongs to one installation, to be kept as a file.

    Values of parameters are the environment's, and stay out. Lists have a fixed order, so that a change shows as one.
    """
    return {
        "flowContents": _portable(definition["flowContents"]),
        "flowEncodingVersion": definition.get("flowEncodingVersion", "1.0"),
    }


def _collect(group: Definition, path: str, names: dict[str, str]) -> None:
    """Identifier → ``KIND:name`` for the group's components and those of its groups."""
    seen: set[str] = set()
    for kind in COMPONENTS:
        for component in group.get(kind) or ():
            label = f"{kind}:{_name(component)}"
            # Funnels and labels are not referred to by people; they may look alike.
            if label in seen and kind not in ("funnels", "labels"):
                raise FlowError(f"{path or '/'} has two {kind} named {_name(component)!r}; give each its own name")
            seen.add(label)
            names[component["identifier"]] = label
    for child in group.get("processGroups") or ():
        names[child["identifier"]] = f"processGroups:{child['name']}"
        _collect(child, f"{path}/{child['name']}", names)


def _name(component: Definition) -> str:
    if component.get("name"):
        return str(component["name"])
    position = component.get("position") or {}
    return f"at {position.get('x')},{position.get('y')}"


def _group(group: Definition, names: dict[str, str]) -> Definition:
    normal: Definition = {}
    for key, value in group.items():
        if key in COMPONENTS:
            normal[key] = {names[one["identifier"]].split(":", 1)[1]: _component(one, names) for one in value}
        elif key == "connections":
            normal[key] = dict(sorted((_connection_name(one, names), _component(one, names)) for one in value))
        elif key == "processGroups":
            normal[key] = {child["name"]: _group(child, names) for child in value}
        elif key not in NOT_COMPARED:
            normal[key] = _clean(value, names)
    return {key: value for key, value in normal.items() if value not in (None, "", [], {})}


def _connection_name(connection: Definition, names: dict[str, str]) -> str:
    ends = [
        names.get(connection[end]["id"], connection[end]["id"]).split(":", 1)[-1] for end in ("source", "destination")
    ]
    return f"{ends[0]} -> {ends[1]}: {', '.join(sorted(connection.get('selectedRelationships') or ()))}"


def _component(component: Definition, names: dict[str, str]) -> Definition:
    """Without identifiers, and without what is empty. Of descriptors only the value counts that NiFi adds nothing to."""
    normal = {
        key: _clean(value, names)
        for key, value in component.items()
        if key not in NOT_COMPARED and key not in ("propertyDescriptors", "source", "destination", "bundle")
    }
    if component.get("bundle"):
        normal["bundle"] = _bundle(component["bundle"])
    if component.get("scheduledState") == "DISABLED" and component.get("componentType") != "CONTROLLER_SERVICE":
        normal["scheduledState"] = "DISABLED"
    return {key: value for key, value in normal.items() if value not in (None, "", [], {})}


def _bundle(bundle: Definition) -> Definition:
    """Without the version of a bundle that comes with NiFi: whatever a file says, a NiFi takes the one that it has."""
    own = bundle.get("group") == "org.apache.nifi" and bundle.get("artifact") != PYTHON_BUNDLE
    return {key: value for key, value in bundle.items() if key != "version" or not own}


def _clean(value: t.Any, names: dict[str, str]) -> t.Any:
    if isinstance(value, dict):
        return {key: _clean(one, names) for key, one in value.items() if key not in NOT_COMPARED and one is not None}
    if isinstance(value, list):
        # Bends of a connection are a way: there alone the order counts. They hold numbers only.
        cleaned = [_clean(one, names) for one in value]
        return cleaned if all(isinstance(one, dict) and "x" in one for one in cleaned) else sorted(cleaned, key=str)
    return names.get(value, value) if isinstance(value, str) else value


def _portable(value: t.Any, key: str = "") -> t.Any:
    if isinstance(value, dict):
        kept = {
            name: _portable(one, name)
            for name, one in value.items()
            if name != "instanceIdentifier" and one is not None
        }
        if key == "propertyDescriptors":
            return {name: kept[name] for name in sorted(kept)}
        return kept
    if isinstance(value, list):
        items = [_portable(one) for one in value]
        if items and all(isinstance(one, dict) and "identifier" in one for one in items):
            return sorted(items, key=lambda one: (str(one.get("name") or ""), one["identifier"]))
        return items
    return value


def _components(group: Definition) -> t.Iterator[Definition]:
    for kind in ("processors", "controllerServices"):
        yield from group.get(kind) or ()
    for child in group.get("processGroups") or ():
        yield from _components(child)
