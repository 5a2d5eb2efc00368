"""How rows of a store look as HTML, for the report and the viewer: texts, conversations, differences, charts.

Every text is escaped. Templates are Jinja's, with autoescape; only ``texts``, ``conversation`` and ``differences`` make
markup in Python, of escaped parts.
"""
