"""The page over a live store: tables that are filtered, rows that are read, compared and labelled by hand, runs, SQL.

``snapshot`` copies the store's tables into a database of the moment, which pages read; nothing of the store is written
but the labels. ``app`` has the routes, ``guard`` refuses who has not the token, ``sql_child`` answers the SQL box.
"""
