"""``gristmill compare``: arms trained alike on several seeds, evaluated, and compared with intervals over seeds."""
