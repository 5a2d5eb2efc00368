"""Reading files, hub data sets and earlier stores; recognising row formats."""
