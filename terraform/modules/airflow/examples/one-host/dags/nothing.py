"""The smallest DAG: shows where DAG files lie."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

with DAG("nothing", schedule=None):
    EmptyOperator(task_id="nothing")
