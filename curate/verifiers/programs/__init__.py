"""Find the code in a response, and read the unit tests of data sets. Nothing here runs them (``sandbox`` does).

``code_blocks`` finds the blocks of code in a text, ``statements`` the names that a block's statements bind and use, and
``response_code`` makes one program of them. ``unit_tests`` reads a ground truth, with ``code_tests`` and
``input_output_tests``.
"""
