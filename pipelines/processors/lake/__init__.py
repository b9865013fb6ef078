"""NiFi processors of the lake. NiFi loads every module here; `lake_objects` is what they share."""
