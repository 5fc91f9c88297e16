"""References to public names: `darkmatter_features.maps.shear.shear_maps` leads to `darkmatter_features.shear_maps`."""

from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import darkmatter_features as dm

DOCUMENTED = {f"{dm.__name__}.{module}.{name}": f"{dm.__name__}.{name}" for name, module in dm._PUBLIC.items()}
"""Path of definition of each public name, and the path that its page has."""


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, text: nodes.Element) -> nodes.Element | None:
    """Resolve a reference to a public name, or to a member of one, by the path of its page."""
    target = node.get("reftarget", "")
    for defined, documented in DOCUMENTED.items():
        if node.get("refdomain") == "py" and (target == defined or target.startswith(f"{defined}.")):
            python = env.get_domain("py")
            path = documented + target.removeprefix(defined)
            return python.resolve_xref(env, node["refdoc"], app.builder, "obj", path, node, text)
    return None


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the resolver."""
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
