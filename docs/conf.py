"""How Sphinx makes the site from the pages beside this file: `make docs`, or `python -m sphinx -W docs build/docs`.

Nothing is fetched, neither by the build nor by a reader's browser: the theme has its own styles and uses the machine's
fonts, the search runs over an index that is part of the site.
"""

project = "dialoguellm"
author = "the dialoguellm maintainers"
extensions = ["myst_parser"]
exclude_patterns = ["images"]

html_theme = "furo"
html_title = "dialoguellm"
html_copy_source = False
html_show_copyright = False

myst_heading_anchors = 4  # a link into a page that leads nowhere fails the build
smartquotes = False  # quotes stand around values that are typed
