-- Beside the ledger, in the same server: where Prefect keeps its flow runs and schedules.
CREATE DATABASE prefect;
