"""Configuration of the documentation: `make docs` builds it, without a network, into docs/_build/html."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from darkmatter_features import __version__

project = "darkmatter"
author = "The darkmatter developers"
project_copyright = author
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # MathJax and its fonts as files of the site: equations need no network
    "numpydoc",
    "myst_nb",
    "sphinx_copybutton",
    "sphinx_design",
    "reference_tables",
    "command_reference",
    "public_names",
    "test_names",
]
exclude_patterns = ["_build", "_ext", "_templates", "generated/.*"]
templates_path = ["_templates"]

# Markdown
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

# The tutorial is executed anew by each build; an exception in it fails the build.
nb_execution_mode = "force"
nb_execution_timeout = 300  # seconds a cell; the first use of the kernels compiles them
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_merge_streams = True

# Docstrings
autosummary_generate = True
autodoc_typehints = "none"  # the types stand in the docstrings, with shapes and units
smartquotes_action = "q"  # quotes only: two hyphens stay two hyphens
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
python_maximum_signature_line_length = 88

# Page layout
html_theme = "pydata_sphinx_theme"
html_title = "darkmatter"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_js_files = ["enlarge.js"]
html_copy_source = False
html_show_sourcelink = False
html_sidebars = {page: [] for page in ("index", "install", "tutorial", "method", "reliability")}
html_theme_options = {
    "logo": {"text": "darkmatter"},
    "header_links_before_dropdown": 7,
    "navbar_persistent": ["search-button"],
    "navbar_end": ["theme-switcher"],
    "navigation_with_keys": False,
    "show_nav_level": 2,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
    "secondary_sidebar_items": {"**": ["page-toc"], "index": [], "tutorial": []},
    "pygments_light_style": "tango",
}

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
