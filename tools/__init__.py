"""What people and roles run beside the runner: linters, locks, the wheelhouse of Airflow's hosts."""
