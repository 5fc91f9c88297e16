"""Names of tests as sentences: the role ``test`` of ``tests/io/test_sky.py::test_a_file_is_read``."""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole


class TestName(SphinxRole):
    """The name of a test in words, with its file behind it."""

    __test__ = False

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the words, and the file in small type."""
        file, _, name = self.text.partition("::")
        words = name.removeprefix("test_").replace("_", " ")
        place = file.removeprefix("tests/").removesuffix(".py")
        return [nodes.Text(f"{words} "), nodes.inline("", f"({place})", classes=["test-file"])], []


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the role."""
    app.add_role("test", TestName())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
