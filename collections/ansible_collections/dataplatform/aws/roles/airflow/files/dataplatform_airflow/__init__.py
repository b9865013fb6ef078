"""Airflow's side of logging in with a client certificate, and what looks after its database.

The edge in front of Airflow says whose certificate the load balancer verified; this package maps that subject to
Airflow's roles and keeps every session and token with the certificate it was made for.
"""
