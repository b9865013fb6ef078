"""What the DAGs of the platform share. Lies beside them in the bundle, whose folder is on the path of DAGs and tasks.

The triggerer does not see it (Airflow 3.3 gives it no bundle): operators defer with triggers of the providers only.
"""
