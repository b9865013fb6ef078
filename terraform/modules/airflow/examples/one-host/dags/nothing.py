"""The smallest DAG: shows where DAG files lie."""

from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("nothing", schedule=None):
    EmptyOperator(task_id="nothing")
